import { expect, test } from "bun:test";
import { seededRandom } from "../base/random.ts";
import { retryPause } from "./retry-pause.ts";

const least = { next: () => 0 };
const most = { next: () => 1 };

test("pauses double up to the longest, and are spread, those of throttled nodes widely", () => {
  const windows = (random: { next: () => number }, throttled: boolean): number[] =>
    [1, 2, 3, 4, 5, 9].map((failures) => retryPause(failures, throttled, random));
  expect(windows(most, false)).toEqual([5000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  expect(windows(least, false)).toEqual([4000, 8000, 16_000, 32_000, 48_000, 48_000]);
  expect(windows(most, true)).toEqual([10_000, 20_000, 30_000, 30_000, 30_000, 30_000]);
  expect(windows(least, true)).toEqual([2000, 4000, 6000, 6000, 6000, 6000]);
});

test("nodes that were throttled in the same moment come back spread out", () => {
  const back = Array.from({ length: 150 }, (_, seed) => retryPause(1, true, seededRandom(seed)));
  const perSecond = Map.groupBy(back, (ms) => Math.floor(ms / 1000));
  expect(Math.max(...[...perSecond.values()].map((nodes) => nodes.length))).toBeLessThan(40);
});
