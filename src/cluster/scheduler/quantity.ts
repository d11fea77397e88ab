import { EniverseError } from "../../base/error.ts";

const suffixes: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** "100m" → 0.1, "128Mi" → 134217728, "2" → 2. Throws `invalid_argument` for anything else. */
export function parseQuantity(quantity: string | number): number {
  if (typeof quantity === "number") return quantity;
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([a-zA-Z]*)$/.exec(quantity);
  const factor = suffixes[match?.[2] ?? "?"];
  if (match === null || factor === undefined) {
    throw new EniverseError("invalid_argument", {
      attempted: "read a resource quantity",
      found: quantity,
      wanted: 'a number with one of the suffixes m, k, M, G, T, Ki, Mi, Gi, Ti, as in "250m" or "128Mi"',
    });
  }
  return Number(match[1]) * factor;
}
