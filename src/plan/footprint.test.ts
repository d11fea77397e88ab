import { describe, expect, test } from "bun:test";
import { limitsOf } from "./field.ts";
import { nodeFootprint } from "./footprint.ts";
import type { PlanMode, WarmSettings } from "./warm-settings.ts";

const addresses = (type: string, pods: number, mode: PlanMode, warm: WarmSettings = {}): number =>
  nodeFootprint({ limits: limitsOf("type", type), mode, warm, pods }).addresses;

const twoAndTwelve = { warmIpTarget: 2, minimumIpTarget: 12 };

// The first number is the default's, then WARM_IP_TARGET=2 with MINIMUM_IP_TARGET=12, then one warm prefix.
test.each([
  ["t3.medium", 10, [18, 15, 33]],
  ["m5.large", 10, [30, 14, 33]],
  ["m5.xlarge", 10, [30, 13, 33]],
  ["m5.xlarge", 50, [60, 56, 81]],
  ["m5.8xlarge", 10, [60, 13, 33]],
  ["m5.16xlarge", 50, [150, 54, 81]],
] as const)("%s with %d pods takes %j addresses", (type, pods, wanted) => {
  expect([
    addresses(type, pods, "secondary-ip"),
    addresses(type, pods, "secondary-ip", twoAndTwelve),
    addresses(type, pods, "prefix"),
  ]).toEqual([...wanted]);
});

test("250 nodes of m5.xlarge with 10 pods each hold 7,500 addresses for 2,500 pods", () => {
  expect(250 * addresses("m5.xlarge", 10, "secondary-ip")).toBe(7500);
});

describe("custom networking and IPv6", () => {
  test("only the node's own address is of the nodes' subnet", () => {
    const input = { limits: limitsOf("type", "m5.large"), warm: {}, pods: 10 } as const;
    const custom = nodeFootprint({ ...input, mode: "custom" });
    expect(custom).toMatchObject({
      enis: 3,
      held: 18,
      inNodeSubnet: { enis: 0, pods: 0, warm: 0, branch: 0, blocks: 0 },
      inPodSubnet: { enis: 2, pods: 10, warm: 8, branch: 0, blocks: 0 },
      addresses: 21,
    });
    const prefixes = nodeFootprint({ ...input, mode: "custom-prefix" });
    expect(prefixes).toMatchObject({
      enis: 2,
      prefixes: 2,
      inNodeSubnet: { enis: 0, pods: 0, warm: 0, branch: 0, blocks: 0 },
      inPodSubnet: { enis: 1, pods: 0, warm: 0, branch: 0, blocks: 2 },
      addresses: 34,
    });
    const ipv6 = nodeFootprint({ ...input, mode: "ipv6", pods: 100 });
    expect(ipv6).toMatchObject({ enis: 1, warm: 0, addresses: 1 });
  });

  test("under discovery the primary ENI fills in the nodes' subnet, the others in the pods'", () => {
    const input = { limits: limitsOf("type", "m5.large"), warm: {}, pods: 12 } as const;
    expect(nodeFootprint({ ...input, mode: "discovery" })).toMatchObject({
      enis: 3,
      inNodeSubnet: { enis: 0, pods: 9, warm: 0 },
      inPodSubnet: { enis: 2, pods: 3, warm: 15 },
      addresses: 30,
    });
    // The trunk is the resource controller's: it looks for no tags.
    expect(nodeFootprint({ ...input, mode: "discovery", branchPods: 2 })).toMatchObject({
      inNodeSubnet: { enis: 1, branch: 2 },
      inPodSubnet: { enis: 1, branch: 0 },
    });
    expect(nodeFootprint({ ...input, mode: "discovery-prefix" })).toMatchObject({
      enis: 2,
      inNodeSubnet: { enis: 0, pods: 0, warm: 0, branch: 0, blocks: 0 },
      inPodSubnet: { enis: 1, pods: 0, warm: 0, branch: 0, blocks: 2 },
    });
    expect(() => addresses("m5.large", 400, "discovery-prefix")).toThrow("at most 288: 2 ENIs × 9 × 16");
  });

  test("the trunk and branch ENIs take addresses of their own", () => {
    const limits = limitsOf("type", "m5.large");
    const plain = nodeFootprint({ limits, mode: "secondary-ip", warm: { warmIpTarget: 1 }, pods: 5 });
    const branched = nodeFootprint({
      limits,
      mode: "secondary-ip",
      warm: { warmIpTarget: 1 },
      pods: 5,
      branchPods: 3,
    });
    expect(branched.addresses - plain.addresses).toBe(4);
    expect(branched.enis).toBe(2);
  });

  test("pods that do not fit are refused with what does", () => {
    expect(() => addresses("m5.large", 28, "secondary-ip")).toThrow(
      "cannot plan with podsPerNode: 28; wanted at most 27: 3 ENIs × 9 on m5.large in secondary-ip mode",
    );
    expect(() => addresses("m5.large", 19, "custom")).toThrow("at most 18: 2 ENIs × 9");
    expect(addresses("m5.large", 28, "prefix")).toBe(1 + 3 * 16);
  });
});
