import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { cidrContains, cidrsOverlap, parseCidr4 } from "../addr/cidr.ts";
import { checkLabConfig } from "../lab/config-check.ts";
import { readLabConfig } from "../lab/config-file.ts";
import { assertPlan, planVpc, type VpcPlan } from "./vpc.ts";
import type { PlanVpcInput } from "./vpc-input.ts";
import { labFileOf } from "./vpc-lab.ts";
import { type PlanMode, planModes } from "./warm-settings.ts";

const thirty: PlanVpcInput = { nodeGroups: [{ instanceType: "m5.large", nodes: 30, podsPerNode: 20 }] };

/** Few enough pods for custom networking on this type. */
const fifteen: PlanVpcInput = { nodeGroups: [{ instanceType: "m5.large", nodes: 30, podsPerNode: 15 }] };

const shape = {
  nodes: 3,
  zones: 2,
  instanceType: "m5.large",
  vpcCidr: parseCidr4("10.0.0.0/16"),
  awsNodeEnv: {},
};

/** What `eniverse up --config` would do with the plan's file before it makes anything. */
function labOf(plan: VpcPlan) {
  const config = readLabConfig(stringify(labFileOf(plan).config), "lab.yaml", "plan", shape);
  checkLabConfig(config);
  return config;
}

describe("every address is accounted for", () => {
  test("30 nodes in three zones, by default settings", () => {
    const plan = planVpc(thirty);
    const [subnet] = plan.subnets.filter(({ kind }) => kind === "private");
    expect(subnet?.budget).toEqual([
      { item: "kept by the VPC", now: 5, peak: 5 },
      { item: "node addresses", now: 10, peak: 12 },
      { item: "further ENIs of nodes", now: 20, peak: 24 },
      { item: "pods", now: 200, peak: 240 },
      { item: "warm pools", now: 70, peak: 84 },
    ]);
    expect(subnet).toMatchObject({ usedNow: 300, usedPeak: 360, cidr: "10.0.0.0/23", freeNow: 207 });
    expect(plan.nodeGroups[0]).toMatchObject({ addressesPerNode: 30, warmPerNode: 7, maxPods: 29 });
    expect(plan.problems).toEqual([]);
  });

  test("load balancers, endpoints, NAT gateways, control plane", () => {
    const plan = planVpc({
      ...thirty,
      loadBalancers: { publicAlbs: 2, internalAlbs: 1, publicNlbs: 3, internalNlbs: 4 },
      interfaceEndpoints: 6,
      otherAddressesPerZone: 9,
      natGateways: "single",
    });
    const used = (name: string): number | undefined =>
      plan.subnets.find((each) => each.name === name)?.usedNow;
    expect([used("public-a"), used("public-b")]).toEqual([1 + 16 + 3, 16 + 3]);
    expect(used("private-a")).toBe(300 + 8 + 4 + 6 + 9);
    expect(used("cluster-a")).toBe(2);
  });

  test("what all subnets of nodes hold is what the nodes hold", () => {
    for (const mode of planModes) {
      const plan = planVpc({ ...fifteen, mode, natGateways: "none" });
      const held = plan.subnets
        .filter(({ kind }) => kind !== "cluster")
        .reduce((sum, { usedNow }) => sum + usedNow, 0);
      expect(held).toBe(30 * (plan.nodeGroups[0]?.addressesPerNode ?? 0));
    }
  });
});

