import { expect, test } from "bun:test";
import fc from "fast-check";
import { EventQueue } from "./events.ts";

test("events run by time, and by order of addition at the same time", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50)), (times) => {
      const queue = new EventQueue();
      const ran: { at: number; number: number }[] = [];
      for (const [number, at] of times.entries()) queue.at(at, () => ran.push({ at, number }));
      queue.runUntil(50);
      const wanted = times
        .map((at, number) => ({ at, number }))
        .sort((a, b) => a.at - b.at || a.number - b.number);
      expect(ran).toEqual(wanted);
      expect(queue.size).toBe(0);
    }),
  );
});

test("events may add events: none is lost, none is early, and the clock never goes back", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { maxLength: 40 }), (pairs) => {
      const queue = new EventQueue(100);
      const seen: number[] = [];
      for (const [first, then] of pairs) {
        queue.after(first, () => {
          seen.push(queue.now);
          const due = queue.now + then;
          queue.after(then, () => {
            expect(queue.now).toBe(due);
            seen.push(queue.now);
          });
        });
      }
      while (queue.step()) {
        // Until nothing is left.
      }
      expect(seen.length).toBe(2 * pairs.length);
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
      expect(queue.ran).toBe(2 * pairs.length);
    }),
  );
});

test("a run stops at its time, and what is later stays", () => {
  const queue = new EventQueue();
  const ran: string[] = [];
  queue.at(10, () => ran.push("ten"));
  queue.at(11, () => ran.push("eleven"));
  queue.runUntil(10);
  expect(ran).toEqual(["ten"]);
  expect([queue.now, queue.size]).toEqual([10, 1]);
  queue.at(3, () => ran.push("late"));
  queue.runUntil(20);
  expect(ran).toEqual(["ten", "late", "eleven"]);
  expect(queue.now).toBe(20);
});
