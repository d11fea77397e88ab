import { describe, expect, test } from "bun:test";
import type { Action, Outcome, Reason, RuleName } from "../../ipam/types.ts";
import type { DecisionEntry } from "../../node/ipamd/decision-log.ts";
import { type Cause, type Chain, causes } from "./chain.ts";
import type { EventSeen, NodeSeen, Observation, PodSeen, SubnetSeen } from "./observation.ts";
import { recordedIpamd, recordedLab, recordedNode, recordedPods } from "./recorded-lab.ts";
import { parseSubject } from "./subject.ts";
import { answerWhy } from "./why.ts";

// Each cause over a fixed observation: the recorded lab with one thing changed.

const ask = (seen: Observation, subject: string): Chain => answerWhy(seen, parseSubject(subject, "default"));
const at = (seconds: number): string => new Date(recordedLab.takenAt - seconds * 1000).toISOString();

const note = (rule: RuleName, values: Reason["values"] = {}, settings: string[] = []): DecisionEntry => ({
  time: at(2),
  kind: "not-done",
  reason: { rule, card: 0, settings, values },
});
const create: Action = { kind: "create-eni", card: 0, what: "addresses", count: 1, avoidSubnets: [] };
const grow = (outcome?: Outcome, seconds = 3): DecisionEntry => ({
  time: at(seconds),
  kind: "action",
  action: create,
  reason: {
    rule: "demand",
    card: 0,
    settings: [],
    values: { waiting: 1, total: 2, assigned: 2, cooling: 0 },
  },
  ...(outcome === undefined ? {} : { outcome, tookMs: 100 }),
});
const failed = (error: string): DecisionEntry =>
  grow({ kind: "failed", error, insufficientSubnets: ["subnet-0d9ff9c8fedb185fa"] });
const refused = (code: string): DecisionEntry =>
  failed(`cannot call EC2 CreateNetworkInterface: ${code}: The request was refused`);

const onNode = (change: Partial<NodeSeen>): Observation => ({
  ...recordedLab,
  nodes: [{ ...recordedNode, ...change }],
});
const decided = (...decisions: DecisionEntry[]): Observation =>
  onNode({ ipamd: { ...recordedIpamd, decisions } });
const withEnv = (env: NodeSeen["env"], change: Partial<NodeSeen> = {}): Observation =>
  onNode({ env: { ...recordedNode.env, ...env }, ...change });
const notInitialized = "container runtime network not ready: cni plugin not initialized";
const ipamdDown = { answers: false, why: "connection refused", lastErrors: [] } as const;

function onPod(name: string, change: Partial<PodSeen>): Observation {
  const pods = recordedPods.map((pod) => (pod.name === name ? { ...pod, ...change } : pod));
  return { ...recordedLab, pods };
}
function unscheduled(message: string, seen = recordedLab): Observation {
  const event: EventSeen = {
    reason: "FailedScheduling",
    message,
    warning: true,
    count: 3,
    firstAt: recordedLab.takenAt - 9000,
    lastAt: recordedLab.takenAt,
  };
  const pods = seen.pods.map((pod) => (pod.name === "web-homeless" ? { ...pod, events: [event] } : pod));
  return { ...seen, pods };
}
function counts(change: Partial<(typeof recordedIpamd.pool.cards)[number]>): typeof recordedIpamd {
  const { pool } = recordedIpamd;
  return { ...recordedIpamd, pool: { ...pool, cards: pool.cards.map((card) => ({ ...card, ...change })) } };
}

/** The second address of the recorded node was released, and cools down for another minute. */
const cooling: Observation = {
  ...onNode({
    ipamd: {
      ...counts({ assigned: 1, cooling: 1 }),
      pool: {
        cards: counts({ assigned: 1, cooling: 1 }).pool.cards,
        addresses: recordedIpamd.pool.addresses.map((entry) =>
          entry.address === "10.0.1.119" ? { ...entry, state: "cooling", readyAt: at(-60) } : entry,
        ),
      },
    },
  }),
};

/** Somebody gave the node 10.0.1.77, and its instance metadata does not show it. */
const given = recordedLab.enis.map((eni) =>
  eni.deviceIndex === 1 && eni.instanceId !== undefined
    ? { ...eni, addresses: [...eni.addresses, "10.0.1.77"] }
    : eni,
);
const shown = recordedLab.enis.flatMap(({ eniId, addresses, prefixes, instanceId }) =>
  instanceId === undefined ? [] : [{ eniId, addresses, prefixes }],
);
const byOthers = { DISABLE_NETWORK_RESOURCE_PROVISIONING: "true" };
const stale: Observation = {
  ...withEnv(byOthers, { metadata: { answers: true, enis: shown } }),
  enis: given,
};

