import { describe, expect, test } from "bun:test";
import { type PlanStrategyInput, planStrategy } from "./index.ts";

const full: PlanStrategyInput = {
  instanceType: "m5.xlarge",
  nodes: 24,
  podsPerNode: 10,
  vpcCidrs: ["10.0.0.0/22"],
  subnets: [
    { name: "a", zone: "us-west-2a", cidr: "10.0.0.0/23" },
    { name: "b", zone: "us-west-2b", cidr: "10.0.2.0/23" },
  ],
};
const option = (input: Partial<PlanStrategyInput>, id: string) => {
  const found = planStrategy({ ...full, ...input }).options.find((each) => each.id === id);
  if (found === undefined) throw new Error(`no ${id}`);
  return found;
};

describe("24 nodes of m5.xlarge with 10 pods in two /23", () => {
  test("what is held, free and missing", () => {
    expect(planStrategy(full)).toMatchObject({
      usable: 1014,
      held: 720,
      free: 294,
      nodesWanted: 48,
      missing: 426,
    });
  });

  test("every option has its own number", () => {
    const gained = Object.fromEntries(planStrategy(full).options.map((each) => [each.id, each.gained]));
    expect(gained).toEqual({
      "fewer-warm": 24 * (30 - 13),
      "prefix-delegation": 24 * (30 - 17),
      "more-subnets": 0,
      "secondary-cidr": 2 * (2 ** 15 - 5),
      "custom-networking": 24 * (30 - 1) + 2 * (2 ** 15 - 5) - 24 * 30,
      "private-nat": 0,
      ipv6: "unlimited",
    });
    for (const each of planStrategy(full).options) {
      if (!each.possible) expect(each.why).toBeDefined();
      else expect(each.steps.length).toBeGreaterThan(2);
      expect(each.breaks.length).toBeGreaterThan(0);
    }
  });

  test("prefixes cost addresses where nodes are small, and say so", () => {
    const costs = option({ podsPerNode: 3, instanceType: "t3.small" }, "prefix-delegation");
    expect(costs.gained).toBeLessThan(0);
    expect(costs.working).toContain("it costs");
    expect(costs.working).toContain("not the subnet larger");
  });

  test("custom networking loses an ENI, and takes prefixes when pods no longer fit", () => {
    expect(option({}, "custom-networking")).toMatchObject({ maxPods: 44, possible: true });
    const dense = option({ podsPerNode: 50, nodes: 10 }, "custom-networking");
    expect(dense.breaks.join(" ")).toContain("prefixes too");
    expect(dense.maxPods).toBe(110);
  });
});

describe("the rule that decides", () => {
  test.each<readonly [Partial<PlanStrategyInput>, string | undefined]>([
    [{ nodesWanted: 26 }, undefined],
    [{}, "fewer-warm"],
    [{ nodesWanted: 100, vpcCidrs: ["10.0.0.0/20"] }, "more-subnets"],
    [{ nodesWanted: 100 }, "secondary-cidr"],
    [{ nodesWanted: 100, podsNeedOwnRange: true }, "custom-networking"],
    [
      {
        nodesWanted: 100,
        others: [
          { name: "shared", cidr: "100.64.0.0/10" },
          { name: "lab", cidr: "198.19.0.0/16" },
        ],
      },
      "ipv6",
    ],
  ])("%j", (more, wanted) => {
    const answer = planStrategy({ ...full, ...more });
    expect(answer.recommended).toBe(wanted as typeof answer.recommended);
    const chosen = answer.options.find(({ id }) => id === wanted);
    if (chosen !== undefined) {
      expect(chosen.fits).toBe(true);
      expect(answer.rule).toStartWith(`${chosen.title}: `);
    }
  });

  test("as many secondary blocks as it takes", () => {
    const many = option({ nodesWanted: 6000 }, "secondary-cidr");
    expect(many.steps.filter((step) => step.includes("associate-vpc-cidr-block")).length).toBe(3);
    expect(many.fits).toBe(true);
    expect(planStrategy({ ...full, nodesWanted: 60_000 }).rule).toContain("no option alone has room");
  });

  test("a private NAT gateway only where ranges overlap", () => {
    expect(option({}, "private-nat").possible).toBe(false);
    const clash = option({ others: [{ name: "office", cidr: "10.0.0.0/16" }] }, "private-nat");
    expect(clash).toMatchObject({ possible: true, gained: 0 });
    expect(clash.working).toContain("10.0.0.0/22 and 10.0.0.0/16 of office");
  });
});

