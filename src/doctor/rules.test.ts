import { describe, expect, test } from "bun:test";
import { examine, fails, rules } from "./examine.ts";
import type { Input, NodeInput, SubnetInput } from "./rule.ts";

const subnet = (name: string, more: Partial<SubnetInput> = {}): SubnetInput => ({
  id: `subnet-${name}`,
  name,
  zone: `us-west-2${name.at(-1)}`,
  cidr: "10.0.0.0/20",
  tags: {},
  ...more,
});
const node = (more: Partial<NodeInput> = {}): NodeInput => ({
  name: "n1",
  instanceType: "m5.large",
  zone: "us-west-2a",
  subnets: ["private-a"],
  ...more,
});
const a = subnet("private-a");
const b = subnet("private-b");
const prefix = { ENABLE_PREFIX_DELEGATION: "true" };
const strict = { ENABLE_POD_ENI: "true" };
const custom = {
  AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: "true",
  ENI_CONFIG_LABEL_DEF: "topology.kubernetes.io/zone",
};
const set = (name: string, image: string) => ({ namespace: "kube-system", name, images: [image] });

/** For each rule: what it must see, with the words that must be in it, and what it must not. */
const cases: Readonly<Record<string, { bad: Input; says: string; good: Input }>> = {
  "subnets-two-zones": { bad: { subnets: [a] }, says: "1 subnets in us-west-2a", good: { subnets: [a, b] } },
  "cluster-subnets-apart": {
    bad: { subnets: [a, b], clusterSubnets: ["private-a"], nodes: [node()] },
    says: "nodes are in it",
    good: { subnets: [a, b], clusterSubnets: ["private-b"], nodes: [node()] },
  },
  "cluster-subnet-room": {
    bad: { subnets: [subnet("cluster-a", { free: 5 })], clusterSubnets: ["cluster-a"] },
    says: "5 free addresses",
    good: { subnets: [subnet("cluster-a", { free: 6 })], clusterSubnets: ["cluster-a"] },
  },
  "subnet-headroom": {
    bad: { subnets: [subnet("private-a", { free: 800 })] },
    says: "800 of 4091 addresses are free (20 %)",
    good: { subnets: [subnet("private-a", { free: 900 }), subnet("c", { cidr: "10.0.0.0/28", free: 1 })] },
  },
  "prefix-fragmented": {
    bad: {
      subnets: [subnet("private-a", { freeBlocks: 0, prefixReservations: [] })],
      env: prefix,
      nodes: [node()],
    },
    says: "0 whole free /28 blocks for 1 nodes",
    good: {
      subnets: [subnet("private-a", { freeBlocks: 0, prefixReservations: ["10.0.8.0/21"] })],
      env: prefix,
      nodes: [node()],
    },
  },
  "idle-addresses": {
    bad: { subnets: [subnet("private-a", { cidr: "10.0.0.0/24" })], env: {}, nodes: [node({ count: 20 })] },
    says: "about 200 of its 251 addresses idle",
    good: {
      subnets: [subnet("private-a", { cidr: "10.0.0.0/24" })],
      env: { WARM_IP_TARGET: "2" },
      nodes: [node({ count: 20 })],
    },
  },
  "subnet-role-tags": {
    bad: { subnets: [subnet("public-a", { isPublic: true })] },
    says: "no tag kubernetes.io/role/elb",
    good: { subnets: [subnet("public-a", { isPublic: true, tags: { "kubernetes.io/role/elb": "1" } })] },
  },
  "dns64-ipv6": {
    bad: { subnets: [subnet("private-a", { dns64: true })], env: { ENABLE_IPv6: "true" } },
    says: "EnableDns64",
    good: { subnets: [subnet("private-a", { dns64: true })], env: {} },
  },
  "warm-targets-stall": {
    bad: { env: { ...prefix, WARM_PREFIX_TARGET: "0" } },
    says: "WARM_PREFIX_TARGET=0",
    good: { env: { ...prefix, WARM_PREFIX_TARGET: "0", MINIMUM_IP_TARGET: "10" } },
  },
  "warm-targets-contradict": {
    bad: { env: { WARM_IP_TARGET: "5", WARM_ENI_TARGET: "2" } },
    says: "WARM_ENI_TARGET without effect",
    good: { env: { WARM_IP_TARGET: "5", WARM_ENI_TARGET: "1" } },
  },
  "minimum-without-warm": {
    bad: { env: { ...prefix, MINIMUM_IP_TARGET: "22", WARM_IP_TARGET: "0" } },
    says: "MINIMUM_IP_TARGET=22, WARM_IP_TARGET=0: a node's pool stops at 32 addresses (2 × /28)",
    good: { env: { MINIMUM_IP_TARGET: "10", WARM_IP_TARGET: "2" } },
  },
  "warm-ip-calls": {
    bad: { env: { WARM_IP_TARGET: "1" }, nodes: [node({ count: 100 })] },
    says: "WARM_IP_TARGET=1 on 100 nodes",
    good: { env: { WARM_IP_TARGET: "1" }, nodes: [node({ count: 3 })] },
  },
  "max-pods-mode": {
    bad: { env: {}, nodes: [node({ maxPods: 110 })] },
    says: "m5.large gives addresses to 29 pods",
    good: { env: prefix, nodes: [node({ maxPods: 110 })] },
  },
  "prefix-needs-nitro": {
    bad: { env: prefix, nodes: [node({ instanceType: "m4.large" })] },
    says: "no prefixes",
    good: { env: prefix, nodes: [node()] },
  },
  "ipv6-settings": {
    bad: { env: { ENABLE_IPv6: "true", ENABLE_IPv4: "false", ...prefix, ...custom } },
    says: "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG is true",
    good: { env: { ENABLE_IPv6: "true", ENABLE_IPv4: "false", ...prefix } },
  },
  "mixed-modes": {
    bad: {
      enis: [
        { id: "eni-1", subnetId: "s", instanceId: "i-1", addresses: 1, prefixes: 2 },
        { id: "eni-2", subnetId: "s", instanceId: "i-2", addresses: 10, prefixes: 0 },
      ],
    },
    says: "1 hold prefixes, 1 hold single",
    good: {
      enis: [
        { id: "eni-1", subnetId: "s", instanceId: "i-1", addresses: 1, prefixes: 2 },
        { id: "eni-2", subnetId: "s", addresses: 10, prefixes: 0 },
      ],
    },
  },
  "cooldown-short": {
    bad: { env: { IP_COOLDOWN_PERIOD: "5" } },
    says: "IP_COOLDOWN_PERIOD=5",
    good: { env: {} },
  },
  "eniconfig-missing": {
    bad: { env: custom, nodes: [node()], eniConfigs: [] },
    says: "wants the ENIConfig us-west-2a; there are none",
    good: {
      env: custom,
      nodes: [node()],
      eniConfigs: [{ name: "us-west-2a", subnetId: "subnet-private-a" }],
    },
  },
  "eniconfig-subnet": {
    bad: { env: custom, subnets: [a, b], eniConfigs: [{ name: "us-west-2a", subnetId: "subnet-private-b" }] },
    says: "private-b is in us-west-2b",
    good: {
      env: custom,
      subnets: [a, b],
      eniConfigs: [{ name: "us-west-2a", subnetId: "subnet-private-a" }],
    },
  },
  "cni-own-role": {
    bad: { serviceAccount: {} },
    says: "no annotation",
    good: { serviceAccount: { "eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/cni" } },
  },
  "forward-policy": {
    bad: { forwardPolicies: { n1: "DROP" } },
    says: "FORWARD is DROP",
    good: { forwardPolicies: { n1: "ACCEPT" } },
  },
  "probe-timeouts": {
    bad: { probeTimeouts: [1, 10] },
    says: "timeoutSeconds 1",
    good: { probeTimeouts: [10, 30] },
  },
  "pod-groups-node-local-dns": {
    bad: { env: strict, daemonSets: [set("node-local-dns", "k8s-dns-node-cache:1.22")] },
    says: "strict mode",
    good: {
      env: { ...strict, POD_SECURITY_GROUP_ENFORCING_MODE: "standard" },
      daemonSets: [set("node-local-dns", "k8s-dns-node-cache:1.22")],
    },
  },
  "pod-groups-early-demux": {
    bad: { env: strict, initEnv: {} },
    says: "DISABLE_TCP_EARLY_DEMUX=not set",
    good: { env: strict, initEnv: { DISABLE_TCP_EARLY_DEMUX: "true" } },
  },
  "pod-groups-snat": {
    bad: { env: strict },
    says: "is not true",
    good: { env: { ...strict, AWS_VPC_K8S_CNI_EXTERNALSNAT: "true" } },
  },
  "pod-groups-trunk": {
    bad: { env: strict, nodes: [node({ instanceType: "t3.large" })] },
    says: "no trunk ENI",
    good: { env: strict, nodes: [node()] },
  },
  "grace-period-zero": {
    bad: { pods: [{ namespace: "default", name: "hasty", graceSeconds: 0, hostNetwork: false }] },
    says: "default/hasty",
    good: { pods: [{ namespace: "default", name: "fine", graceSeconds: 30, hostNetwork: false }] },
  },
  "multus-version": {
    bad: { daemonSets: [set("kube-multus-ds", "ghcr.io/k8snetworkplumbingwg/multus-cni:v4.1.0-thick")] },
    says: "v4.1.0-thick",
    good: {
      daemonSets: [
        set("kube-multus-ds", "ghcr.io/k8snetworkplumbingwg/multus-cni:v4.1.1-thick"),
        set("thin", "ghcr.io/k8snetworkplumbingwg/multus-cni:v4.1.0-thin"),
      ],
    },
  },
};