describe("what is to be made beside subnets", () => {
  test("custom networking: a second block, ENIConfigs by zone, the environment, reservations", () => {
    const plan = planVpc({ ...thirty, mode: "custom-prefix", zones: 2, warm: { warmPrefixTarget: 1 } });
    expect(plan.vpc.cidrs).toEqual(["10.0.0.0/16", "100.64.0.0/16"]);
    expect(plan.eniConfigs.map(({ metadata, spec }) => [metadata.name, spec.subnet])).toEqual([
      ["us-west-2a", "<id of pods-a>"],
      ["us-west-2b", "<id of pods-b>"],
    ]);
    const known = planVpc({
      ...thirty,
      mode: "custom-prefix",
      zones: 2,
      subnetIds: { "pods-a": "subnet-1" },
    });
    expect(known.eniConfigs[0]?.spec.subnet).toBe("subnet-1");
    expect(plan.awsNodeEnv).toEqual({
      ENABLE_PREFIX_DELEGATION: "true",
      AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: "true",
      ENI_CONFIG_LABEL_DEF: "topology.kubernetes.io/zone",
      WARM_PREFIX_TARGET: "1",
    });
    const [pods] = plan.subnets.filter(({ kind }) => kind === "pods");
    expect(pods?.prefixReservations.length).toBeGreaterThan(0);
    expect(plan.commands[0]).toStartWith("aws ec2 create-subnet-cidr-reservation --subnet-id <id of pods-a>");
  });

  test("subnet discovery: pod subnets by tag, larger than the nodes', and no ENIConfig", () => {
    const tagsOf = (plan: VpcPlan, kind: string) =>
      plan.subnets.find((subnet) => subnet.kind === kind)?.tags["kubernetes.io/role/cni"];
    const plan = planVpc({ ...thirty, mode: "discovery", podCidrs: ["100.70.0.0/16"] });
    expect(plan.vpc.cidrs).toEqual(["10.0.0.0/16", "100.70.0.0/16"]);
    expect([tagsOf(plan, "pods"), tagsOf(plan, "private"), tagsOf(plan, "public")]).toEqual([
      "1",
      undefined,
      undefined,
    ]);
    expect([plan.eniConfigs, plan.awsNodeEnv]).toEqual([[], {}]);
    expect(plan.nodeGroups[0]?.maxPods).toBe(29);
    const [nodes] = plan.subnets.filter(({ kind }) => kind === "private");
    const [pods] = plan.subnets.filter(({ kind }) => kind === "pods");
    expect(nodes?.budget.map(({ item, now }) => [item, now])).toEqual([
      ["kept by the VPC", 5],
      ["node addresses", 10],
      ["pods", 90],
    ]);
    expect(pods?.budget.map(({ item, now }) => [item, now])).toEqual([
      ["kept by the VPC", 5],
      ["further ENIs of nodes", 20],
      ["pods", 110],
      ["warm pools", 70],
    ]);
    expect(pods?.freePeak ?? 0).toBeGreaterThan(nodes?.freeNow ?? 0);
    // Few pods need a small subnet, and yet it must be the roomier one.
    const few = planVpc({
      nodeGroups: [{ instanceType: "m5.large", nodes: 90, podsPerNode: 1 }],
      mode: "discovery",
      warm: { warmIpTarget: 1 },
    });
    const size = (kind: string) => few.subnets.find((subnet) => subnet.kind === kind)?.size ?? 0;
    expect(size("pods")).toBe(2 * size("private"));
  });

  test("discovery with prefixes keeps pods off the nodes' subnets by tag", () => {
    const plan = planVpc({ ...thirty, mode: "discovery-prefix" });
    const [nodes] = plan.subnets.filter(({ kind }) => kind === "private");
    const [pods] = plan.subnets.filter(({ kind }) => kind === "pods");
    expect(nodes?.tags["kubernetes.io/role/cni"]).toBe("0");
    expect(nodes?.usedNow).toBe(10);
    expect(pods?.tags["kubernetes.io/role/cni"]).toBe("1");
    expect(pods?.prefixReservations.length).toBeGreaterThan(0);
    expect(plan.awsNodeEnv).toEqual({ ENABLE_PREFIX_DELEGATION: "true" });
  });

  test("tags by kind", () => {
    const plan = planVpc({ ...thirty, clusterName: "shop" });
    const tags = Object.fromEntries(plan.subnets.map((subnet) => [subnet.name, Object.keys(subnet.tags)]));
    expect(tags["public-a"]).toEqual(["Name", "kubernetes.io/role/elb", "kubernetes.io/cluster/shop"]);
    expect(tags["private-a"]).toContain("kubernetes.io/role/internal-elb");
    expect(tags["cluster-a"]).toEqual(["Name", "kubernetes.io/cluster/shop"]);
  });

  test("IPv6: nodes take one IPv4 address each, routes leave by the egress-only gateway", () => {
    const plan = planVpc({ ...thirty, mode: "ipv6" });
    expect(plan.vpc.ipv6).toBe(true);
    expect(plan.nodeGroups[0]).toMatchObject({ addressesPerNode: 1, warmPerNode: 0, maxPods: 110 });
    expect(plan.routeTables[1]?.routes).toContainEqual({
      destination: "::/0",
      target: "egress-only-internet-gateway",
    });
    expect(plan.awsNodeEnv.ENABLE_IPv6).toBe("true");
  });

  test("a lab takes the plan in every mode", () => {
    for (const mode of planModes) {
      const config = labOf(planVpc({ ...fifteen, mode, zones: 2, growth: { percentPerMonth: 5 } }));
      expect(config.nodeGroups[0]).toMatchObject({ name: "workers", count: 30, instanceType: "m5.large" });
      expect(config.cluster.ipFamily).toBe(mode === "ipv6" ? "ipv6" : "ipv4");
      expect(config.awsNode.eniConfigs).toEqual(
        mode.startsWith("custom") ? { "us-west-2a": "pods-a", "us-west-2b": "pods-b" } : undefined,
      );
    }
    const many = planVpc({ nodeGroups: [{ instanceType: "m5.large", nodes: 250, podsPerNode: 10 }] });
    expect(labOf(many).nodeGroups[0]?.count).toBe(100);
    expect(labFileOf(many).comments.join(" ")).toContain("250 nodes in the plan");
  });
});

