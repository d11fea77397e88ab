import type { CardView } from "./card-view.ts";
import { isHeldBack, refusalToChangeEnis } from "./growth.ts";
import type { Action, NodeState, PlannedAction, Reason } from "./types.ts";

/**
 * IPv6 knows no warm pool: every ENI that serves pods holds one /80, which no node can use up. An ENI is only
 * created for a card that has none to serve its pods: an extra card, or card 0 when its subnets are excluded.
 */
export function planIpv6(
  view: CardView,
  node: NodeState,
): { actions: PlannedAction[]; notes: Reason[]; wakeAt: number[] } {
  const plan = { actions: [] as PlannedAction[], notes: [] as Reason[], wakeAt: [] as number[] };
  if (!view.settings.provisioning) {
    plan.notes.push(view.reason("provisioning-disabled", ["DISABLE_NETWORK_RESOURCE_PROVISIONING"]));
    return plan;
  }
  const serving = view.enis.filter((eni) => view.mayGrow(eni));
  for (const eni of serving) {
    if (eni.cidrs().some(({ cidr }) => cidr.includes(":")) || view.isBeingAssigned(eni.id)) continue;
    const action: Action = {
      kind: "assign",
      card: view.card,
      eniId: eni.id,
      subnetId: eni.subnetId,
      what: "ipv6-prefixes",
      count: 1,
    };
    if (isHeldBack(view, action, plan)) continue;
    plan.actions.push({ action, reason: view.reason("ipv6-prefix", ["ENABLE_IPv6"], { eni: eni.id }) });
  }
  if (serving.length > 0 || view.isUnderWay("create-eni")) return plan;
  const refusal = refusalToChangeEnis(view, node);
  if (refusal !== undefined) {
    plan.notes.push(refusal);
    return plan;
  }
  if (view.roomForEnis <= 0) {
    plan.notes.push(
      view.reason("max-eni", ["MAX_ENI"], { enis: view.enis.length, allowed: view.enisAllowed }),
    );
    return plan;
  }
  const action: Action = {
    kind: "create-eni",
    card: view.card,
    what: "ipv6-addresses",
    count: 1,
    avoidSubnets: view.subnetsWithoutRoom(1, 0, () => false),
  };
  if (!isHeldBack(view, action, plan)) {
    plan.actions.push({ action, reason: view.reason("ipv6-card", ["ENABLE_IPv6", "ENABLE_MULTI_NIC"]) });
  }
  return plan;
}
