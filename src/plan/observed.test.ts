import { describe, expect, test } from "bun:test";
import {
  givenSubnets,
  type Observed,
  observedGroups,
  readNetworkInterfaces,
  readNodes,
  readPods,
  readSubnets,
  readVpcCidrs,
  usedIn,
} from "./observed.ts";
import { planVpc } from "./vpc.ts";

// As the aws command and kubectl write them, cut down to a cluster of two nodes.
const subnets = {
  Subnets: [
    {
      SubnetId: "subnet-a",
      VpcId: "vpc-1",
      CidrBlock: "10.0.0.0/24",
      AvailabilityZone: "eu-west-1a",
      AvailableIpAddressCount: 213,
      Tags: [{ Key: "Name", Value: "nodes-a" }],
    },
    {
      SubnetId: "subnet-b",
      VpcId: "vpc-1",
      CidrBlock: "10.0.1.0/24",
      AvailabilityZone: "eu-west-1b",
      AvailableIpAddressCount: 231,
      Tags: [{ Key: "kubernetes.io/role/internal-elb", Value: "1" }],
    },
    {
      SubnetId: "subnet-c",
      VpcId: "vpc-1",
      CidrBlock: "10.0.2.0/28",
      AvailabilityZone: "eu-west-1a",
      AvailableIpAddressCount: 10,
    },
    {
      SubnetId: "subnet-p",
      VpcId: "vpc-1",
      CidrBlock: "10.0.3.0/24",
      AvailabilityZone: "eu-west-1a",
      AvailableIpAddressCount: 250,
    },
  ],
};
const addresses = (...list: string[]) =>
  list.map((PrivateIpAddress, index) => ({ PrivateIpAddress, Primary: index === 0 }));
const interfaces = {
  NetworkInterfaces: [
    {
      NetworkInterfaceId: "eni-1",
      SubnetId: "subnet-a",
      Description: "",
      Attachment: { InstanceId: "i-0123456789abcdef0", DeviceIndex: 0 },
      PrivateIpAddresses: addresses("10.0.0.10", "10.0.0.11"),
      Ipv4Prefixes: [{ Ipv4Prefix: "10.0.0.32/28" }],
    },
    {
      NetworkInterfaceId: "eni-2",
      SubnetId: "subnet-a",
      Description: "ELB net/web/1",
      Attachment: { InstanceOwnerId: "amazon-elb", DeviceIndex: 1 },
      PrivateIpAddresses: addresses("10.0.0.200"),
    },
    {
      NetworkInterfaceId: "eni-3",
      SubnetId: "subnet-c",
      Description: "Amazon EKS shop",
      PrivateIpAddresses: addresses("10.0.2.5"),
    },
    {
      NetworkInterfaceId: "eni-4",
      SubnetId: "subnet-p",
      Description: "Interface for NAT Gateway nat-1",
      PrivateIpAddresses: addresses("10.0.3.4"),
    },
  ],
};
const node = (name: string, zone: string, type = "m5.large") => ({
  metadata: {
    name,
    labels: { "node.kubernetes.io/instance-type": type, "topology.kubernetes.io/zone": zone },
  },
  spec: { providerID: `aws:///${zone}/i-0123456789abcdef0` },
  status: { capacity: { pods: "29" } },
});
const pod = (name: string, nodeName: string, more: object = {}, phase = "Running") => ({
  metadata: { namespace: "default", name },
  spec: { nodeName, ...more },
  status: { phase },
});

const observed: Observed = {
  subnets: readSubnets(subnets),
  enis: readNetworkInterfaces(interfaces),
  nodes: readNodes({
    items: [node("one", "eu-west-1a"), node("two", "eu-west-1b"), node("big", "eu-west-1b", "m5.4xlarge")],
  }),
  pods: readPods({
    items: [
      pod("a", "one"),
      pod("b", "one"),
      pod("c", "two"),
      pod("kube-proxy", "one", { hostNetwork: true }),
      pod("done", "one", {}, "Succeeded"),
      pod("waiting", ""),
    ],
  }),
};

