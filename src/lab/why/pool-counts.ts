import type { Answering } from "./observation.ts";

export type PoolCounts = ReturnType<typeof poolCounts>;

/** What a node's pool has: the counts over its cards. */
export function poolCounts({ pool }: Answering) {
  const sum = (pick: (card: Answering["pool"]["cards"][number]) => number): number =>
    pool.cards.reduce((total, card) => total + pick(card), 0);
  return {
    total: sum(({ total }) => total),
    assigned: sum(({ assigned }) => assigned),
    cooling: sum(({ cooling }) => cooling),
    assignable: sum(({ assignable }) => assignable),
    prefixes: sum(({ prefixes }) => prefixes),
    mode: pool.cards[0]?.mode ?? "secondary-ip",
  };
}