interface Case {
  readonly seen: Observation;
  readonly subject: string;
  /** Part of the answer. */
  readonly summary: string;
  /** Something that must stand in a link or in what would change it. */
  readonly words?: string;
}

const waiting = "pod/web-waiting";
const homeless = "pod/web-homeless";

const proofs: Readonly<Record<Cause, Case>> = {
  none: { seen: recordedLab, subject: "pod/web-1", summary: "the pod has 10.0.1.119 on ip-10-0-1-178" },
  "in-progress": {
    seen: decided(grow()),
    subject: waiting,
    summary: "is fetching addresses from EC2 now",
    words: "create an ENI with 1 address, which has been under way for 3 s",
  },
  "no-nodes": {
    seen: unscheduled("no nodes available to schedule pods", { ...recordedLab, nodes: [] }),
    subject: homeless,
    summary: "the cluster has no node",
  },
  "no-node-fits": {
    seen: unscheduled("0/1 nodes are available: 1 Insufficient cpu."),
    subject: homeless,
    summary: "Insufficient cpu",
  },
  "max-pods": { seen: recordedLab, subject: homeless, summary: "max-pods", words: "--max-pods=4" },
  "branch-eni-limit": {
    seen: unscheduled(
      "0/1 nodes are available: 1 Insufficient vpc.amazonaws.com/pod-eni.",
      onNode({ branchEnis: 9 }),
    ),
    subject: homeless,
    summary: "all branch ENIs are taken: 9 on ip-10-0-1-178",
  },
  "node-not-ready": {
    seen: onNode({ ready: false, silent: true, readyMessage: "Kubelet stopped posting node status." }),
    subject: waiting,
    summary: "does not report any more",
    words: "Kubelet stopped posting node status.",
  },
  "aws-node-missing": {
    seen: { ...recordedLab, nodes: [withoutAwsNode()] },
    subject: waiting,
    summary: "no aws-node pod runs on ip-10-0-1-178",
  },
  "network-plugin-not-ready": {
    seen: onNode({
      ready: false,
      readyMessage: notInitialized,
      ipamd: { ...ipamdDown, lastErrors: ["AWS_VPC_K8S_CNI_VETHPREFIX cannot be longer than 4 characters"] },
    }),
    subject: waiting,
    summary: "ipamd has not come up",
    words: "ipamd said last: AWS_VPC_K8S_CNI_VETHPREFIX",
  },
  "ipamd-down": {
    seen: onNode({ ipamd: ipamdDown }),
    subject: waiting,
    summary: "ipamd of ip-10-0-1-178 is down",
  },
  "eniconfig-missing": {
    seen: withEnv(
      { AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: "true" },
      { ready: false, readyMessage: notInitialized, ipamd: ipamdDown },
    ),
    subject: waiting,
    summary: "the ENIConfig default that ip-10-0-1-178 asks for does not exist",
  },
  "missing-permission": {
    seen: decided(refused("UnauthorizedOperation")),
    subject: waiting,
    summary: "lacks the permission ec2:CreateNetworkInterface",
    words: "AmazonEKS_CNI_Policy",
  },
  "eni-limit": {
    seen: recordedLab,
    subject: waiting,
    summary: "has all the ENIs and addresses that t3.nano can have",
    words: "2 ENIs of 2 addresses each; ipamd has 2 of the 2",
  },
  "max-eni-setting": {
    seen: withEnv({ MAX_ENI: "2" }, { instanceType: "t3.medium", limits: { enis: 3, ipv4PerEni: 6 } }),
    subject: waiting,
    summary: "MAX_ENI=2 keeps ip-10-0-1-178 from another ENI",
    words: "t3.medium may have 3",
  },
  "subnet-full": {
    seen: {
      ...decided(refused("InsufficientFreeAddressesInSubnet")),
      subnets: inSubnetA({ free: 0, freeBlocks: 0 }),
    },
    subject: waiting,
    summary: "subnet a (10.0.1.0/24) has 0 free addresses",
    words: "of a's addresses pods have 2; 1 node keeps 0 warm and 0 cooling; 1 ENI is not a node's",
  },
  "subnet-fragmented": {
    seen: { ...decided(refused("InsufficientCidrBlocks")), subnets: inSubnetA({ freeBlocks: 0 }) },
    subject: waiting,
    summary: "subnet a (10.0.1.0/24) has 246 free addresses but 0 whole free /28",
    words: "create-subnet-cidr-reservation",
  },
  cooldown: {
    seen: cooling,
    subject: waiting,
    summary: "only cooling addresses are left on ip-10-0-1-178: 1 address, the first ready in 60 s",
    words: "IP_COOLDOWN_PERIOD=300",
  },
  throttled: {
    seen: decided(refused("RequestLimitExceeded")),
    subject: waiting,
    summary: "EC2 throttles CreateNetworkInterface",
  },
  "ec2-error": {
    seen: decided(refused("InternalError")),
    subject: waiting,
    summary: "EC2 answered InternalError to CreateNetworkInterface",
  },
  "stale-imds": {
    seen: stale,
    subject: waiting,
    summary:
      "the instance metadata of ip-10-0-1-178 is behind EC2: it does not show 10.0.1.77 of eni-0d827a837ff718635",
  },
  cordoned: {
    seen: onNode({ cordoned: true, ipamd: { ...recordedIpamd, decisions: [note("cordoned")] } }),
    subject: waiting,
    summary: "is cordoned, so ipamd fetches nothing for it",
    words: "AWS_MANAGE_ENIS_NON_SCHEDULABLE=false",
  },
  "provisioning-disabled": {
    seen: withEnv(byOthers, { ipamd: { ...recordedIpamd, decisions: [note("provisioning-disabled")] } }),
    subject: waiting,
    summary: "was told to ask EC2 for nothing",
  },
  containers: {
    seen: onPod("web-1", { ready: false, containers: ["web: CrashLoopBackOff"], restarts: 4 }),
    subject: "pod/web-1",
    summary: "what it waits for are its containers",
    words: "web: CrashLoopBackOff",
  },
};

