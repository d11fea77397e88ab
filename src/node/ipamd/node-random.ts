import { type Random, seededRandom } from "../../base/random.ts";

/** Random numbers that are others on every node, and the same on one node. */
export function nodeRandom(instanceId: string): Random {
  // FNV-1a: ids that differ in one digit give seeds that have nothing in common.
  let seed = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(instanceId)) seed = Math.imul(seed ^ byte, 0x01000193);
  return seededRandom(seed);
}
