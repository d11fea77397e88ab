import type { DecisionEntry } from "../../node/ipamd/decision-log.ts";
import type { ChainEnd, Link } from "./chain.ts";
import {
  describeAction,
  forbidding,
  growthActions,
  growthNotes,
  isUnderWay,
  lastFailure,
  latestNotes,
  noteLink,
  ruleOf,
  wantLink,
} from "./decisions.ts";
import { ec2End } from "./explain-ec2.ts";
import { refusalEnd } from "./explain-refusal.ts";
import type { Answering, NodeSeen, Observation } from "./observation.ts";
import { poolCounts } from "./pool-counts.ts";
import { describe, type Missing, mayNotProvision, staleEnd, unknownToPool } from "./stale-metadata.ts";
import { counted, shortName } from "./words.ts";

/** Until when a released address is not handed out again, unless IP_COOLDOWN_PERIOD says otherwise: seconds. */
const defaultCooldown = "30";

/** What the pool holds, as the link that every chain about a node has. */
export function poolLink(node: NodeSeen, ipamd: Answering): Link {
  const { total, assigned, cooling, assignable, prefixes, mode } = poolCounts(ipamd);
  const blocks = mode === "prefix" ? ` in ${counted(prefixes, "prefix")}` : "";
  const held =
    mode === "ipv6"
      ? `${counted(prefixes, "IPv6 prefix")}: ${counted(assigned, "address")} given to pods, ${cooling} cooling down`
      : `${counted(total, "address")}${blocks}: ${assigned} given to pods, ${cooling} cooling down, ${assignable} ready`;
  return {
    what: `ipamd of ${shortName(node.name)} holds ${held}`,
    evidence: `ipamd /v1/pool on ${node.instanceId}`,
    rule: "a pod gets an address that is ready; one that was released waits for the end of its cool-down",
  };
}

/** Why a node whose ipamd answers has no address ready for `waiting` pods. */
export function explainPool(seen: Observation, node: NodeSeen, ipamd: Answering, waiting: number): ChainEnd {
  const counts = poolCounts(ipamd);
  const held = poolLink(node, ipamd);
  if (counts.assignable >= waiting) {
    return {
      cause: "in-progress",
      summary: `an address is ready on ${shortName(node.name)}: the kubelet's next try should get it`,
      links: [held],
      change: ["Wait: the kubelet tries again by itself"],
    };
  }
  const notes = latestNotes(ipamd.decisions);
  const growth = growthActions(ipamd.decisions);
  const notGrown = growthNotes(notes).map((note) => noteLink(node, note));
  if (counts.cooling > 0 && counts.assignable + counts.cooling >= waiting && !isUnderWay(growth)) {
    return cooldownEnd(seen, node, ipamd, counts.cooling, [held, ...notGrown]);
  }
  const stale = staleEnd(seen, node, growth, [held, ...notGrown]);
  if (stale !== undefined) return stale;
  const unknown = unknownToPool(seen.enis, node.instanceId, ipamd.pool);
  if (unknown.length > 0 && mayNotProvision(node)) return notTakenInEnd(node, unknown, [held]);
  // What forbids growth altogether holds now; a failure may be from before.
  const forbidden = notes.filter(({ rule }) => forbidding.has(rule));
  const failed = forbidden.length > 0 ? undefined : lastFailure(growth);
  if (failed !== undefined) return ec2End(seen, node, failed, [held, ...wantLink(node, growth)]);
  if (forbidden.length === 0 && isUnderWay(growth)) {
    return {
      cause: "in-progress",
      summary: `ipamd of ${shortName(node.name)} is fetching addresses from EC2 now`,
      links: [held, ...underWayLinks(seen, node, growth)],
      change: [
        "Wait: EC2 answers within a second as a rule, and a new ENI's device comes some seconds after that",
        "Keep more addresses ready, so that pods need not wait for EC2: WARM_IP_TARGET, MINIMUM_IP_TARGET or WARM_ENI_TARGET",
      ],
    };
  }
  for (const note of forbidden.length > 0 ? forbidden : notes) {
    const end = refusalEnd(seen, node, note, ipamd, counts);
    if (end !== undefined) return { ...end, links: [held, noteLink(node, note), ...(end.links ?? [])] };
  }
  return {
    cause: counts.cooling > 0 ? "cooldown" : "in-progress",
    summary: `no address is ready on ${shortName(node.name)}, and ipamd has decided nothing about it yet`,
    links: [held, ...notes.map((note) => noteLink(node, note))],
    change: ["Ask again in some seconds", "eniverse logs of aws-node on the node tell more"],
  };
}

function cooldownEnd(
  seen: Observation,
  node: NodeSeen,
  ipamd: Answering,
  cooling: number,
  links: readonly Link[],
): ChainEnd {
  const period = node.env.IP_COOLDOWN_PERIOD ?? defaultCooldown;
  const readyAt = ipamd.pool.addresses
    .flatMap((entry) => (entry.state === "cooling" && entry.readyAt !== undefined ? entry.readyAt : []))
    .sort()[0];
  const inSeconds =
    readyAt === undefined ? undefined : Math.max(0, Math.ceil((Date.parse(readyAt) - seen.takenAt) / 1000));
  return {
    cause: "cooldown",
    summary: `only cooling addresses are left on ${shortName(node.name)}: ${counted(cooling, "address")}${inSeconds === undefined ? "" : `, the first ready in ${inSeconds} s`}`,
    links: [
      ...links,
      {
        what: `of pods that ended, ${counted(cooling, "address")} ${cooling === 1 ? "is" : "are"} still cooling down${readyAt === undefined ? "" : `, the first until ${readyAt}`}`,
        evidence: `ipamd /v1/pool on ${node.instanceId}, readyAt`,
        rule: "a released address is not given to another pod for the cool-down, so that other nodes forget the old pod",
        setting: `IP_COOLDOWN_PERIOD=${period}`,
      },
    ],
    change: [
      inSeconds === undefined ? "Wait for the cool-down" : `Wait ${inSeconds} s: the address comes by itself`,
      `Lower IP_COOLDOWN_PERIOD (now ${period} s) on aws-node`,
      "Keep more addresses: WARM_IP_TARGET, MINIMUM_IP_TARGET, or prefix mode",
    ],
  };
}

/** An ipamd that may ask EC2 for nothing has what others gave the node; it takes that in at its next reconcile. */
function notTakenInEnd(node: NodeSeen, unknown: readonly Missing[], links: readonly Link[]): ChainEnd {
  return {
    cause: "in-progress",
    summary: `EC2 has ${describe(unknown)} for ${shortName(node.name)}: ipamd takes it in at its next reconcile`,
    links: [
      ...links,
      {
        what: `ipamd's pool does not have ${describe(unknown)} yet`,
        evidence: "EC2 DescribeNetworkInterfaces, the node's instance metadata and ipamd /v1/pool",
        rule: "ipamd compares its pool with what is attached every minute",
      },
    ],
    change: ["Wait: a minute at the most"],
  };
}

function underWayLinks({ takenAt }: Observation, node: NodeSeen, growth: readonly DecisionEntry[]): Link[] {
  return growth
    .filter(({ outcome }) => outcome === undefined)
    .map(({ action, time, reason }) => ({
      what: `ipamd decided to ${describeAction(action)}, which has been under way for ${Math.max(0, Math.round((takenAt - Date.parse(time)) / 1000))} s`,
      evidence: `ipamd /v1/decisions, ${time}, without an outcome`,
      ...ruleOf(node, reason),
    }));
}
