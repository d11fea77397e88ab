import { addressesPerPrefix, type CardTargets, type Settings } from "./settings.ts";
import type { RuleName } from "./types.ts";

/** What a card holds, with waiting pods counted as if they had their address already. */
export interface Counts {
  /** Addresses of the right mode on ENIs that serve pods; cooling ones and those on order too. */
  readonly total: number;
  /** Assigned addresses and waiting pods. */
  readonly needed: number;
  /** Pods beyond what can be handed out now or is on order: cooling addresses do not help them. */
  readonly urgent: number;
  readonly prefixes: number;
  /** Prefixes that will be without a pod; below zero when waiting pods need more than there are. */
  readonly emptyPrefixes: number;
}

/** How many slots (addresses, or prefixes in prefix mode) a card lacks, and which rule says so. */
export interface Shortage {
  readonly slots: number;
  readonly rule: RuleName;
}

type Mode = Pick<Settings, "mode" | "slotsPerEni">;

/** Slots that are missing for the targets and the waiting pods; undefined when there are enough. */
export function shortage(counts: Counts, targets: CardTargets, settings: Mode): Shortage | undefined {
  const perSlot = settings.mode === "prefix" ? addressesPerPrefix : 1;
  if (targets.byAddress) {
    const forWarm = targets.warmIp - (counts.total - counts.needed);
    const forMinimum = targets.minimumIp - counts.total;
    const addresses = Math.max(forWarm, forMinimum, counts.urgent);
    if (addresses <= 0) return undefined;
    const slots = Math.ceil(addresses / perSlot);
    if (addresses === counts.urgent || counts.needed > counts.total) return { slots, rule: "demand" };
    return { slots, rule: addresses === forWarm ? "warm-ip-target" : "minimum-ip-target" };
  }
  if (!isTooLow(counts, targets, settings) && counts.urgent <= 0) return undefined;
  const demand = counts.urgent > 0 || counts.needed > counts.total;
  if (settings.mode === "secondary-ip") {
    // Whole ENIs are counted, so an ENI that is grown is filled.
    return { slots: settings.slotsPerEni, rule: demand ? "demand" : "warm-eni-target" };
  }
  const slots = Math.max(1, targets.warmPrefix - counts.emptyPrefixes, Math.ceil(counts.urgent / perSlot));
  return { slots, rule: demand ? "demand" : "warm-prefix-target" };
}

/** Less free than the ENI or prefix target wants; with a target of 0, nothing free at all. */
function isTooLow(counts: Counts, targets: CardTargets, settings: Mode): boolean {
  return counts.total - counts.needed < warmFloor(targets, settings);
}

/** Free addresses below which a card is too low. */
export function warmFloor(targets: CardTargets, settings: Mode): number {
  if (targets.byAddress) return targets.warmIp;
  const floor =
    settings.mode === "prefix"
      ? targets.warmPrefix * addressesPerPrefix
      : targets.warmEni * settings.slotsPerEni;
  return Math.max(floor, 1);
}

/**
 * Slots that a card holds beyond its targets: addresses, or prefixes without a pod in prefix mode. Single
 * addresses are only ever counted by address targets; with an ENI target whole ENIs go (`release.ts`).
 */
export function surplus(counts: Counts, targets: CardTargets, settings: Mode): number {
  const free = counts.total - counts.needed;
  if (settings.mode === "prefix") {
    if (!targets.byAddress) {
      const keepsFloor = Math.floor((free - warmFloor(targets, settings)) / addressesPerPrefix);
      return Math.max(Math.min(counts.emptyPrefixes - targets.warmPrefix, keepsFloor), 0);
    }
    const wanted = Math.max(counts.needed + targets.warmIp, targets.minimumIp);
    const spare = counts.prefixes - Math.ceil(wanted / addressesPerPrefix);
    return Math.max(Math.min(counts.emptyPrefixes, spare), 0);
  }
  if (!targets.byAddress) return 0;
  return Math.max(Math.min(free - targets.warmIp, counts.total - targets.minimumIp), 0);
}
