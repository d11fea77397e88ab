import { expect, test } from "bun:test";
import { ManualClock } from "../../base/clock.ts";
import { WorkQueue } from "./work-queue.ts";

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

test("a key that is added while it is worked on is worked on once more, never twice at once", async () => {
  const clock = new ManualClock();
  const gates: (() => void)[] = [];
  let atOnce = 0;
  let most = 0;
  let runs = 0;
  const queue = new WorkQueue({
    clock,
    onError: () => {},
    work: async () => {
      runs++;
      most = Math.max(most, ++atOnce);
      await new Promise<void>((resolve) => gates.push(resolve));
      atOnce--;
    },
  });
  queue.add("a");
  queue.add("a");
  await settled();
  queue.add("a");
  queue.add("a");
  await settled();
  expect(runs).toBe(1);
  gates.shift()?.();
  await settled();
  expect(runs).toBe(2);
  gates.shift()?.();
  await settled();
  expect([runs, most]).toEqual([2, 1]);
});

test("no more keys than workers are worked on at once", async () => {
  const started: string[] = [];
  const queue = new WorkQueue({
    clock: new ManualClock(),
    workers: 2,
    onError: () => {},
    work: (key) => {
      started.push(key);
      return new Promise(() => {});
    },
  });
  for (const key of ["a", "b", "c"]) queue.add(key);
  await settled();
  expect(started).toEqual(["a", "b"]);
});

test("failed work comes back with doubling delays, and the earliest wish for a key counts", async () => {
  const clock = new ManualClock();
  const times: number[] = [];
  let failing = true;
  const queue = new WorkQueue({
    clock,
    onError: () => {},
    work: async () => {
      times.push(clock.now());
      if (failing) throw new Error("no");
    },
  });
  queue.add("a");
  await clock.advance(150);
  expect(times).toEqual([0, 20, 60, 140]);
  failing = false;
  await clock.advance(200);
  expect(times).toEqual([0, 20, 60, 140, 300]);
  queue.addAt("a", 1000);
  queue.addAt("a", 500);
  queue.addAt("a", 900);
  await clock.advance(1000);
  expect(times.slice(5)).toEqual([500]);
  await queue.stop();
});
