import { expect, test } from "bun:test";
import { ManualClock } from "./clock.ts";

test("sleepers wake in the order of their times, those that a sleeper starts too", async () => {
  const clock = new ManualClock(1000);
  const woken: string[] = [];
  void clock.sleep(30).then(() => woken.push(`b at ${clock.now()}`));
  void clock.sleep(10).then(async () => {
    woken.push(`a at ${clock.now()}`);
    await clock.sleep(5);
    woken.push(`c at ${clock.now()}`);
  });
  await clock.advance(29);
  expect(woken).toEqual(["a at 1010", "c at 1015"]);
  await clock.advance(1);
  expect(woken).toEqual(["a at 1010", "c at 1015", "b at 1030"]);
  expect(clock.now()).toBe(1030);
});

test("an aborted sleep rejects and never wakes", async () => {
  const clock = new ManualClock();
  const stop = new AbortController();
  const sleep = clock.sleep(10, stop.signal).then(
    () => "woken",
    (reason: unknown) => String(reason),
  );
  stop.abort(new Error("enough"));
  await clock.advance(20);
  expect(await sleep).toBe("Error: enough");
  const late = clock.sleep(1, stop.signal).catch((reason: unknown) => String(reason));
  expect(await late).toBe("Error: enough");
});

test("time does not go backwards", async () => {
  const failure = await new ManualClock().advance(-1).catch((error: unknown) => String(error));
  expect(failure).toBe("EniverseError: cannot move the clock: -1 ms; wanted 0 ms or more");
});
