import { describe, expect, test } from "bun:test";
import type { Subnet } from "../aws/shapes.ts";
import { isSubnetExcluded, judgeSubnet, primarySubnetOnly, rankSubnets } from "./subnet-choice.ts";

const ours = "cni.networking.k8s.aws/cluster/my-example-cluster";
const theirs = "cni.networking.k8s.aws/cluster/another-cluster";
const role = "kubernetes.io/role/cni";
const rules = { primarySubnetId: "subnet-p", clusterName: "my-example-cluster" };

function subnet(subnetId: string, tags: Record<string, string>, free = 100): Subnet {
  return {
    subnetId,
    vpcId: "vpc-1",
    availabilityZone: "us-west-2a",
    cidrBlock: "10.0.0.0/24",
    ipv6CidrBlocks: [],
    availableIpAddressCount: free,
    tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
  };
}

describe("S37: a subnet may hold new ENIs", () => {
  test.each<[string, string, Record<string, string>, boolean]>([
    ["tagged, no cluster named", "subnet-s", { [role]: "1" }, true],
    ["tagged for another cluster only", "subnet-s", { [role]: "1", [theirs]: "" }, false],
    ["tagged for both clusters", "subnet-s", { [role]: "1", [theirs]: "", [ours]: "" }, true],
    ["for this cluster but without the role", "subnet-s", { [ours]: "" }, false],
    [
      "primary, for this cluster, whatever the value",
      "subnet-p",
      { [role]: "1", [ours]: "not-shared" },
      true,
    ],
    ["primary without the role, for another cluster", "subnet-p", { [theirs]: "" }, true],
    ["excluded, though for this cluster", "subnet-s", { [role]: "0", [ours]: "" }, false],
    ["primary, excluded", "subnet-p", { [role]: "0" }, false],
    ["with another value than 1", "subnet-s", { [role]: "true" }, true],
    ["primary with an empty role", "subnet-p", { [role]: "" }, true],
    ["secondary with an empty role", "subnet-s", { [role]: "" }, false],
    ["primary without tags", "subnet-p", {}, true],
    ["secondary without tags", "subnet-s", {}, false],
    [
      "with the older cluster tag only",
      "subnet-s",
      { "kubernetes.io/cluster/my-example-cluster": "shared" },
      false,
    ],
  ])("%s", (_name, id, tags, usable) => {
    expect(judgeSubnet(subnet(id, tags), rules).usable).toBe(usable);
  });

  test("without a cluster name the cluster tags do not matter", () => {
    const tagged = subnet("subnet-s", { [role]: "1", [theirs]: "" });
    expect(judgeSubnet(tagged, { ...rules, clusterName: undefined })).toEqual({ usable: true });
    expect(judgeSubnet(tagged, rules)).toEqual({ usable: false, why: "other-cluster" });
  });
});

test.each<[Record<string, string>, boolean]>([
  [{ [role]: "0" }, true],
  [{ [role]: "0", [ours]: "" }, true],
  [{ [role]: "1" }, false],
  [{}, false],
  [{ [role]: "1", [theirs]: "" }, true],
  [{ [theirs]: "" }, false],
])("S38: an ENI in a subnet with %j is excluded: %p", (tags, excluded) => {
  expect(isSubnetExcluded("subnet-s", [subnet("subnet-s", tags)], "my-example-cluster")).toBe(excluded);
});

test("S38: a subnet that is not listed is not excluded", () => {
  expect(isSubnetExcluded("subnet-x", [subnet("subnet-s", { [role]: "0" })], undefined)).toBe(false);
});

describe("S39: where a new ENI goes", () => {
  const primary = subnet("subnet-p", { [role]: "0" });
  test("not to the excluded primary subnet", () => {
    const ranked = rankSubnets([primary, subnet("subnet-s", { [role]: "1" })], rules);
    expect(ranked.map(({ subnetId }) => subnetId)).toEqual(["subnet-s"]);
  });

  test("nowhere when all are excluded", () => {
    const all = [primary, subnet("subnet-s", { [role]: "0" })];
    expect(() => rankSubnets(all, rules)).toThrow(
      "all 2 subnets of the zone are untagged or have kubernetes.io/role/cni=0",
    );
  });

  test("with discovery off to the primary subnet, if that is not excluded or not readable", () => {
    expect(() => primarySubnetOnly([primary], rules)).toThrow("ENABLE_SUBNET_DISCOVERY is false");
    expect(primarySubnetOnly([subnet("subnet-p", {})], rules)).toBe("subnet-p");
    expect(primarySubnetOnly(undefined, rules)).toBe("subnet-p");
  });

  test("to the roomiest first, in the given order when equal, past those in back-off", () => {
    const listed = [
      subnet("subnet-p", {}, 10),
      subnet("subnet-a", { [role]: "1" }, 50),
      subnet("subnet-b", { [role]: "1" }, 90),
      subnet("subnet-c", { [role]: "1" }, 50),
    ];
    const ids = (avoid: string[]): string[] =>
      rankSubnets(listed, rules, avoid).map(({ subnetId }) => subnetId);
    expect(ids([])).toEqual(["subnet-b", "subnet-a", "subnet-c", "subnet-p"]);
    expect(ids(["subnet-b", "subnet-c"])).toEqual(["subnet-a", "subnet-p"]);
  });
});
