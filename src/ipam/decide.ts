import { CardView } from "./card-view.ts";
import { planGrowth } from "./growth.ts";
import { planIpv6 } from "./ipv6.ts";
import { planRelease } from "./release.ts";
import type { Settings } from "./settings.ts";
import type { Action, Decision, NodeState, PlannedAction, Reason } from "./types.ts";

/**
 * What is to be done for a node now. The answer depends on the arguments only: asked again with nothing changed
 * but the actions in flight, it does not order them again. All growth that targets and waiting pods call for is
 * planned at once; a card that is growing gives nothing back; what is released never makes the card too low, so
 * that a node at rest stays at rest.
 */
export function decide(node: NodeState, settings: Settings, now: number): Decision {
  const actions: PlannedAction[] = [];
  const notes: Reason[] = [];
  const wakeAt: number[] = [];
  let roaming = node.waiting.anyCard;
  for (const card of node.cards) {
    const view = new CardView(node, card, settings, node.waiting.everyCard + roaming, now);
    if (settings.mode === "ipv6") {
      const plan = planIpv6(view, node);
      actions.push(...plan.actions);
      notes.push(...plan.notes);
      wakeAt.push(...plan.wakeAt);
      continue;
    }
    const growth = planGrowth(view, node);
    for (const plan of [growth, planRelease(view, node, growth.isShort, now)]) {
      actions.push(...plan.actions);
      notes.push(...plan.notes);
      wakeAt.push(...plan.wakeAt);
    }
    actions.push(...requestTrunk(view, node));
    // Pods that one card cannot serve go on to the next.
    roaming = Math.min(roaming, growth.unserved);
  }
  return { actions, notes, wakeAt: wakeAt.length === 0 ? undefined : Math.min(...wakeAt) };
}

function requestTrunk(view: CardView, node: NodeState): PlannedAction[] {
  const { settings, enis } = view;
  if (!settings.podEni || view.card !== 0 || node.trunkRequested || enis.some(({ trunk }) => trunk))
    return [];
  const action: Action = { kind: "request-trunk", card: 0 };
  const hasRoom = enis.length < settings.maxEni - view.state.unmanagedEnis;
  if (!hasRoom || view.isUnderWay("request-trunk") || view.retryBlockedUntil(action) !== undefined) return [];
  return [{ action, reason: view.reason("trunk", ["ENABLE_POD_ENI"], { enis: enis.length }) }];
}
