import { explainReason } from "../../ipam/explain.ts";
import type { Action, Reason } from "../../ipam/types.ts";
import type { DecisionEntry } from "../../node/ipamd/decision-log.ts";
import type { ChainEnd, Link } from "./chain.ts";
import { ec2CodeIn, ec2End } from "./explain-ec2.ts";
import type { IpamdSeen, NodeSeen, Observation } from "./observation.ts";

type Answering = Extract<IpamdSeen, { readonly answers: true }>;

/** Until when a released address is not handed out again, unless IP_COOLDOWN_PERIOD says otherwise: seconds. */
const defaultCooldown = "30";

/** What a node's pool has: the counts over its cards. */
export function poolCounts({ pool }: Answering) {
  const sum = (pick: (card: Answering["pool"]["cards"][number]) => number): number =>
    pool.cards.reduce((total, card) => total + pick(card), 0);
  return {
    total: sum(({ total }) => total),
    assigned: sum(({ assigned }) => assigned),
    cooling: sum(({ cooling }) => cooling),
    assignable: sum(({ assignable }) => assignable),
    prefixes: sum(({ prefixes }) => prefixes),
    mode: pool.cards[0]?.mode ?? "secondary-ip",
  };
}

/** What the pool holds, as the link that every chain about a node has. */
export function poolLink(node: NodeSeen, ipamd: Answering): Link {
  const { total, assigned, cooling, assignable, prefixes, mode } = poolCounts(ipamd);
  const blocks = mode === "prefix" ? ` in ${prefixes} prefixes` : "";
  return {
    what: `ipamd of ${shortName(node.name)} holds ${total} addresses${blocks}: ${assigned} given to pods, ${cooling} cooling down, ${assignable} ready`,
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
  const notGrown = growthNotes(notes).map((note) => noteLink(seen, note));
  if (counts.cooling > 0 && counts.assignable + counts.cooling >= waiting && !isUnderWay(growth)) {
    return cooldownEnd(seen, node, ipamd, counts.cooling, [held, ...notGrown]);
  }
  // What forbids growth altogether holds now; a failure may be from before.
  const forbidden = notes.filter(({ rule }) => forbidding.has(rule));
  const failed = forbidden.length > 0 ? undefined : lastFailure(growth);
  if (failed !== undefined) return ec2End(seen, node, failed, [held, ...wantLink(seen, growth)]);
  for (const note of forbidden.length > 0 ? forbidden : notes) {
    const end = refusalEnd(seen, node, note, ipamd, counts);
    if (end !== undefined) return { ...end, links: [held, noteLink(seen, note), ...(end.links ?? [])] };
  }
  if (isUnderWay(growth)) {
    return {
      cause: "in-progress",
      summary: `ipamd of ${shortName(node.name)} is fetching addresses from EC2 now`,
      links: [held, ...wantLink(seen, growth)],
      change: ["Wait: EC2 needs a moment to create and attach"],
    };
  }
  return {
    cause: counts.cooling > 0 ? "cooldown" : "in-progress",
    summary: `no address is ready on ${shortName(node.name)}, and ipamd has decided nothing about it yet`,
    links: [held, ...notes.map((note) => noteLink(seen, note))],
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
  const period = seen.awsNodeEnv.IP_COOLDOWN_PERIOD ?? defaultCooldown;
  const readyAt = ipamd.pool.addresses
    .flatMap((entry) => (entry.state === "cooling" && entry.readyAt !== undefined ? entry.readyAt : []))
    .sort()[0];
  const inSeconds =
    readyAt === undefined ? undefined : Math.max(0, Math.ceil((Date.parse(readyAt) - seen.takenAt) / 1000));
  return {
    cause: "cooldown",
    summary: `only cooling addresses are left on ${shortName(node.name)}: ${cooling} of them${inSeconds === undefined ? "" : `, the first ready in ${inSeconds} s`}`,
    links: [
      ...links,
      {
        what: `${cooling} addresses of pods that ended are still cooling down${readyAt === undefined ? "" : `, the first until ${readyAt}`}`,
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

/** A note of ipamd's decision core that ends the chain; undefined for one that hinders nothing. */
function refusalEnd(
  seen: Observation,
  node: NodeSeen,
  note: Reason,
  ipamd: Answering,
  counts: ReturnType<typeof poolCounts>,
): ChainEnd | undefined {
  const name = shortName(node.name);
  switch (note.rule) {
    case "max-eni":
      return eniLimitEnd(seen, node, note, ipamd, counts);
    case "max-pods":
      return {
        cause: "max-pods",
        summary: `${name} holds as many addresses as it may have pods (${node.maxPods})`,
        change: ["Raise the kubelet's --max-pods of the node group", "Run the pod on another node"],
      };
    case "cordoned":
      return {
        cause: "cordoned",
        summary: `${name} is cordoned, so ipamd fetches nothing for it, and the ${counts.total} addresses it holds are in use`,
        links: [
          {
            what: `${name} carries the taint node.kubernetes.io/unschedulable`,
            evidence: `Node ${node.name}: ${node.taints.join(", ") || "spec.unschedulable"}`,
            rule: "ENIs of a node that takes no new pods are left as they are",
            setting: `AWS_MANAGE_ENIS_NON_SCHEDULABLE=${seen.awsNodeEnv.AWS_MANAGE_ENIS_NON_SCHEDULABLE ?? "false"}`,
          },
        ],
        change: [
          `kubectl uncordon ${node.name}`,
          "Set AWS_MANAGE_ENIS_NON_SCHEDULABLE=true on aws-node",
          "Let the pod go to another node: it does not tolerate or was bound past the cordon",
        ],
      };
    case "provisioning-disabled":
      return {
        cause: "provisioning-disabled",
        summary: `ipamd may change nothing in EC2 on ${name}`,
        change: [
          "Set DISABLE_NETWORK_RESOURCE_PROVISIONING=false and ENABLE_IMDS_ONLY_MODE=false on aws-node",
          "Attach ENIs and addresses yourself",
        ],
      };
    case "terminating":
      return {
        cause: "in-progress",
        summary: `ipamd of ${name} is shutting down; the next one goes on`,
        change: ["Wait for the new aws-node pod"],
      };
    case "insufficient-back-off":
    case "create-back-off":
    case "retry-back-off": {
      const failed = ipamd.decisions.findLast(({ outcome }) => outcome?.kind === "failed");
      return failed === undefined ? undefined : ec2End(seen, node, failed, []);
    }
    default:
      return undefined;
  }
}

function eniLimitEnd(
  seen: Observation,
  node: NodeSeen,
  note: Reason,
  ipamd: Answering,
  counts: ReturnType<typeof poolCounts>,
): ChainEnd {
  const name = shortName(node.name);
  const maxEni = Number(seen.awsNodeEnv.MAX_ENI ?? Number.NaN);
  const { limits } = node;
  const bySetting = maxEni >= 1 && limits !== undefined && maxEni < limits.enis;
  const places = limits === undefined ? "" : `: ${limits.enis} ENIs of ${limits.ipv4PerEni} addresses each`;
  const type: Link = {
    what: `${node.instanceType} takes ${limits?.enis ?? "an unknown number of"} ENIs, and one address of each is its own`,
    evidence: `limits of ${node.instanceType}${places}; ipamd counts ${note.values.enis} of ${note.values.allowed} allowed`,
    rule: "EC2 attaches no more ENIs to a type than its limit, and each holds so many addresses",
    ...(bySetting ? { setting: `MAX_ENI=${maxEni}` } : {}),
  };
  const single = /\/(32|128)$/;
  const otherMode = ipamd.pool.addresses.filter(
    ({ state, cidr }) => counts.mode === "prefix" && state !== "primary" && single.test(cidr),
  ).length;
  const full =
    otherMode > 0
      ? `${otherMode} of its places are taken by single addresses from before prefix mode`
      : `all ${counts.total} addresses for pods are in use`;
  const larger = [
    ...(otherMode > 0 ? ["Replace the node: new nodes start with prefixes only"] : []),
    ...(counts.mode === "prefix"
      ? []
      : ["Use prefixes: ENABLE_PREFIX_DELEGATION=true gives 16 addresses for each slot"]),
    "A larger instance type, or more nodes",
    `Set --max-pods to what the node can serve, so that the scheduler goes elsewhere (now ${node.maxPods})`,
  ];
  return bySetting
    ? {
        cause: "max-eni-setting",
        summary: `MAX_ENI=${maxEni} keeps ${name} from another ENI, and ${full}`,
        links: [type],
        change: [`Raise or remove MAX_ENI: ${node.instanceType} may have ${limits.enis}`, ...larger],
      }
    : {
        cause: "eni-limit",
        summary: `${name} has all the ENIs and addresses that ${node.instanceType} can have, and ${full}`,
        links: [type],
        change: larger,
      };
}

/** The notes since the last one that something was done about, the newest decision's only. */
function latestNotes(decisions: readonly DecisionEntry[]): Reason[] {
  const last = decisions.findLastIndex(({ kind }) => kind === "not-done");
  if (last < 0) return [];
  const { time } = decisions[last] ?? { time: "" };
  return decisions
    .filter((entry) => entry.kind === "not-done" && entry.time === time)
    .map(({ reason }) => reason);
}

const forbidding = new Set<string>(["cordoned", "provisioning-disabled", "terminating"]);

const growthRules = new Set<string>([
  "max-eni",
  "max-pods",
  "cordoned",
  "provisioning-disabled",
  "insufficient-back-off",
  "create-back-off",
  "retry-back-off",
]);

const growthNotes = (notes: readonly Reason[]): Reason[] => notes.filter(({ rule }) => growthRules.has(rule));

const isGrowth = (action: Action | undefined): boolean =>
  action?.kind === "assign" || action?.kind === "create-eni";

const growthActions = (decisions: readonly DecisionEntry[]): DecisionEntry[] =>
  decisions.filter(({ action }) => isGrowth(action));

const isUnderWay = (growth: readonly DecisionEntry[]): boolean =>
  growth.some(({ outcome }) => outcome === undefined);

/**
 * The failure that growth ends at now: since the last success, the newest one that tells EC2's own code (what fails
 * after it may only be for want of a subnet to try), else the newest.
 */
function lastFailure(growth: readonly DecisionEntry[]): DecisionEntry | undefined {
  const ended = growth.filter(({ outcome }) => outcome !== undefined);
  const since = ended.slice(ended.findLastIndex(({ outcome }) => outcome?.kind !== "failed") + 1);
  const tells = ({ outcome }: DecisionEntry): boolean =>
    outcome?.kind === "failed" && ec2CodeIn(outcome.error) !== undefined;
  return since.findLast(tells) ?? since.at(-1);
}

function wantLink(seen: Observation, growth: readonly DecisionEntry[]): Link[] {
  const last = growth.at(-1);
  return last === undefined ? [] : [decisionLink(seen, last)];
}

/** What ipamd decided, in the words of its own reason and with the settings that took part. */
export function decisionLink(seen: Observation, { kind, time, action, reason }: DecisionEntry): Link {
  return {
    what:
      kind === "action" ? `ipamd decided to ${describeAction(action)}` : "ipamd decided to change nothing",
    evidence: `ipamd /v1/decisions, ${time}`,
    ...ruleOf(seen, reason),
  };
}

/** A reason as the rule of a link, its settings with their values. */
export function ruleOf(seen: Observation, reason: Reason): Pick<Link, "rule" | "setting"> {
  const rule = explainReason({ ...reason, settings: [] });
  const { settings } = reason;
  if (settings.length === 0) return { rule };
  const values = settings.map(
    (name) => `${name}${seen.awsNodeEnv[name] === undefined ? " not set" : `=${seen.awsNodeEnv[name]}`}`,
  );
  return { rule, setting: values.join(", ") };
}

export function describeAction(action: Action | undefined): string {
  switch (action?.kind) {
    case "assign":
      return `get ${action.count} ${action.what} for ${action.eniId} in ${action.subnetId}`;
    case "create-eni":
      return `create an ENI with ${action.count} ${action.what}`;
    case "unassign":
      return `give ${action.addresses.length + action.prefixes.length} blocks of ${action.eniId} back`;
    case "free-eni":
      return `free ${action.eniId}`;
    default:
      return "ask for a trunk ENI";
  }
}

function noteLink(seen: Observation, note: Reason): Link {
  return {
    what: "ipamd decided to fetch no more",
    evidence: `ipamd /v1/decisions, not-done: ${note.rule}`,
    ...ruleOf(seen, note),
  };
}

export const shortName = (name: string): string => name.split(".")[0] ?? name;
