import { expect, test } from "bun:test";
import { EventQueue } from "./events.ts";
import { type Process, spawn } from "./process.ts";

test("a program sleeps on the virtual clock and answers at its end", () => {
  const queue = new EventQueue();
  const task = spawn(
    queue,
    (function* (): Process<number> {
      yield 5;
      yield 7;
      return queue.now;
    })(),
  );
  expect(() => task.value).toThrow("still runs");
  queue.runUntil(100);
  expect(task.value).toBe(12);
});

test("programs run side by side, and one may wait for another or get its error", () => {
  const queue = new EventQueue();
  function* nap(ms: number, error?: string): Process<string> {
    yield ms;
    if (error !== undefined) throw new Error(error);
    return `slept ${ms}`;
  }
  const told: string[] = [];
  spawn(
    queue,
    (function* (): Process<void> {
      const [long, short, bad] = [spawn(queue, nap(30)), spawn(queue, nap(10)), spawn(queue, nap(20, "no"))];
      told.push(yield* short.join(), yield* long.join());
      try {
        yield* bad.join();
      } catch (error) {
        told.push(String(error));
      }
      told.push(String(queue.now));
    })(),
  );
  queue.runUntil(1000);
  expect(told).toEqual(["slept 10", "slept 30", "Error: no", "30"]);
});