function withoutAwsNode(): NodeSeen {
  const { awsNode: _gone, ...rest } = recordedNode;
  return { ...rest, ipamd: ipamdDown };
}

function inSubnetA(change: Partial<SubnetSeen>): SubnetSeen[] {
  return recordedLab.subnets.map((subnet) => (subnet.name === "a" ? { ...subnet, ...change } : subnet));
}

const words = ({ links, change }: Chain): string => JSON.stringify([links, change]);

describe("the cause", () => {
  for (const cause of causes) {
    const { seen, subject, summary, words: said } = proofs[cause];
    test(`${cause} is named for ${subject}`, () => {
      const chain = ask(seen, subject);
      expect(chain.cause).toBe(cause);
      expect(chain.summary).toContain(summary);
      if (said !== undefined) expect(words(chain)).toContain(said);
      for (const link of chain.links)
        for (const text of [link.what, link.evidence, link.rule])
          expect(text).not.toMatch(/undefined|NaN|^$/);
      if (cause !== "none") expect(chain.change.length).toBeGreaterThan(0);
    });
  }
});

describe("of several things at once", () => {
  const causeOf = (seen: Observation, subject = waiting): Cause => ask(seen, subject).cause;

  test("what forbids growth now comes before an older failure, and is over when ipamd grows again", () => {
    expect(causeOf(decided(refused("RequestLimitExceeded"), note("cordoned")))).toBe("cordoned");
    expect(causeOf(decided(note("cordoned"), { ...grow(), time: at(1) }))).toBe("in-progress");
  });

  test("what is on its way comes before what the node cannot have besides", () => {
    const limit = note("max-eni", { enis: 1, allowed: 2 }, ["MAX_ENI"]);
    expect(causeOf(decided({ ...grow(), time: limit.time }, limit))).toBe("in-progress");
  });

  test("a failure counts no more once growth has succeeded", () => {
    const given = grow({ kind: "assigned", addresses: ["10.0.1.99"], prefixes: [] });
    expect(causeOf(decided(refused("RequestLimitExceeded"), given, grow()))).toBe("in-progress");
  });

  test("EC2's own code counts more than what failed after it for want of a subnet", () => {
    const later = failed("cannot create an ENI: no subnet to create it in");
    expect(causeOf(decided(refused("InsufficientFreeAddressesInSubnet"), later))).toBe("subnet-full");
  });

  test("an address that is ready is for the next try, whatever was before", () => {
    const seen = onNode({ ipamd: { ...counts({ assignable: 1 }), decisions: [refused("InternalError")] } });
    expect(causeOf(seen)).toBe("in-progress");
  });

  test("a back-off is told by the failure that it comes from", () => {
    const old = { ...refused("InsufficientCidrBlocks"), time: at(60) };
    const later = grow({ kind: "done" }, 30);
    const backOff = note("insufficient-back-off", {
      subnet: "subnet-0d9ff9c8fedb185fa",
      eni: "eni-1",
      until: 0,
    });
    expect(causeOf(decided(old, later, backOff))).toBe("subnet-fragmented");
  });

  test("more cooling addresses than ENIs can be had: the node's own pod limit", () => {
    const seen = decided(note("max-pods", { maxPods: 4, total: 4 }));
    expect(causeOf(seen)).toBe("max-pods");
  });

  test("the settings of the node's own aws-node count", () => {
    const seen = withEnv({ MAX_ENI: "4" });
    expect(causeOf(seen)).toBe("eni-limit");
  });

  test("a node that is not Ready is looked into when it is what the scheduler names", () => {
    const notReady = onNode({ ready: false, readyMessage: notInitialized, ipamd: ipamdDown });
    const message =
      "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.";
    expect(causeOf(unscheduled(message, notReady), homeless)).toBe("network-plugin-not-ready");
  });

  test("what was given and is in instance metadata comes with the next reconcile", () => {
    const caughtUp: Observation = {
      ...withEnv(byOthers, {
        metadata: {
          answers: true,
          enis: given.map(({ eniId, addresses, prefixes }) => ({ eniId, addresses, prefixes })),
        },
      }),
      enis: given,
    };
    expect(ask(caughtUp, waiting).summary).toContain("takes it in at its next reconcile");
    expect(causeOf(caughtUp, "address/10.0.1.77")).toBe("in-progress");
    expect(causeOf(stale, "address/10.0.1.77")).toBe("stale-imds");
  });

  test("an ENI that waits for instance metadata does so for a while before that is the cause", () => {
    const bare = shown.filter(({ eniId }) => eniId !== "eni-0d827a837ff718635");
    const lagging = (seconds: number): Observation =>
      onNode({
        ipamd: { ...recordedIpamd, decisions: [grow(undefined, seconds)] },
        metadata: { answers: true, enis: bare },
      });
    expect(causeOf(lagging(2))).toBe("in-progress");
    expect(causeOf(lagging(20))).toBe("stale-imds");
  });

  test("a subnet that has room again is told with what it has now", () => {
    const chain = ask(decided(refused("InsufficientFreeAddressesInSubnet")), waiting);
    expect(chain.summary).toBe(
      "subnet a (10.0.1.0/24) had no free address when ipamd asked, and has 246 now: ipamd asks again",
    );
  });

  test("a pod that has its address still tells how long it waited, and for what", () => {
    const createdAt = Date.parse("2026-11-22T05:42:00.000Z");
    const refusedThen = { ...refused("RequestLimitExceeded"), time: "2026-11-22T05:42:05.000Z" };
    const limitThen = { ...note("max-eni", { enis: 2, allowed: 2 }), time: "2026-11-22T05:41:00.000Z" };
    const story = (decision: DecisionEntry, created = createdAt): string => {
      const seen = { ...decided(decision), pods: onPod("web-1", { createdAt: created }).pods };
      const { cause, links } = ask(seen, "pod/web-1");
      expect(cause).toBe("none");
      return links.map(({ what }) => what).join("; ");
    };
    expect(story(refusedThen)).toContain(
      "it waited 16 s for its address; meanwhile EC2 refused CreateNetworkInterface: RequestLimitExceeded;",
    );
    const refusedBefore = { ...refusedThen, time: "2026-11-22T05:41:57.000Z" };
    expect(story(refusedBefore)).toContain("meanwhile EC2 refused CreateNetworkInterface");
    const refusedLongAgo = { ...refusedThen, time: "2026-11-22T05:32:00.000Z" };
    expect(story(refusedLongAgo)).not.toContain("meanwhile");
    expect(story(limitThen)).toContain("it waited 16 s for its address; ipamd decided to fetch no more;");
    expect(story(refusedThen, createdAt + 14_000)).not.toContain("waited");
  });

  test("an EC2 that cannot be asked is told of at the end", () => {
    const blind = { ...recordedLab, enis: [], subnets: [], ec2Blind: "RequestLimitExceeded" };
    const chain = ask(blind, waiting);
    expect(chain.cause).toBe("eni-limit");
    expect(chain.links.at(-1)?.evidence).toContain("RequestLimitExceeded");
  });
});