describe("exported JSON", () => {
  test("a bare list will do as well", () => {
    expect(readSubnets(subnets.Subnets)).toEqual(readSubnets(subnets));
  });

  test("nodes are grouped by type with the most pods that take an address", () => {
    expect(observedGroups(observed)).toEqual([
      { name: "m5-4xlarge", instanceType: "m5.4xlarge", nodes: 1, podsPerNode: 0, maxPods: 29 },
      { name: "m5-large", instanceType: "m5.large", nodes: 2, podsPerNode: 2, maxPods: 29 },
    ]);
    expect(observed.nodes?.[0]?.instanceId).toBe("i-0123456789abcdef0");
    expect(observedGroups({ subnets: [] })).toBeUndefined();
  });

  test("what a subnet is for, and what others have in it", () => {
    expect(givenSubnets(observed).map(({ name, kind, usedByOthers }) => [name, kind, usedByOthers])).toEqual([
      ["nodes-a", "private", 1],
      ["subnet-b", "private", 0],
      ["subnet-c", "cluster", 0],
      ["subnet-p", "public", 1],
    ]);
  });

  test("an empty subnet is told by its name, or its range", () => {
    const [first] = observed.subnets;
    if (first === undefined) throw new Error("no subnet");
    const kinds = [
      { ...first, subnetId: "x", name: "pods-a" },
      { ...first, subnetId: "y", name: "subnet-y", cidr: "100.64.0.0/18" },
      { ...first, subnetId: "z", name: "subnet-z" },
    ];
    expect(givenSubnets({ subnets: kinds }).map(({ kind }) => kind)).toEqual(["pods", "pods", "private"]);
  });

  test("addresses and prefixes in use", () => {
    const [first] = observed.subnets;
    if (first === undefined) throw new Error("no subnet");
    expect(usedIn(observed, first)).toEqual(["10.0.0.10", "10.0.0.11", "10.0.0.200", "10.0.0.32/28"]);
    expect(usedIn({ subnets: observed.subnets }, first)).toBeUndefined();
  });

  test("the blocks of the VPC", () => {
    const vpcs = {
      Vpcs: [
        {
          VpcId: "vpc-1",
          CidrBlock: "10.0.0.0/16",
          CidrBlockAssociationSet: [{ CidrBlock: "10.0.0.0/16" }, { CidrBlock: "100.64.0.0/16" }],
        },
      ],
    };
    expect(readVpcCidrs(vpcs, "vpc-1")).toEqual(["10.0.0.0/16", "100.64.0.0/16"]);
    expect(readVpcCidrs(vpcs, "vpc-2")).toBeUndefined();
  });

  test("a plan takes them as they are", () => {
    const groups = observedGroups(observed) ?? [];
    const plan = planVpc({
      region: "eu-west-1",
      zones: ["eu-west-1a", "eu-west-1b"],
      nodeGroups: groups,
      subnets: givenSubnets(observed),
      natGateways: "none",
    });
    expect(plan.subnets.map(({ name, usedNow }) => [name, usedNow])).toEqual([
      ["nodes-a", 20 + 30 + 1],
      ["subnet-b", 20],
      ["subnet-c", 4],
      ["subnet-p", 1],
    ]);
  });
});

test("files of another kind are refused with the field and what is wanted", () => {
  expect(() => readSubnets({ Vpcs: [] })).toThrow(
    "subnets: JSON with Vpcs; wanted JSON with the list Subnets",
  );
  expect(() => readSubnets([{ SubnetId: "subnet-1", CidrBlock: 5 }])).toThrow(
    "subnets[0].CidrBlock: 5; wanted text",
  );
  expect(() => readNodes({ items: [{ metadata: { name: "one" } }] })).toThrow(
    "nodes[0].metadata.labels: no such label; wanted the label node.kubernetes.io/instance-type",
  );
  expect(() => readNetworkInterfaces("text")).toThrow("enis: JSON with string");
});
