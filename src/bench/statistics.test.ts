import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { EniverseError } from "../base/error.ts";
import { quantile, summarise } from "./statistics.ts";

describe("quantiles", () => {
  test("are values of the list, by nearest rank", () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(summarise(hundred)).toEqual({ count: 100, p50: 50, p99: 99, min: 1, max: 100 });
    expect(quantile([3], 0.99)).toBe(3);
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2);
  });

  test("leave the asked share of the list at or below them, and no smaller value does", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer(), { minLength: 1 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (values, share) => {
          const found = quantile(values, share);
          const below = (limit: number): number => values.filter((value) => value <= limit).length;
          expect(below(found)).toBeGreaterThanOrEqual(Math.ceil(values.length * share));
          expect(below(found - 1)).toBeLessThan(Math.ceil(values.length * share));
        },
      ),
    );
  });

  test("of nothing are refused", () => {
    expect(() => summarise([])).toThrow(EniverseError);
  });
});
