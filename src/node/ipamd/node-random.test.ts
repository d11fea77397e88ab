import { expect, test } from "bun:test";
import { nodeRandom } from "./node-random.ts";

test("nodes have numbers of their own, and one node always the same", () => {
  const first = (id: string): number => nodeRandom(id).next();
  const ids = Array.from({ length: 200 }, (_, index) => `i-0${index.toString(16).padStart(16, "0")}`);
  expect(new Set(ids.map(first)).size).toBe(200);
  expect(first("i-1")).toBe(first("i-1"));
  const mean = ids.map(first).reduce((sum, value) => sum + value, 0) / ids.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.1);
});