describe("each rule", () => {
  test("has its cases", () => {
    expect(Object.keys(cases).sort()).toEqual(rules.map(({ id }) => id).sort());
  });

  test.each(Object.entries(cases))("%s", (id, { bad, says, good }) => {
    const findings = examine(bad).findings.filter((finding) => finding.id === id);
    expect(findings.map(({ seen, about }) => `${about}: ${seen}`).join()).toContain(says);
    const fine = examine(good);
    expect(fine.findings.filter((finding) => finding.id === id)).toEqual([]);
    expect(fine.fine).toContain(id);
  });
});

describe("where the addresses of pods come from", () => {
  const seen = (input: Input, id: string): string[] =>
    examine(input)
      .findings.filter((finding) => finding.id === id)
      .map((finding) => `${finding.about}: ${finding.seen}`);
  const pods = subnet("pods-a", { cidr: "100.64.0.0/24", freeBlocks: 1, prefixReservations: [] });
  const byTag = { "kubernetes.io/role/cni": "1" };
  const nodes = [node({ count: 4 })];

  test("custom networking: from the subnet that the ENIConfig of the node names", () => {
    const env = { ...custom, ...prefix };
    const eniConfigs = [{ name: "us-west-2a", subnetId: "pods-a" }];
    const input = { subnets: [a, b, pods], env, nodes, eniConfigs };
    expect(seen(input, "prefix-fragmented")).toEqual([
      "subnet pods-a (100.64.0.0/24): 1 whole free /28 blocks for 4 nodes, and no reservation",
    ]);
    const singles = { ...input, env: custom, nodes: [node({ count: 20 })] };
    expect(seen(singles, "idle-addresses")).toEqual([
      "subnet pods-a (100.64.0.0/24): about 200 of its 251 addresses idle with WARM_ENI_TARGET=1",
    ]);
  });

  test("subnet discovery: from the tagged subnets of the zone, and from no others", () => {
    const tagged = { ...pods, tags: byTag };
    const elsewhere = { ...pods, id: "subnet-x", name: "x", zone: "us-west-2b", tags: byTag };
    expect(seen({ subnets: [a, tagged, elsewhere], env: prefix, nodes }, "prefix-fragmented")).toEqual([
      "subnet pods-a (100.64.0.0/24): 1 whole free /28 blocks for 4 nodes, and no reservation",
    ]);
  });

  test("subnets for pods alone need no tag of load balancers; excluded ones do", () => {
    const isPublic = false;
    const private1 = subnet("private-a", { isPublic, tags: { "kubernetes.io/role/internal-elb": "1" } });
    const untagged = subnet("pods-a", { isPublic });
    const about = (input: Input): string[] => seen(input, "subnet-role-tags");
    expect(about({ subnets: [private1, untagged] })).toHaveLength(1);
    expect(about({ subnets: [private1, subnet("pods-a", { isPublic, tags: byTag })] })).toEqual([]);
    const excluded = subnet("other-a", { isPublic, tags: { "kubernetes.io/role/cni": "0" } });
    expect(about({ subnets: [private1, excluded] })).toHaveLength(1);
    const eniConfigs = [{ name: "us-west-2a", subnetId: "subnet-pods-a" }];
    expect(about({ subnets: [private1, untagged], eniConfigs })).toEqual([]);
    expect(about({ subnets: [private1, untagged], env: custom, nodes: [node()] })).toEqual([]);
  });
});

