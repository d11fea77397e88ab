import { cidrsOverlap, parseCidr } from "../addr/cidr.ts";
import { LinkedList } from "./linked.ts";
import type { Block, HeldAddress } from "./pool-block.ts";
import { PoolEni } from "./pool-eni.ts";
import type { Pool } from "./types.ts";

/** Every broken invariant of a pool (numbered as in `pool.ts`) as a sentence; none when all is well. */
export function checkPool(pool: Pool, now: number): string[] {
  const stats = pool.stats(now);
  const faults: string[] = [];
  const holders = new Map<string, string>();
  const blocks: Block[] = [];
  let coolingInEnis = 0;
  for (const eni of pool.enis()) {
    if (!(eni instanceof PoolEni)) continue;
    faults.push(...checkEni(eni));
    blocks.push(...eni.blocks.values());
    coolingInEnis += eni.cooling;
    for (const { address, key } of eni.cidrs().flatMap((block) => block.addresses())) {
      if (key === undefined) continue;
      const text = `${key.networkName} ${key.containerId} ${key.ifName}`;
      const other = holders.get(text);
      if (other !== undefined) faults.push(`1: the key ${text} holds ${other} and ${address}`);
      holders.set(text, address);
      if (pool.lookup(key)?.address !== address)
        faults.push(`1: the key ${text} does not lead to ${address}`);
    }
  }
  if (pool.assignments().length !== holders.size) {
    faults.push(`5: ${pool.assignments().length} keys, but ${holders.size} addresses with a key`);
  }
  const cooling = pool.coolingAddresses(now);
  if (cooling.length !== coolingInEnis) {
    faults.push(`5: ${cooling.length} addresses in the cooling list, but ${coolingInEnis} counted`);
  }
  for (const [index, { address, releasedAt }] of cooling.entries()) {
    if (now - releasedAt > pool.cooldownMs) faults.push(`2: ${address} cools longer than it should`);
    const before = cooling[index - 1];
    if (before !== undefined && before.releasedAt > releasedAt) faults.push(`7: ${address} is out of order`);
  }
  for (const [index, block] of blocks.entries()) {
    for (const other of blocks.slice(index + 1)) {
      if (!cidrsOverlap(parseCidr(block.cidr), parseCidr(other.cidr))) continue;
      faults.push(`4: ${block.cidr} of ${block.eni.id} overlaps ${other.cidr} of ${other.eni.id}`);
    }
  }
  if (stats.free !== stats.total - stats.assigned || stats.assignable !== stats.free - stats.cooling) {
    faults.push(`5: statistics that do not add up: ${JSON.stringify(stats)}`);
  }
  return faults;
}

function checkEni(eni: PoolEni): string[] {
  const faults: string[] = [];
  for (const [kind, group] of Object.entries(eni.groups)) {
    const blocks = [...eni.blocks.values()].filter((block) => block.kind === kind);
    const counted = {
      total: sum(blocks, (block) => block.size),
      assigned: sum(blocks, (block) => block.assigned),
      cooling: sum(blocks, (block) => block.cooling),
      blocks: blocks.length,
      empty: blocks.filter((block) => block.assigned === 0).length,
    };
    for (const [name, value] of Object.entries(counted)) {
      const kept = group[name as keyof typeof counted];
      if (kept !== value) faults.push(`5: ${eni.id} ${kind}: ${name} is ${value}, but ${kept} is kept`);
    }
  }
  for (const block of eni.blocks.values()) faults.push(...checkBlock(eni, block));
  return faults;
}

function checkBlock(eni: PoolEni, block: Block): string[] {
  const faults: string[] = [];
  if (block.eni !== eni) faults.push(`4: ${block.cidr} of ${eni.id} says that it is on ${block.eni.id}`);
  const held = [...block.held.values()];
  const count = (state: HeldAddress["state"]): number => held.filter((each) => each.state === state).length;
  if (count("assigned") !== block.assigned || count("cooling") !== block.cooling) {
    faults.push(`5: ${block.cidr} counts ${block.assigned} assigned and ${block.cooling} cooling addresses`);
  }
  for (const address of held) {
    const isHeld = address.state === "assigned";
    if (isHeld !== (address.key !== undefined))
      faults.push(`2: ${address.address} is ${address.state}, key or not`);
    const right =
      address.state === "ready"
        ? address.list === block.ready
        : isHeld
          ? address.list === undefined
          : address.list instanceof LinkedList && address.list !== block.ready;
    if (!right) faults.push(`3: ${address.address} is ${address.state} and in the wrong list`);
  }
  const { preferred, others } = block.group;
  const isPreferred = block.prefix ? block.assigned > 0 : held.length === 0;
  const wanted = block.assignable === 0 ? undefined : isPreferred ? preferred : others;
  if (block.list !== wanted) faults.push(`6: ${block.cidr} is in the wrong list of ${eni.id}`);
  return faults;
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
