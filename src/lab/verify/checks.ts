/**
 * The Kubernetes network model as a list of checks. The model's rules: pods on one node reach each other without
 * NAT; a node's daemons reach the node's pods; the host network of any node reaches pods on all nodes without NAT,
 * and pods reach each other across nodes. To these come pod to node, pod to internet, and the source address that
 * the internet sees; and, where pods leave by the other IP family through their node, that this works and that it
 * leads out only.
 */

/** Something that can send and be sent to. */
export interface Party {
  readonly kind: "pod" | "node" | "internet";
  /** "default/web-7d4b9c-x2x9p", "ip-10-0-32-5", "internet". */
  readonly name: string;
  readonly address: string;
  /** The node on which it is; its own name for nodes. */
  readonly node: string;
  /** Path of its network namespace; undefined: it is lost, and nothing can pass. */
  readonly netns?: string;
  /** The source address that the internet must see; undefined: not known, any will do. */
  readonly seenOutsideAs?: string;
  /** A pod's way out over the other family: an address that means something on its node only. */
  readonly egress?: { readonly address: string; readonly seenOutsideAs?: string };
}

export type Protocol = "tcp" | "udp" | "icmp";
export const protocols: readonly Protocol[] = ["tcp", "udp", "icmp"];

export type RuleId =
  | "pod-to-pod"
  | "node-to-pod"
  | "pod-to-node"
  | "pod-to-internet"
  | "egress"
  | "egress-isolation";

export const ruleText: Readonly<Record<RuleId, string>> = {
  "pod-to-pod": "pods reach pods on every node without NAT",
  "node-to-pod": "nodes reach all pods without NAT",
  "pod-to-node": "pods reach all nodes",
  "pod-to-internet": "pods reach the internet, which sees the expected source",
  egress: "pods reach the internet of the other IP family, which sees their node",
  "egress-isolation": "pods do not reach each other by egress addresses",
};

/** Rules of labs that have egress-cni at work; others need not hear of them. */
const egressRules: readonly RuleId[] = ["egress", "egress-isolation"];

export interface Check {
  readonly rule: RuleId;
  readonly from: Party;
  readonly to: Party;
  readonly protocol: Protocol;
  /** The source address that the other side must see (TCP and UDP); undefined: any. */
  readonly source?: string;
  /** True: nothing must answer. */
  readonly refused?: boolean;
}

/** What came of a check. */
export interface CheckResult {
  readonly check: Check;
  readonly ok: boolean;
  /** Source address that the other side saw, when it answered. */
  readonly seenSource?: string;
  readonly rttMs?: number;
  /** What went wrong, in one line. */
  readonly evidence?: string;
}

/** Every ordered pair of parties that the network model speaks of, in every protocol. */
export function networkModelChecks(parties: readonly Party[]): Check[] {
  const pods = parties.filter(({ kind }) => kind === "pod");
  const nodes = parties.filter(({ kind }) => kind === "node");
  const outside = parties.filter(({ kind }) => kind === "internet");
  return [
    ...pairs("pod-to-pod", pods, pods, (from) => from.address),
    ...pairs("node-to-pod", nodes, pods, (from, to) => nodeSource(from, to)),
    ...pairs("pod-to-node", pods, nodes, (from) => from.address),
    ...pairs("pod-to-internet", pods, outside, (from) => from.seenOutsideAs).filter(({ from, to }) =>
      sameFamily(from.address, to.address),
    ),
    ...pairs("egress", pods, outside, (from) => from.egress?.seenOutsideAs).filter(
      ({ from, to }) => from.egress !== undefined && sameFamily(from.egress.address, to.address),
    ),
    ...isolationChecks(pods),
  ];
}

function sameFamily(one: string, other: string): boolean {
  return one.includes(":") === other.includes(":");
}

/** Each pod pings the egress addresses of its node: its own answers, those of others must not. */
function isolationChecks(pods: readonly Party[]): Check[] {
  return pods.flatMap((from) =>
    pods.flatMap((to): Check[] => {
      if (from.egress === undefined || to.egress === undefined || from.node !== to.node) return [];
      const target = { ...to, name: `${to.name} (egress)`, address: to.egress.address };
      return [{ rule: "egress-isolation", from, to: target, protocol: "icmp", refused: to !== from }];
    }),
  );
}

/** A node has several addresses; towards its own pods it may use any, towards others its primary one. */
function nodeSource(from: Party, to: Party): string | undefined {
  return from.node === to.node ? undefined : from.address;
}

function pairs(
  rule: RuleId,
  froms: readonly Party[],
  tos: readonly Party[],
  sourceOf: (from: Party, to: Party) => string | undefined,
): Check[] {
  return froms.flatMap((from) =>
    tos
      .filter((to) => to !== from)
      .flatMap((to) => {
        const source = sourceOf(from, to);
        return protocols.map((protocol) => ({
          rule,
          from,
          to,
          protocol,
          ...(source === undefined ? {} : { source }),
        }));
      }),
  );
}

/** Judges an answer: right source, or the line that says what is wrong. */
export function judge(
  check: Check,
  answer: { readonly seenSource?: string; readonly rttMs?: number } | { readonly error: string },
): CheckResult {
  const path = `${check.protocol} ${check.from.name} (${check.from.address}) -> ${check.to.name} (${check.to.address})`;
  if (check.refused) {
    return "error" in answer
      ? { check, ok: true }
      : { check, ok: false, ...answer, evidence: `${path}: answered, and must not` };
  }
  if ("error" in answer) return { check, ok: false, evidence: `${path}: ${answer.error}` };
  const wrong =
    check.source !== undefined && answer.seenSource !== undefined && answer.seenSource !== check.source;
  return {
    check,
    ok: !wrong,
    ...answer,
    ...(wrong
      ? { evidence: `${path}: answered, but saw the source ${answer.seenSource} instead of ${check.source}` }
      : {}),
  };
}

/** One line of the report. */
export interface RuleSummary {
  readonly rule: RuleId;
  readonly text: string;
  readonly passed: number;
  readonly failed: number;
}

export function summarize(results: readonly CheckResult[]): RuleSummary[] {
  const rules = Object.keys(ruleText) as RuleId[];
  return rules.flatMap((rule) => {
    const own = results.filter(({ check }) => check.rule === rule);
    if (own.length === 0 && egressRules.includes(rule)) return [];
    const passed = own.filter(({ ok }) => ok).length;
    return [{ rule, text: ruleText[rule], passed, failed: own.length - passed }];
  });
}

/**
 * The matrix: one row per sender, one cell per receiver; `letters` of the protocols that passed ("tui"), "-" where
 * nothing was to be checked, and capital letters for what failed.
 */
export function matrixOf(results: readonly CheckResult[]): {
  readonly columns: string[];
  readonly rows: string[][];
} {
  const names = (pick: (result: CheckResult) => Party): string[] => [
    ...new Set(results.map((result) => pick(result).name)),
  ];
  const senders = names(({ check }) => check.from);
  const receivers = names(({ check }) => check.to);
  const cells = new Map<string, string>();
  for (const { check, ok } of results) {
    const key = `${check.from.name}\n${check.to.name}`;
    const letter = check.protocol.charAt(0);
    cells.set(key, (cells.get(key) ?? "") + (ok ? letter : letter.toUpperCase()));
  }
  return {
    columns: ["from \\ to", ...receivers],
    rows: senders.map((sender) => [
      sender,
      ...receivers.map((receiver) => cells.get(`${sender}\n${receiver}`) ?? "-"),
    ]),
  };
}
