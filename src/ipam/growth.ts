import type { CardView } from "./card-view.ts";
import { Need } from "./need.ts";
import { type Counts, type Shortage, shortage } from "./targets.ts";
import type { Action, AssignAction, EniView, NodeState, PlannedAction, Reason } from "./types.ts";

/** What one part of the planning adds to a decision. */
export interface Plan {
  readonly actions: PlannedAction[];
  readonly notes: Reason[];
  /** Times at which the answer may change by itself. */
  readonly wakeAt: number[];
  /** True when the card lacks addresses, whether or not something can be done about it. */
  readonly isShort: boolean;
  /** Waiting pods that nothing planned or on order will serve. */
  readonly unserved: number;
}

/**
 * All that the card needs for its targets and its waiting pods, in one go: the free slots of the ENIs that are
 * there, in the pool's order, then as many new ENIs as it takes.
 */
export function planGrowth(view: CardView, node: NodeState): Plan {
  const first = shortage(view.counts(0), view.targets, view.settings);
  const plan: Plan & { isShort: boolean; unserved: number } = {
    actions: [],
    notes: [],
    wakeAt: [],
    isShort: first !== undefined,
    unserved: 0,
  };
  if (first === undefined) {
    plan.notes.push(enough(view));
    return plan;
  }
  const refusal = refusalToGrow(view, node);
  if (refusal === undefined) plan.unserved = fillPlaces(view, node, plan);
  else plan.notes.push(refusal);
  if (refusal !== undefined) plan.unserved = Math.max(view.counts(0).urgent, 0);
  return plan;
}

/** Plans for every place that there is or can be; answers with the number of pods that stay without. */
function fillPlaces(view: CardView, node: NodeState, plan: Plan): number {
  const need = new Need(view, node, plan.notes);
  const asked = growEnis(view, need, plan);
  // An ENI that is being created has free slots sooner than another one could come: it is grown when it is there.
  need.fill(view.slotsComing);
  createEnis(view, need, plan, (subnetId) => asked.has(subnetId) || view.isAsking(subnetId));
  return Math.max(need.counts.urgent, 0);
}

/** Fills the free slots of the ENIs that are there; answers with the subnets that are asked for it. */
function growEnis(view: CardView, need: Need, plan: Plan): ReadonlySet<string> {
  const asked = new Set<string>();
  for (const eni of view.enis) {
    const why = need.missing;
    if (why === undefined) break;
    const action = growthOf(view, eni, plan);
    if (action === undefined) continue;
    const { subnetId } = eni;
    const ask = view.askOfSubnet(subnetId, need.urgentSlots);
    if (ask.careful && (asked.has(subnetId) || view.isAsking(subnetId))) continue;
    asked.add(subnetId);
    const reason = growthReason(view, why, need.counts);
    const count = need.fill(Math.min(view.slotsFreeOn(eni), ask.most));
    plan.actions.push({ action: { ...action, count }, reason });
  }
  return asked;
}

/** Plans new ENIs until nothing is missing or none may come; a subnet that `isBusy` is not asked twice when short. */
function createEnis(view: CardView, need: Need, plan: Plan, isBusy: (subnetId: string) => boolean): void {
  for (let room = view.roomForEnis; need.missing !== undefined; room--) {
    if (room <= 0) {
      const values = { enis: view.enis.length, allowed: view.enisAllowed };
      plan.notes.push(view.reason("max-eni", ["MAX_ENI"], values));
      return;
    }
    const what = view.settings.mode === "prefix" ? "ipv4-prefixes" : "addresses";
    const action: Action = { kind: "create-eni", card: view.card, what, count: 0, avoidSubnets: [] };
    if (isHeldBack(view, action, plan) || view.settings.slotsPerEni === 0) return;
    const urgent = need.urgentSlots;
    const ask = view.askOfNewEni(urgent, isBusy);
    if (ask.most === 0) return;
    const reason = growthReason(view, need.missing, need.counts);
    const count = need.fill(Math.min(view.settings.slotsPerEni, ask.most));
    const avoidSubnets = view.subnetsWithoutRoom(count, urgent, isBusy);
    plan.actions.push({ action: { ...action, count, avoidSubnets }, reason });
    // The next ENI waits for this one's answer.
    if (ask.careful) return;
  }
}