describe("several node groups", () => {
  const mixed: PlanStrategyInput = {
    nodeGroups: [
      { name: "web", instanceType: "m5.xlarge", nodes: 12, podsPerNode: 10 },
      { name: "jobs", instanceType: "c5.4xlarge", nodes: 3, podsPerNode: 60 },
    ],
    subnets: full.subnets,
    vpcCidrs: ["10.0.0.0/22"],
  };
  const answer = planStrategy(mixed);

  test("what they hold is what each of them holds", () => {
    // m5.xlarge: 2 × 15; c5.4xlarge with 60 pods: 4 × 30.
    expect(answer).toMatchObject({ nodes: 15, held: 12 * 30 + 3 * 120, nodesWanted: 30, free: 294 });
    expect(answer.missing).toBe(15 * 48 - 294);
    expect(answer.explain).toContain(
      "12 web × 30 + 3 jobs × 120 = 720 held of 1,014 in 10.0.0.0/23, 10.0.2.0/23; 294 free",
    );
  });

  test("one setting for all nodes, the one with which they hold the fewest together", () => {
    const fewer = answer.options.find(({ id }) => id === "fewer-warm");
    // MINIMUM_IP_TARGET=12 suits web (13 each); jobs hold 62 and their ENIs. With 62 every web node would hold 58.
    expect(fewer?.steps[0]).toContain("WARM_IP_TARGET=2 MINIMUM_IP_TARGET=12");
    expect(fewer?.working).toBe(
      "12 web × (30 − 13) + 3 jobs × (120 − 65) with WARM_IP_TARGET=2 MINIMUM_IP_TARGET=12 = 369",
    );
    expect(fewer?.gained).toBe(12 * 17 + 3 * 55);
    expect(fewer?.nodesAfter).toBe(15 + Math.floor(((294 + 369) * 15) / (720 - 369)));
  });

  test("max-pods is the lowest, and the steps name it for each type", () => {
    const prefixes = answer.options.find(({ id }) => id === "prefix-delegation");
    expect(prefixes?.maxPods).toBe(110);
    expect(prefixes?.steps[2]).toBe("make new node groups with --max-pods=110 (m5.xlarge), 110 (c5.4xlarge)");
    const custom = answer.options.find(({ id }) => id === "custom-networking");
    expect(custom).toMatchObject({ possible: true, maxPods: 44 });
  });

  test("one Xen type among them rules prefixes and IPv6 out, and is named", () => {
    const xen = planStrategy({
      ...mixed,
      nodeGroups: [
        { instanceType: "m5.xlarge", nodes: 2, podsPerNode: 10 },
        { instanceType: "m4.xlarge", nodes: 2, podsPerNode: 10 },
      ],
    });
    for (const id of ["prefix-delegation", "ipv6"]) {
      expect(xen.options.find((each) => each.id === id)).toMatchObject({
        possible: false,
        why: "m4.xlarge is not a Nitro type",
      });
    }
  });

  test("a single group is the same either way", () => {
    const { instanceType = "", nodes = 0, podsPerNode = 0, ...rest } = full;
    expect(planStrategy({ ...rest, nodeGroups: [{ instanceType, nodes, podsPerNode }] })).toEqual(
      planStrategy(full),
    );
  });
});

