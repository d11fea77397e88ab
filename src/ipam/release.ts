import type { CardView } from "./card-view.ts";
import { isHeldBack, type Plan, refusalToChangeEnis } from "./growth.ts";
import { addressesPerPrefix } from "./settings.ts";
import { type Counts, surplus, warmFloor } from "./targets.ts";
import type { Action, CidrView, EniView, NodeState, Reason } from "./types.ts";

/** At least so long, in milliseconds, lies between two releases of surplus addresses. */
export const decreaseSpacingMs = 30_000;

/** An ENI is kept at least so long after it was added. */
export const minimumEniAgeMs = 60_000;

/**
 * What a card can give back: blocks that no pod may use any more (the other mode's, those in excluded subnets),
 * then whole ENIs, then single addresses or prefixes beyond the targets. Blocks with cooling addresses are kept
 * until these have cooled: given back, they could be another node's at once.
 */
export function planRelease(view: CardView, node: NodeState, isShort: boolean, now: number): Plan {
  const plan: Plan = { actions: [], notes: [], wakeAt: [], isShort, unserved: 0 };
  if (!view.settings.provisioning || node.terminating) return plan;
  // What is on order may be surplus once it is there, and what is counted now may be missing.
  const isSettled = !isShort && view.slotsOnOrder === 0;
  const { kept, freed } = freeEnis(view, node, isSettled, plan, now);
  for (const eni of view.enis) if (!freed.has(eni)) releaseUseless(view, eni, plan, now);
  if (isSettled) releaseSurplus(view, node, kept, plan, now);
  // What has cooled may be given back, and so may what it makes superfluous.
  const nextReadyAt = view.state.pool.nextReadyAt(now);
  if (nextReadyAt !== undefined) plan.wakeAt.push(nextReadyAt);
  return plan;
}

function releaseUseless(view: CardView, eni: EniView, plan: Plan, now: number): void {
  const { single, prefix4 } = eni.groups;
  const serves = view.serves(eni);
  const groups = serves ? [view.settings.mode === "prefix" ? single : prefix4] : [single, prefix4];
  if (groups.every(({ empty }) => empty === 0)) return;
  const useless = eni
    .cidrs()
    .filter((block) => block.assigned === 0 && isIpv4(block) && !isUseful(view, eni, block));
  if (useless.some(({ cooling }) => cooling > 0)) waitForCooling(view, plan, now);
  const cold = useless.filter(isUnused);
  const reason = serves
    ? view.reason("wrong-mode", ["ENABLE_PREFIX_DELEGATION"], { eni: eni.id, blocks: cold.length })
    : uselessEni(view, eni);
  plan.actions.push(...unassign(view, eni, cold, reason, plan));
}

function isUseful(view: CardView, eni: EniView, block: CidrView): boolean {
  return view.serves(eni) && block.prefix === (view.settings.mode !== "secondary-ip");
}

function uselessEni(view: CardView, eni: EniView): Reason {
  const setting = eni.excluded ? "ENABLE_SUBNET_DISCOVERY" : "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG";
  return view.reason("excluded-subnet", [setting], { eni: eni.id, subnet: eni.subnetId });
}

interface Freeing {
  /** What is counted on from here on. */
  readonly kept: readonly EniView[];
  readonly freed: ReadonlySet<EniView>;
}

/** Plans the freeing of ENIs that are not needed: useless ones always, others only when the card is settled. */
function freeEnis(view: CardView, node: NodeState, isSettled: boolean, plan: Plan, now: number): Freeing {
  let kept = view.enis;
  const freed = new Set<EniView>();
  const refusal = refusalToChangeEnis(view, node);
  for (const eni of view.enis.toReversed()) {
    if (eni.primary || eni.trunk || eni.efa || eni.assigned > 0) continue;
    const others = kept.filter((other) => other !== eni);
    const serves = view.serves(eni);
    if (serves && !(isSettled && isExtra(view, eni, kept, others))) continue;
    if (refusal !== undefined) {
      plan.notes.push(refusal);
      break;
    }
    // It stays out of the count: its addresses go with it, not one by one before.
    kept = others;
    freed.add(eni);
    const readyAt = view.state.pool.nextReadyAt(now);
    const oldEnoughAt = eni.addedAt + minimumEniAgeMs;
    const action: Action = { kind: "free-eni", card: view.card, eniId: eni.id };
    if (eni.cooling > 0 && readyAt !== undefined) {
      waitForCooling(view, plan, now);
    } else if (now < oldEnoughAt) {
      plan.notes.push(view.reason("eni-too-young", [], { eni: eni.id, until: oldEnoughAt }));
      plan.wakeAt.push(oldEnoughAt);
    } else if (!isHeldBack(view, action, plan)) {
      const values = { eni: eni.id, freeOnOthers: warmOf(view, others).assignable };
      const reason = serves ? view.reason("extra-eni", settingsOf(view), values) : uselessEni(view, eni);
      plan.actions.push({ action, reason });
    }
  }
  return { kept, freed };
}