describe("growth", () => {
  const growing: PlanVpcInput = {
    ...thirty,
    growth: { percentPerMonth: 10 },
    startDate: "2026-01-01",
    horizonDays: 365,
  };

  test("subnets last to the horizon, and the day of exhaustion is the first that does not", () => {
    const plan = planVpc(growing);
    expect(plan.problems).toEqual([]);
    const day = plan.exhaustion?.day ?? 0;
    expect(day).toBeGreaterThan(365);
    expect(plan.exhaustion?.date).toBe(new Date(Date.UTC(2026, 0, 1 + day)).toISOString().slice(0, 10));
    const fixed = plan.subnets.map(({ name, zone, cidr, kind }) => ({ name, zone, cidr, kind }));
    const judged = (horizonDays: number) => planVpc({ ...growing, subnets: fixed, horizonDays }).problems;
    expect(judged(day - 1)).toEqual([]);
    expect(judged(day)[0]?.text).toContain(
      `will run out at node ${plan.exhaustion?.nodes}, on ${plan.exhaustion?.date}`,
    );
  });

  test("without growth nothing runs out, and filling leaves no room unused", () => {
    expect(planVpc(thirty).exhaustion).toBeUndefined();
    const filled = planVpc({ ...thirty, fill: true });
    expect(filled.subnets.find(({ name }) => name === "private-a")?.cidr).toEndWith("/18");
  });

  test("losing a zone asks for more in the others", () => {
    const private23 = planVpc({ ...thirty, surviveZoneLoss: true }).subnets.filter(
      ({ kind }) => kind === "private",
    );
    expect(private23.map(({ usedNow }) => usedNow)).toEqual([450, 450, 450]);
  });
});

