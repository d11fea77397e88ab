import { expect, test } from "bun:test";
import { seededRandom } from "./random.ts";

test("the same seed gives the same sequence, another seed another", () => {
  const draw = (seed: number): number[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 8 }, () => random.int(1_000_000));
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});

test("numbers are spread over their range", () => {
  const random = seededRandom(1);
  const counts = new Array<number>(10).fill(0);
  for (let n = 0; n < 10_000; n++) {
    const drawn = random.int(10);
    counts[drawn] = (counts[drawn] ?? 0) + 1;
  }
  // 1000 expected in each, standard deviation 30.
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
});

test("a shuffle keeps the elements, a pick is one of them, an empty list has none", () => {
  const random = seededRandom(3);
  const items = [1, 2, 3, 4, 5, 6];
  const shuffled = random.shuffle(items);
  expect([...shuffled].sort()).toEqual(items);
  expect(items).toContain(random.pick(items));
  expect(() => random.pick([])).toThrow("empty list");
  expect(random.hex(12)).toMatch(/^[0-9a-f]{12}$/);
});
