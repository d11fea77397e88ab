import { expect, test } from "bun:test";
import { Semaphore } from "./semaphore.ts";

test("slots go round in the order of asking", async () => {
  const slots = new Semaphore(1);
  const order: string[] = [];
  const first = await slots.acquire();
  const take = async (name: string): Promise<void> => {
    using _slot = await slots.acquire();
    order.push(name);
  };
  const rest = Promise.all(["a", "b", "c"].map(take));
  first[Symbol.dispose]();
  // A slot is given back once, however often that is said.
  first[Symbol.dispose]();
  await rest;
  expect(order).toEqual(["a", "b", "c"]);
});

test("who leaves the line is told so and keeps nobody waiting", async () => {
  const slots = new Semaphore(1);
  const first = await slots.acquire();
  const leaving = new AbortController();
  const left = slots.acquire(leaving.signal).then(
    () => "served",
    () => "left",
  );
  const next = slots.acquire();
  leaving.abort();
  expect(await left).toBe("left");
  first[Symbol.dispose]();
  (await next)[Symbol.dispose]();
  await expect(slots.acquire(leaving.signal)).rejects.toThrow();
  // Nothing was lost on the way: the slot is free.
  (await slots.acquire())[Symbol.dispose]();
});

test("an abort after the turn has come takes nothing away", async () => {
  const slots = new Semaphore(1);
  const first = await slots.acquire();
  const late = new AbortController();
  const second = slots.acquire(late.signal);
  first[Symbol.dispose]();
  late.abort();
  const held = await second;
  const third = slots.acquire();
  held[Symbol.dispose]();
  (await third)[Symbol.dispose]();
});
