import { expect, test } from "bun:test";
import { measureApiServer } from "./measure.ts";

test("every figure is measured", async () => {
  const { pods, ...figures } = await measureApiServer({ pods: 5, rounds: 5 });
  expect(pods).toBe(5);
  for (const [name, { p50, p99 }] of Object.entries(figures)) {
    expect([name, p50 > 0, p99 >= p50]).toEqual([name, true, true]);
  }
});