describe("subnets of pods alone that run out", () => {
  const pods: PlanStrategyInput = {
    instanceType: "m5.xlarge",
    nodes: 20,
    podsPerNode: 10,
    mode: "custom",
    vpcCidrs: ["10.0.0.0/20", "100.64.0.0/22"],
    subnets: [
      { name: "pods-a", zone: "us-west-2a", cidr: "100.64.0.0/23" },
      { name: "pods-b", zone: "us-west-2b", cidr: "100.64.2.0/23" },
    ],
    otherSubnets: [{ name: "private-a", cidr: "10.0.0.0/21" }],
  };
  const answer = planStrategy(pods);
  const find = (id: string, from = answer) => from.options.find((each) => each.id === id);

  test("only what the pods' ENIs take of them is counted", () => {
    // Two ENIs of 15 beside the primary one, which is of the nodes' subnet.
    expect(answer).toMatchObject({ usable: 1014, held: 20 * 30, free: 414, missing: 600 - 414 });
    expect(find("fewer-warm")?.working).toStartWith("20 nodes × (30 − 13) with WARM_IP_TARGET=2");
    expect(find("prefix-delegation")?.working).toStartWith("20 nodes × (30 − 17) with prefixes");
  });

  test("new subnets come by ENIConfigs, and custom networking is no way out any more", () => {
    expect(find("custom-networking")).toMatchObject({
      possible: false,
      why: "pods have subnets of their own already",
    });
    const more = find("more-subnets");
    expect(more?.possible).toBe(true);
    expect(more?.steps.join("; ")).toContain("create a second ENIConfig a zone");
    expect(more?.steps.join("; ")).not.toContain("role/");
    expect(find("secondary-cidr")?.steps.join("; ")).toContain("create a second ENIConfig a zone");
    expect(find("ipv6")).toMatchObject({ nodesAfter: "unlimited" });
  });

  test("under discovery they come by tag, and prefixes want the nodes' subnets excluded", () => {
    const found = planStrategy({ ...pods, mode: "discovery" });
    // Of three ENIs of 15 the first is of the nodes' subnet; 24 pods would fit on two.
    expect(found.held).toBe(20 * 15);
    expect(find("more-subnets", found)?.steps.join("; ")).toContain(
      "tag the new subnets kubernetes.io/role/cni=1",
    );
    expect(find("prefix-delegation", found)?.steps.join("; ")).toContain("kubernetes.io/role/cni=0");
  });
});

test("what EC2 says is free counts, and what is in use is counted in blocks", () => {
  const [first, second] = full.subnets;
  if (first === undefined || second === undefined) throw new Error("two subnets");
  const told = planStrategy({
    ...full,
    subnets: [
      { ...first, free: 5 },
      { ...second, free: 40 },
    ],
  });
  expect(told.free).toBe(45);
  const counted = option(
    {
      subnets: [
        { ...first, used: ["10.0.0.16/28", "10.0.0.32"] },
        { ...second, used: [] },
      ],
    },
    "prefix-delegation",
  );
  expect(counted.breaks[0]).toStartWith("58 whole /28 blocks are left");
});

test("bad input names the field, the value and what is allowed", () => {
  const plan = (more: object) => () => planStrategy({ ...full, ...more });
  expect(plan({ instanceType: "m5.xlarg" })).toThrow("did you mean m5.xlarge");
  const group = { instanceType: "m5.large", nodes: 1, podsPerNode: 1 };
  expect(plan({ nodeGroups: [group] })).toThrow("instanceType: m5.xlarge beside nodeGroups");
  const groups = (nodeGroups: object[]) => () =>
    planStrategy({ subnets: full.subnets, nodeGroups } as PlanStrategyInput);
  expect(groups([])).toThrow("nodeGroups: none");
  expect(groups([{ ...group, nodes: 0 }])).toThrow("nodeGroups: no nodes");
  expect(groups([group, { ...group, nodes: -1 }])).toThrow(
    "nodeGroups[1].nodes: -1; wanted a whole number of 0",
  );
  expect(groups([group, { ...group, instanceType: "m5.larg" }])).toThrow(
    "nodeGroups[1].instanceType: the unknown",
  );
  expect(plan({ instanceType: undefined })).toThrow("nodeGroups: none; wanted node groups, or instanceType");
  expect(plan({ nodes: 0 })).toThrow("nodes: 0; wanted a whole number of 1");
  expect(plan({ nodesWanted: 5 })).toThrow("nodesWanted: 5; wanted a whole number of 24");
  expect(plan({ mode: "ipv6" })).toThrow("mode: ipv6; wanted an IPv4 mode");
  expect(plan({ subnets: [] })).toThrow("subnets: none");
  expect(plan({ vpcCidrs: ["10.9.0.0/16"] })).toThrow(
    "vpcCidrs: 10.9.0.0/16; wanted blocks that hold 10.0.0.0/23",
  );
  expect(plan({ subnets: [{ name: "a", zone: "z", cidr: "10.0.0.0/23", free: 9999 }] })).toThrow(
    "subnets[0].free: 9999",
  );
});