/** True when the ENI is not needed, looking at what the others hold. */
function isExtra(
  view: CardView,
  eni: EniView,
  kept: readonly EniView[],
  others: readonly EniView[],
): boolean {
  const { targets, settings } = view;
  const rest = warmOf(view, others);
  const own = warmOf(view, [eni]);
  const floor = warmFloor(targets, settings);
  if (settings.mode === "prefix" && !targets.byAddress) {
    // An ENI without prefixes gives nothing away; otherwise the others must be warm enough by themselves.
    const isWarm = rest.emptyPrefixes >= targets.warmPrefix && rest.assignable - view.waiting >= floor;
    return isWarm || (own.total === 0 && rest.emptyPrefixes >= targets.warmPrefix);
  }
  if (!targets.byAddress) {
    const free = warmOf(view, kept).assignable - view.waiting;
    const isSpare = free >= (targets.warmEni + 1) * settings.slotsPerEni;
    return isSpare && rest.assignable - view.waiting >= floor;
  }
  const whole = (addresses: number): number =>
    settings.mode === "prefix" ? Math.ceil(addresses / addressesPerPrefix) * addressesPerPrefix : addresses;
  const isWarm = rest.assignable - view.waiting >= whole(targets.warmIp);
  return isWarm && rest.total >= whole(targets.minimumIp);
}

interface Warmth {
  readonly total: number;
  readonly assigned: number;
  readonly assignable: number;
  readonly prefixes: number;
  readonly emptyPrefixes: number;
}

/** What some ENIs hold for pods. */
function warmOf(view: CardView, enis: readonly EniView[]): Warmth {
  let [total, assigned, cooling, prefixes, emptyPrefixes] = [0, 0, 0, 0, 0];
  for (const eni of enis) {
    if (!view.serves(eni)) continue;
    const isPrefix = view.settings.mode === "prefix";
    const group = isPrefix ? eni.groups.prefix4 : eni.groups.single;
    total += group.total;
    assigned += group.assigned;
    cooling += group.cooling;
    if (!isPrefix) continue;
    prefixes += group.blocks;
    emptyPrefixes += group.empty;
  }
  return { total, assigned, assignable: total - assigned - cooling, prefixes, emptyPrefixes };
}

function releaseSurplus(
  view: CardView,
  node: NodeState,
  kept: readonly EniView[],
  plan: Plan,
  now: number,
): void {
  const held = warmOf(view, kept);
  const counts: Counts = {
    total: held.total,
    needed: held.assigned + view.waiting,
    urgent: 0,
    prefixes: held.prefixes,
    emptyPrefixes: held.emptyPrefixes,
  };
  const wanted = surplus(counts, view.targets, view.settings);
  if (wanted === 0) return;
  // Cooling addresses are counted as held, but they do not keep the pool warm.
  const spare = held.assignable - view.waiting - warmFloor(view.targets, view.settings);
  const slots = Math.min(wanted, Math.max(Math.floor(spare / view.addressesPerSlot), 0));
  const victims = chooseVictims(view, kept, slots);
  if (victims.length < wanted) waitForCooling(view, plan, now);
  if (victims.length === 0) return;
  const nextAt = (node.lastDecreaseAt ?? Number.NEGATIVE_INFINITY) + decreaseSpacingMs + 1;
  if (now < nextAt) {
    plan.notes.push(view.reason("decrease-spacing", [], { surplus: wanted, until: nextAt }));
    plan.wakeAt.push(nextAt);
    return;
  }
  const reason = view.reason("above-target", settingsOf(view), {
    surplus: wanted,
    total: counts.total,
    assigned: held.assigned,
    waiting: view.waiting,
  });
  for (const eni of kept) {
    const blocks = victims.filter((victim) => victim.eni === eni).map(({ block }) => block);
    plan.actions.push(...unassign(view, eni, blocks, reason, plan));
  }
}

/** Unused blocks, from the ENIs with the fewest pods and blocks first and the primary last: so ENIs become free. */
function chooseVictims(
  view: CardView,
  kept: readonly EniView[],
  slots: number,
): { readonly eni: EniView; readonly block: CidrView }[] {
  const emptiestFirst = kept
    .toReversed()
    .sort(
      (a, b) => Number(a.primary) - Number(b.primary) || a.assigned - b.assigned || a.cidrCount - b.cidrCount,
    );
  return emptiestFirst
    .flatMap((eni) =>
      eni
        .cidrs()
        .filter((block) => isIpv4(block) && isUnused(block) && isUseful(view, eni, block))
        .toReversed()
        .map((block) => ({ eni, block })),
    )
    .slice(0, slots);
}

function unassign(
  view: CardView,
  eni: EniView,
  blocks: readonly CidrView[],
  reason: Reason,
  plan: Plan,
): Plan["actions"] {
  if (blocks.length === 0) return [];
  const named = (prefix: boolean): string[] =>
    blocks.filter((block) => block.prefix === prefix).map(({ cidr }) => cidr);
  const action: Action = {
    kind: "unassign",
    card: view.card,
    eniId: eni.id,
    addresses: named(false),
    prefixes: named(true),
  };
  return isHeldBack(view, action, plan) ? [] : [{ action, reason }];
}

function waitForCooling(view: CardView, plan: Plan, now: number): void {
  const readyAt = view.state.pool.nextReadyAt(now);
  if (readyAt === undefined) return;
  plan.wakeAt.push(readyAt);
  if (plan.notes.some(({ rule }) => rule === "cooling")) return;
  plan.notes.push(
    view.reason("cooling", ["IP_COOLDOWN_PERIOD"], { cooling: view.stats.cooling, nextReadyAt: readyAt }),
  );
}

function settingsOf({ targets, settings }: CardView): string[] {
  if (targets.byAddress) return ["WARM_IP_TARGET", "MINIMUM_IP_TARGET"];
  return settings.mode === "prefix" ? ["WARM_PREFIX_TARGET"] : ["WARM_ENI_TARGET"];
}

function isUnused(block: CidrView): boolean {
  return block.assigned === 0 && block.cooling === 0;
}

function isIpv4(block: CidrView): boolean {
  return !block.cidr.includes(":");
}