describe("subnets that are there", () => {
  const small: PlanVpcInput = {
    nodeGroups: [{ instanceType: "m5.large", nodes: 16, podsPerNode: 20 }],
    zones: 2,
    subnets: [
      { name: "one", zone: "us-west-2a", cidr: "10.0.0.0/24", kind: "private" },
      { name: "two", zone: "us-west-2b", cidr: "10.0.1.0/24", kind: "private", usedByOthers: 100 },
    ],
  };

  test("the one that is too small is named with its numbers", () => {
    const plan = planVpc(small);
    const errors = plan.problems.filter(({ severity }) => severity === "error");
    expect(errors.map(({ about }) => about)).toEqual(["one", "two"]);
    expect(errors[1]?.text).toBe(
      "two (10.0.1.0/24) needs 342 of 251 addresses (100 in use by others, 2 control plane interfaces, 8 node addresses, 16 further ENIs of nodes, 160 pods, 56 warm pools)",
    );
    expect(() => assertPlan(plan)).toThrow("cannot build the network of eks: one (10.0.0.0/24)");
  });

  test("room is counted in nodes", () => {
    const plan = planVpc({
      ...small,
      nodeGroups: [{ instanceType: "m5.large", nodes: 4, podsPerNode: 20 }],
      surgeNodes: 0,
    });
    // 251 − 2 × (2 ENIs of the control plane) − 2 × 30 leaves 187: six nodes of 30.
    expect(plan.subnets[0]).toMatchObject({ usedNow: 62, roomForNodes: 6 });
    assertPlan(plan);
  });

  test("prefixes without a reservation are left to chance, and that is said", () => {
    const plan = planVpc({
      ...small,
      mode: "prefix",
      nodeGroups: [{ instanceType: "m5.large", nodes: 8, podsPerNode: 20 }],
      surgeNodes: 0,
    });
    expect(
      plan.problems.some(
        ({ severity, text }) => severity === "warning" && text.includes("no CIDR reservation"),
      ),
    ).toBe(true);
    expect(plan.problems.some(({ severity, about }) => severity === "error" && about === "two")).toBe(true);
  });
});

test("overlaps with peers are errors, subnets in place are planned around", () => {
  const plan = planVpc({
    ...thirty,
    others: [
      { name: "office", cidr: "10.0.128.0/17", kind: "on-premises" },
      { name: "database", cidr: "10.0.0.0/20", kind: "existing" },
      { name: "far", cidr: "172.20.4.0/24" },
    ],
  });
  expect(plan.problems.map(({ severity, about }) => [severity, about])).toEqual([
    ["error", "10.0.0.0/16"],
    ["warning", "serviceCidr"],
  ]);
  expect(plan.subnets.every(({ cidr }) => !cidrsOverlap(parseCidr4(cidr), parseCidr4("10.0.0.0/20")))).toBe(
    true,
  );
  const pods = planVpc({
    ...fifteen,
    mode: "custom",
    others: [{ name: "other cluster", cidr: "100.64.0.0/15" }],
  });
  expect(pods.vpc.cidrs[1]).toBe("100.66.0.0/16");
});

test("whatever is asked for, subnets are aligned, apart, inside the VPC, large enough, and a lab takes them", () => {
  const groups = fc.record({
    instanceType: fc.constantFrom("m5.large", "c5.xlarge", "m6i.4xlarge", "t3.medium"),
    nodes: fc.integer({ min: 0, max: 100 }),
    podsPerNode: fc.integer({ min: 0, max: 10 }),
  });
  const inputs = fc.record({
    zones: fc.integer({ min: 2, max: 6 }),
    mode: fc.constantFrom<PlanMode>(...planModes),
    nodeGroups: fc.array(groups, { minLength: 1, maxLength: 3 }),
    vpcCidr: fc.constantFrom("10.0.0.0/16", "192.168.0.0/17", "172.16.64.0/18"),
    warm: fc.constantFrom({}, { warmIpTarget: 2, minimumIpTarget: 12 }, { warmIpTarget: 5 }),
    headroomPercent: fc.integer({ min: 0, max: 60 }),
    fill: fc.boolean(),
    growth: fc.constantFrom(undefined, { percentPerMonth: 4 }, { nodesPerMonth: 3 }),
    loadBalancers: fc.record({
      publicAlbs: fc.integer({ min: 0, max: 3 }),
      internalNlbs: fc.integer({ min: 0, max: 3 }),
    }),
  });
  fc.assert(
    fc.property(inputs, ({ growth, ...rest }) => {
      const input: PlanVpcInput = { ...rest, ...(growth === undefined ? {} : { growth }) };
      let plan: VpcPlan;
      try {
        plan = planVpc(input);
      } catch (error) {
        expect(String(error)).toMatch(/cannot plan with (vpcCidr|podCidrs|nodeGroups)/);
        return;
      }
      const blocks = plan.subnets.map(({ cidr }) => parseCidr4(cidr));
      for (const [index, block] of blocks.entries()) {
        const { cidr, freePeak, usedPeak, usable } = plan.subnets[index] ?? {};
        // Reading a block clears bits below its length: it is aligned when it reads as it was written.
        expect(cidr).toBe(`${cidr?.split("/")[0]}/${block.bits}`);
        expect(plan.vpc.cidrs.some((outer) => cidrContains(parseCidr4(outer), block))).toBe(true);
        expect(blocks.slice(index + 1).some((other) => cidrsOverlap(block, other))).toBe(false);
        expect(usedPeak).toBeLessThanOrEqual(usable ?? 0);
        expect(freePeak).toBeGreaterThanOrEqual(0);
        for (const reservation of plan.subnets[index]?.prefixReservations ?? []) {
          expect(cidrContains(block, parseCidr4(reservation))).toBe(true);
        }
      }
      expect(plan.problems.filter(({ severity }) => severity === "error")).toEqual([]);
      labOf(plan);
    }),
    { numRuns: 150 },
  );
});

