import { explainReason } from "../../ipam/explain.ts";
import type { Action, Reason } from "../../ipam/types.ts";
import type { DecisionEntry } from "../../node/ipamd/decision-log.ts";
import type { Link } from "./chain.ts";
import { ec2CodeIn } from "./explain-ec2.ts";
import type { NodeSeen } from "./observation.ts";
import { counted } from "./words.ts";

/** Rules by which ipamd may not grow at all, whatever pods wait. */
export const forbidding = new Set<string>(["cordoned", "provisioning-disabled", "terminating"]);

const isGrowth = (action: Action | undefined): boolean =>
  action?.kind === "assign" || action?.kind === "create-eni";

/** What was considered and not done, by the newest decision that noted such. */
export function latestNotes(decisions: readonly DecisionEntry[]): Reason[] {
  const last = decisions.findLastIndex(({ kind }) => kind === "not-done");
  if (last < 0) return [];
  const { time } = decisions[last] ?? { time: "" };
  // A growth that was begun afterwards proves that nothing forbids it any more.
  const grewSince = decisions.slice(last).some(({ action }) => isGrowth(action));
  return decisions
    .filter((entry) => entry.kind === "not-done" && entry.time === time)
    .map(({ reason }) => reason)
    .filter(({ rule }) => !(grewSince && forbidding.has(rule)));
}

const growthRules = new Set<string>([
  "max-eni",
  "max-pods",
  "cordoned",
  "provisioning-disabled",
  "insufficient-back-off",
  "create-back-off",
  "retry-back-off",
]);

export const growthNotes = (notes: readonly Reason[]): Reason[] =>
  notes.filter(({ rule }) => growthRules.has(rule));

export const growthActions = (decisions: readonly DecisionEntry[]): DecisionEntry[] =>
  decisions.filter(({ action }) => isGrowth(action));

export const isUnderWay = (growth: readonly DecisionEntry[]): boolean =>
  growth.some(({ outcome }) => outcome === undefined);

/**
 * The failure that growth ends at now: since the last success, the newest one that tells EC2's own code (what fails
 * after it may only be for want of a subnet to try), else the newest.
 */
export function lastFailure(growth: readonly DecisionEntry[]): DecisionEntry | undefined {
  const ended = growth.filter(({ outcome }) => outcome !== undefined);
  const since = ended.slice(ended.findLastIndex(({ outcome }) => outcome?.kind !== "failed") + 1);
  const tells = ({ outcome }: DecisionEntry): boolean =>
    outcome?.kind === "failed" && ec2CodeIn(outcome.error) !== undefined;
  return since.findLast(tells) ?? since.at(-1);
}

export function wantLink(node: NodeSeen, growth: readonly DecisionEntry[]): Link[] {
  const last = growth.at(-1);
  return last === undefined ? [] : [decisionLink(node, last)];
}

/** What ipamd decided, in the words of its own reason and with the settings that took part. */
export function decisionLink(node: NodeSeen, { kind, time, action, reason }: DecisionEntry): Link {
  return {
    what:
      kind === "action" ? `ipamd decided to ${describeAction(action)}` : "ipamd decided to change nothing",
    evidence: `ipamd /v1/decisions, ${time}`,
    ...ruleOf(node, reason),
  };
}

/** A reason as the rule of a link, its settings with their values. */
export function ruleOf({ env }: Pick<NodeSeen, "env">, reason: Reason): Pick<Link, "rule" | "setting"> {
  const rule = explainReason({ ...reason, settings: [] });
  const { settings } = reason;
  if (settings.length === 0) return { rule };
  const values = settings.map((name) =>
    env[name] === undefined ? `${name} not set` : `${name}=${env[name]}`,
  );
  return { rule, setting: values.join(", ") };
}

const blockOf = {
  addresses: "address",
  "ipv4-prefixes": "IPv4 prefix",
  "ipv6-prefixes": "IPv6 prefix",
  "ipv6-addresses": "IPv6 address",
} as const;

export function describeAction(action: Action | undefined): string {
  switch (action?.kind) {
    case "assign":
      return `get ${counted(action.count, blockOf[action.what])} for ${action.eniId} in ${action.subnetId}`;
    case "create-eni":
      return `create an ENI with ${counted(action.count, blockOf[action.what])}`;
    case "unassign":
      return `give ${counted(action.addresses.length, "address")} and ${counted(action.prefixes.length, "prefix")} of ${action.eniId} back`;
    case "free-eni":
      return `free ${action.eniId}`;
    default:
      return "ask for a trunk ENI";
  }
}

export function noteLink(node: NodeSeen, note: Reason): Link {
  return {
    what: note.rule === "enough" ? "ipamd saw no need to fetch more" : "ipamd decided to fetch no more",
    evidence: `ipamd /v1/decisions, not-done: ${note.rule}`,
    ...ruleOf(node, note),
  };
}