/** Why nothing may be grown on this node at all. */
function refusalToGrow(view: CardView, node: NodeState): Reason | undefined {
  if (!view.settings.provisioning) {
    return view.reason("provisioning-disabled", [
      "DISABLE_NETWORK_RESOURCE_PROVISIONING",
      "ENABLE_IMDS_ONLY_MODE",
    ]);
  }
  return refusalToChangeEnis(view, node);
}

/** Why ENIs may be neither created nor freed now. */
export function refusalToChangeEnis(view: CardView, node: NodeState): Reason | undefined {
  if (node.terminating) return view.reason("terminating", []);
  if (node.cordoned && !view.settings.manageNonSchedulable) {
    return view.reason("cordoned", ["AWS_MANAGE_ENIS_NON_SCHEDULABLE"]);
  }
  return undefined;
}

/** The growth of an ENI that may be grown, its count still open. */
function growthOf(view: CardView, eni: EniView, plan: Plan): AssignAction | undefined {
  if (!view.mayGrow(eni) || view.slotsFreeOn(eni) === 0) return undefined;
  const blockedUntil = view.subnetBlockedUntil(eni.subnetId);
  if (blockedUntil !== undefined) {
    const values = { eni: eni.id, subnet: eni.subnetId, until: blockedUntil };
    plan.notes.push(view.reason("insufficient-back-off", [], values));
    plan.wakeAt.push(blockedUntil);
    return undefined;
  }
  const what = view.settings.mode === "prefix" ? "ipv4-prefixes" : "addresses";
  const { id: eniId, subnetId } = eni;
  const action: AssignAction = { kind: "assign", card: view.card, eniId, subnetId, what, count: 0 };
  return isHeldBack(view, action, plan) ? undefined : action;
}

/** Notes why an action must wait, when it must. */
export function isHeldBack(view: CardView, action: Action, plan: Pick<Plan, "notes" | "wakeAt">): boolean {
  const createUntil = action.kind === "create-eni" ? view.createBlockedUntil : undefined;
  const retryUntil = view.retryBlockedUntil(action);
  const until = createUntil ?? retryUntil;
  if (until === undefined) return false;
  const rule = createUntil === undefined ? "retry-back-off" : "create-back-off";
  plan.notes.push(view.reason(rule, [], { action: action.kind, until }));
  plan.wakeAt.push(until);
  return true;
}

function growthReason(view: CardView, why: Shortage, counts: Counts): Reason {
  const values = {
    slots: why.slots,
    total: counts.total,
    assigned: view.stats.assigned,
    waiting: view.waiting,
    cooling: view.stats.cooling,
  };
  switch (why.rule) {
    case "warm-ip-target":
      return view.reason(why.rule, ["WARM_IP_TARGET"], { ...values, target: view.targets.warmIp });
    case "minimum-ip-target":
      return view.reason(why.rule, ["MINIMUM_IP_TARGET"], { ...values, target: view.targets.minimumIp });
    case "warm-eni-target":
      return view.reason(why.rule, ["WARM_ENI_TARGET"], { ...values, target: view.targets.warmEni });
    case "warm-prefix-target":
      return view.reason(why.rule, ["WARM_PREFIX_TARGET"], { ...values, target: view.targets.warmPrefix });
    default:
      return view.reason(why.rule, [], values);
  }
}

function enough(view: CardView): Reason {
  const { total, assigned, cooling } = view.stats;
  const onOrder = view.slotsOnOrder * view.addressesPerSlot;
  return view.reason("enough", [], { total, assigned, cooling, onOrder, waiting: view.waiting });
}