describe("bad input names the field, the value and what is allowed", () => {
  test.each<readonly [Partial<PlanVpcInput>, string]>([
    [{ zones: 1 }, "zones: 1; wanted a whole number of 2 to 6"],
    [{ zones: ["us-east-1a", "us-west-2b"] }, 'zones: "us-east-1a"; wanted a zone of us-west-2'],
    [{ vpcCidr: "10.0.0.0/8" }, 'vpcCidr: "10.0.0.0/8"; wanted an IPv4 block of /16 to /28'],
    [
      { vpcCidr: "10.0.0.0/24" },
      "the subnets need 3 × /28 cluster, 3 × /27 public, 3 × /23 private = 1,680; wanted a /21 or larger",
    ],
    [{ serviceCidr: "10.0.64.0/20" }, "which overlaps the VPC's 10.0.0.0/16"],
    [
      { ...fifteen, mode: "custom", podCidrs: ["192.168.0.0/16"] },
      "podCidrs[0]: 192.168.0.0/16: The CIDR '192.168.0.0/16' is restricted",
    ],
    [{ podCidrs: ["100.64.0.0/16"] }, "podCidrs: given in secondary-ip mode"],
    [{ mode: "discovery-prefix", warm: { warmPrefixTarget: 0 } }, "one of them above 0"],
    [
      {
        nodeGroups: ["web", "web"].map((name) => ({
          name,
          instanceType: "m5.large",
          nodes: 1,
          podsPerNode: 1,
        })),
      },
      'nodeGroups[1].name: "web" a second time',
    ],
    [
      { nodeGroups: [{ name: "a b", instanceType: "m5.large", nodes: 1, podsPerNode: 1 }] },
      'nodeGroups[0].name: "a b"; wanted up to 63 letters',
    ],
    [{ nodeGroups: [] }, "nodeGroups: none"],
    [{ nodeGroups: [{ instanceType: "m5.larg", nodes: 1, podsPerNode: 1 }] }, "did you mean m5.large"],
    [{ nodeGroups: [{ instanceType: "m5.large", nodes: -1, podsPerNode: 1 }] }, "nodeGroups[0].nodes: -1"],
    [
      { nodeGroups: [{ instanceType: "m5.large", nodes: 1, podsPerNode: 28 }] },
      "nodeGroups[0].podsPerNode: 28; wanted at most 27",
    ],
    [
      { mode: "prefix", nodeGroups: [{ instanceType: "m4.large", nodes: 1, podsPerNode: 1 }] },
      "a Nitro or bare-metal type",
    ],
    [{ mode: "prefix", warm: { warmPrefixTarget: 0 } }, "one of them above 0"],
    [{ warm: { warmIpTarget: -2 } }, "warm.warmIpTarget (WARM_IP_TARGET): -2"],
    [
      { growth: { percentPerMonth: 1, nodesPerMonth: 1 } },
      "growth: percentPerMonth and nodesPerMonth; wanted one of the two",
    ],
    [{ startDate: "soon" }, 'startDate: "soon"; wanted a day'],
    [
      { nodeGroups: [{ instanceType: "m5.4xlarge", nodes: 9000, podsPerNode: 100 }] },
      "at most what a /16 has",
    ],
  ])("%j", (more, message) => {
    expect(() => planVpc({ ...thirty, ...more })).toThrow(message);
  });
});
