import type { Reason, RuleName } from "./types.ts";

type Values = Reason["values"];

const sentences: Readonly<Record<RuleName, (values: Values) => string>> = {
  demand: (v) =>
    `${v.waiting === 1 ? "1 pod waits" : `${v.waiting} pods wait`} for an address; ${v.total} are held or on order, ${v.assigned} of them assigned and ${v.cooling} cooling down`,
  "warm-ip-target": (v) =>
    `${v.target} free addresses are wanted; of ${v.total} held or on order ${v.assigned} are assigned`,
  "minimum-ip-target": (v) => `${v.target} addresses are wanted at least; ${v.total} are held or on order`,
  "warm-eni-target": (v) =>
    `the free addresses of ${v.target} whole ENIs are wanted; of ${v.total} held or on order ${v.assigned} are assigned`,
  "warm-prefix-target": (v) =>
    `${v.target} prefixes without a pod are wanted; of ${v.total} addresses held or on order ${v.assigned} are assigned`,
  enough: (v) => `${v.total} addresses are held and ${v.onOrder} on order, ${v.assigned} assigned: enough`,
  "max-pods": (v) => `${v.total} addresses are as many as the node may have pods (${v.maxPods})`,
  "max-eni": (v) => `the node has ${v.enis} ENIs on this card, and ${v.allowed} are allowed`,
  "insufficient-back-off": (v) =>
    `subnet ${v.subnet} had no room; ${v.eni} is not grown before ${time(v.until)}`,
  "create-back-off": (v) => `no subnet had room for a new ENI; none is tried before ${time(v.until)}`,
  "retry-back-off": (v) => `${v.action} failed and is not tried again before ${time(v.until)}`,
  cordoned: () => "the node is cordoned, so its ENIs are left as they are",
  terminating: () => "ipamd is shutting down and changes nothing any more",
  "provisioning-disabled": () => "the node must not assign or release anything in EC2",
  "above-target": (v) =>
    `${v.surplus} more than the targets want; ${v.total} addresses held, ${v.assigned} assigned`,
  "decrease-spacing": (v) =>
    `${v.surplus} too many; the last release was less than 30 s ago, the next is at ${time(v.until)}`,
  cooling: (v) => `${v.cooling} released addresses cool down, the first until ${time(v.nextReadyAt)}`,
  "eni-too-young": (v) =>
    `${v.eni} is not needed and may be freed at ${time(v.until)}, a minute after it came`,
  "wrong-mode": (v) => `${v.blocks} blocks on ${v.eni} are of the other address mode and have no pod`,
  "excluded-subnet": (v) => `${v.eni} in ${v.subnet} may not serve pods`,
  "extra-eni": (v) => `${v.eni} has no pod, and the other ENIs have ${v.freeOnOthers} addresses to hand out`,
  "ipv6-prefix": (v) => `${v.eni} has no IPv6 prefix yet`,
  "ipv6-card": () => "the card has no ENI that can serve pods",
  trunk: (v) => `a trunk ENI is wanted for pods with security groups; the node has ${v.enis} ENIs`,
};

/** A reason as a sentence, with the settings that took part. */
export function explainReason({ rule, card, settings, values }: Reason): string {
  const where = card === 0 ? "" : `card ${card}: `;
  const by = settings.length === 0 ? "" : ` (${settings.join(", ")})`;
  return `${where}${sentences[rule](values)}${by}`;
}

function time(value: Values[string] | undefined): string {
  return typeof value === "number" ? new Date(value).toISOString() : "an unknown time";
}