describe("which ENIConfig a node chooses", () => {
  const missing = (env: Record<string, string>, more: Partial<NodeInput>): string =>
    examine({ env: { ...custom, ...env }, nodes: [node(more)], eniConfigs: [] })
      .findings.filter(({ id }) => id === "eniconfig-missing")
      .map(({ seen }) => seen.slice(0, seen.indexOf(";")))
      .join();

  test("the external label, the annotation, the label, the zone of a node without labels, default", () => {
    const keys = { ENI_CONFIG_LABEL_DEF: "example.com/net", ENI_CONFIG_ANNOTATION_DEF: "example.com/note" };
    const labels = { "example.com/net": "by-label" };
    const annotations = { "example.com/note": "by-note" };
    expect(missing(keys, { labels })).toBe("wants the ENIConfig by-label");
    expect(missing(keys, { labels, annotations })).toBe("wants the ENIConfig by-note");
    const external = { ...labels, "vpc.amazonaws.com/externalEniConfig": "by-external" };
    expect(missing(keys, { labels: external, annotations })).toBe("wants the ENIConfig by-external");
    expect(missing(keys, {})).toBe("wants the ENIConfig default");
    expect(missing({}, {})).toBe("wants the ENIConfig us-west-2a");
    const usual = { "k8s.amazonaws.com/eniConfig": "usual" };
    expect(missing({ ENI_CONFIG_LABEL_DEF: "" }, { labels: usual })).toBe("wants the ENIConfig usual");
    expect(missing({ ENI_CONFIG_ANNOTATION_DEF: "example.com/note" }, { annotations: usual })).toBe(
      "wants the ENIConfig us-west-2a",
    );
  });

  test("one of any name must lie in the zone of the nodes that choose it", () => {
    const env = { ...custom, ENI_CONFIG_LABEL_DEF: "example.com/net" };
    const nodes = [node({ labels: { "example.com/net": "mine" } })];
    const check = (subnetId: string) =>
      examine({ env, nodes, subnets: [a, b], eniConfigs: [{ name: "mine", subnetId }] }).findings.map(
        ({ seen }) => seen,
      );
    expect(check("subnet-private-b")).toEqual([
      "its subnet private-b is in us-west-2b; node n1 in us-west-2a chooses it",
    ]);
    expect(check("subnet-private-a")).toEqual([]);
    expect(check("subnet-gone")).toEqual(["its subnet subnet-gone is not among the VPC's"]);
  });
});

