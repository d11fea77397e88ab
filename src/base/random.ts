import { EniverseError } from "./error.ts";

/** Seeded pseudo-random numbers: the same seed gives the same sequence on every runtime. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** A whole number in [0, below). */
  int(below: number): number;
  /** One element; throws when there is none. */
  pick<T>(from: readonly T[]): T;
  /** A shuffled copy. */
  shuffle<T>(items: readonly T[]): T[];
  /** `digits` lower-case hexadecimal digits. */
  hex(digits: number): string;
}

/** The sfc32 generator (Chris Doty-Humphrey, PractRand), its state filled from `seed`. */
export function seededRandom(seed: number): Random {
  let a = 0x9e3779b9;
  let b = 0x243f6a88;
  let c = seed >>> 0;
  let counter = 1;
  const next32 = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  for (let round = 0; round < 15; round++) next32();

  const next = (): number => next32() / 0x1_0000_0000;
  const int = (below: number): number => Math.floor(next() * below);
  return {
    next,
    int,
    pick: <T>(from: readonly T[]): T => {
      const index = int(from.length);
      if (from.length === 0) {
        throw new EniverseError("invalid_argument", { attempted: "pick one of an empty list" });
      }
      return from[index] as T;
    },
    shuffle: <T>(items: readonly T[]): T[] => {
      const copy = [...items];
      for (let last = copy.length - 1; last > 0; last--) {
        const other = int(last + 1);
        [copy[last], copy[other]] = [copy[other] as T, copy[last] as T];
      }
      return copy;
    },
    hex: (digits) => Array.from({ length: digits }, () => int(16).toString(16)).join(""),
  };
}