test("a role by Pod Identity is one as well", () => {
  const ids = (input: Input): string[] => examine(input).findings.map(({ id }) => id);
  expect(ids({ serviceAccount: {}, podCredentials: ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] })).toEqual([]);
  expect(ids({ serviceAccount: {}, podCredentials: [] })).toEqual(["cni-own-role"]);
});

test("worse cases are errors: a full subnet, no block left, more pods than addresses", () => {
  const severities = (input: Input, id: string): string[] =>
    examine(input)
      .findings.filter((finding) => finding.id === id)
      .map(({ severity }) => severity);
  expect(severities({ subnets: [subnet("private-a", { free: 100 })] }, "subnet-headroom")).toEqual(["error"]);
  expect(severities({ subnets: [subnet("private-a", { free: 800 })] }, "subnet-headroom")).toEqual([
    "warning",
  ]);
  expect(severities(cases["max-pods-mode"]?.bad ?? {}, "max-pods-mode")).toEqual(["error"]);
  expect(severities({ env: prefix, nodes: [node({ maxPods: 29 })] }, "max-pods-mode")).toEqual(["warning"]);
});

test("what is missing is told, errors come first, and warnings fail a build only when asked to", () => {
  const none = examine({});
  expect(none.findings).toEqual([]);
  expect(none.notChecked.length).toBe(rules.length);
  expect(none.notChecked.find(({ id }) => id === "eniconfig-subnet")?.missing).toEqual([
    "env",
    "eniConfigs",
    "subnets",
  ]);
  const mixed = examine({ probeTimeouts: [1], forwardPolicies: { n1: "DROP" } });
  expect(mixed.findings.map(({ severity }) => severity)).toEqual(["error", "warning"]);
  expect(fails(mixed, "error")).toBe(true);
  const mild = examine({ probeTimeouts: [1] });
  expect([fails(mild, "error"), fails(mild, "warning")]).toEqual([false, true]);
});
