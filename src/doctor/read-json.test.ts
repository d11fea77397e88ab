import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { doctorPage } from "./page.ts";
import { inputOf } from "./read-json.ts";
import { inputOfLab } from "./read-lab-file.ts";

const subnets = {
  Subnets: [
    {
      SubnetId: "subnet-1",
      CidrBlock: "10.0.1.0/26",
      AvailabilityZone: "us-west-2a",
      AvailableIpAddressCount: 40,
      MapPublicIpOnLaunch: false,
      EnableDns64: true,
      Tags: [{ Key: "Name", Value: "private-a" }],
    },
  ],
};
const enis = {
  NetworkInterfaces: [
    {
      NetworkInterfaceId: "eni-1",
      SubnetId: "subnet-1",
      Attachment: { InstanceId: "i-0abc", DeviceIndex: 0 },
      PrivateIpAddresses: [{ PrivateIpAddress: "10.0.1.20", Primary: true }],
      Ipv4Prefixes: [{ Ipv4Prefix: "10.0.1.32/28" }],
    },
    {
      NetworkInterfaceId: "eni-2",
      SubnetId: "subnet-1",
      Description: "Amazon EKS dev",
      PrivateIpAddresses: [],
    },
  ],
};

test("subnets and interfaces: free blocks, the control plane's subnets, reservations", () => {
  const reservations = [
    {
      SubnetIpv4CidrReservations: [{ SubnetId: "subnet-1", ReservationType: "prefix", Cidr: "10.0.1.32/27" }],
    },
  ];
  const input = inputOf({ subnets, enis, reservations });
  expect(input.subnets).toEqual([
    {
      id: "subnet-1",
      name: "private-a",
      zone: "us-west-2a",
      cidr: "10.0.1.0/26",
      tags: { Name: "private-a" },
      free: 40,
      // Of four blocks the first and the last have AWS's own addresses; .20 is in the second, .32/28 is the third.
      freeBlocks: 0,
      isPublic: false,
      dns64: true,
      prefixReservations: ["10.0.1.32/27"],
    },
  ]);
  expect(input.clusterSubnets).toEqual(["subnet-1"]);
  expect(input.enis?.[0]).toEqual({
    id: "eni-1",
    subnetId: "subnet-1",
    instanceId: "i-0abc",
    addresses: 1,
    prefixes: 1,
  });
});

test("nodes, pods, DaemonSets, the service account", () => {
  const input = inputOf({
    enis,
    nodes: {
      items: [
        {
          metadata: {
            name: "n1",
            labels: {
              "node.kubernetes.io/instance-type": "m5.large",
              "topology.kubernetes.io/zone": "us-west-2a",
              "k8s.amazonaws.com/eniConfig": "pods-a",
            },
          },
          spec: { providerID: "aws:///us-west-2a/i-0abc" },
          status: { capacity: { pods: "29" } },
        },
      ],
    },
    pods: {
      items: [{ metadata: { namespace: "default", name: "p" }, spec: { terminationGracePeriodSeconds: 0 } }],
    },
    daemonSets: {
      kind: "DaemonSet",
      metadata: { namespace: "kube-system", name: "aws-node" },
      spec: {
        template: {
          spec: {
            initContainers: [
              { name: "aws-vpc-cni-init", env: [{ name: "DISABLE_TCP_EARLY_DEMUX", value: "true" }] },
            ],
            containers: [
              {
                name: "aws-node",
                image: "amazon-k8s-cni:v1.23.1",
                env: [
                  { name: "WARM_IP_TARGET", value: "5" },
                  { name: "MY_NODE_NAME", valueFrom: {} },
                ],
                livenessProbe: { timeoutSeconds: 10 },
                readinessProbe: {},
              },
            ],
          },
        },
      },
    },
    serviceAccount: { kind: "ServiceAccount", metadata: { name: "aws-node" } },
  });
  expect(input.nodes).toEqual([
    {
      name: "n1",
      instanceType: "m5.large",
      zone: "us-west-2a",
      maxPods: 29,
      subnets: ["subnet-1"],
      labels: {
        "node.kubernetes.io/instance-type": "m5.large",
        "topology.kubernetes.io/zone": "us-west-2a",
        "k8s.amazonaws.com/eniConfig": "pods-a",
      },
      annotations: {},
    },
  ]);
  expect(input.pods).toEqual([{ namespace: "default", name: "p", graceSeconds: 0, hostNetwork: false }]);
  expect(input.env).toEqual({ WARM_IP_TARGET: "5" });
  expect(input.initEnv).toEqual({ DISABLE_TCP_EARLY_DEMUX: "true" });
  expect(input.probeTimeouts).toEqual([10, 1]);
  expect(input.serviceAccount).toEqual({});
});

test("the pods of aws-node show whether they have a role of their own", () => {
  const pod = (env: object[]) => ({
    metadata: { name: "aws-node-x", namespace: "kube-system", labels: { "k8s-app": "aws-node" } },
    spec: { hostNetwork: true, containers: [{ name: "aws-node", env }] },
  });
  const uri = { name: "AWS_CONTAINER_CREDENTIALS_FULL_URI", value: "http://169.254.170.23/v1/credentials" };
  expect(inputOf({ pods: { items: [pod([uri])] } }).podCredentials).toEqual([uri.name]);
  expect(inputOf({ pods: { items: [pod([])] } }).podCredentials).toEqual([]);
  expect(inputOf({ pods: { items: [] } }).podCredentials).toBeUndefined();
});

describe("several VPCs in one export", () => {
  const two = {
    subnets: {
      Subnets: [
        { ...subnets.Subnets[0], VpcId: "vpc-1" },
        { ...subnets.Subnets[0], SubnetId: "subnet-2", VpcId: "vpc-2" },
      ],
    },
    enis: { NetworkInterfaces: enis.NetworkInterfaces.map((eni) => ({ ...eni, VpcId: "vpc-1" })) },
  };

  test("the wanted one alone is looked at", () => {
    expect(inputOf(two, "vpc-2").subnets?.map(({ id }) => id)).toEqual(["subnet-2"]);
    expect(inputOf(two, "vpc-2").enis).toEqual([]);
    expect(inputOf(two, "vpc-1").enis).toHaveLength(2);
  });

  test("which one must be said", () => {
    expect(() => inputOf(two)).toThrow("choose the VPC: 2 VPCs; wanted --vpc with one of vpc-1, vpc-2");
    expect(() => inputOf(two, "vpc-3")).toThrow("--vpc vpc-3; wanted --vpc with one of vpc-1, vpc-2");
  });
});

test("a field that is missing or wrong is refused by its place", () => {
  const [subnet] = subnets.Subnets;
  expect(() => inputOf({ subnets: [{ ...subnet, CidrBlock: "10.0.0.0" }] })).toThrow(
    'cannot read subnets[0].CidrBlock: "10.0.0.0"; wanted an IPv4 block',
  );
  expect(() => inputOf({ subnets: [subnet, {}] })).toThrow(
    "cannot read subnets[1].SubnetId: nothing; wanted text",
  );
  const nodes = [{ metadata: { name: "n1", labels: {} } }];
  expect(() => inputOf({ nodes: { items: nodes } })).toThrow(
    "cannot read nodes[0].metadata.labels.node.kubernetes.io/instance-type: nothing; wanted text",
  );
});

test("another form is refused by name", () => {
  expect(() => inputOf({ subnets: { Vpcs: [] } })).toThrow(
    "cannot read subnets: JSON with Vpcs; wanted JSON with the list Subnets",
  );
});

test("a lab file tells subnets, node groups and settings, and nothing of what is in use", () => {
  const input = inputOfLab({
    vpc: {
      subnets: [
        {
          name: "a",
          zone: "us-west-2a",
          cidr: "10.0.0.0/24",
          reservations: [
            { cidr: "10.0.0.128/25", type: "prefix" },
            { cidr: "10.0.0.64/28", type: "explicit" },
          ],
        },
      ],
    },
    cluster: { subnets: ["a"] },
    nodeGroups: [
      { name: "w", instanceType: "m5.large", count: 3, subnets: ["a"] },
      { name: "none", instanceType: "m5.large", count: 0, subnets: ["a"] },
    ],
    awsNode: { env: { WARM_IP_TARGET: "2" } },
  });
  expect(input.nodes).toEqual([
    { name: "w", instanceType: "m5.large", zone: "us-west-2a", subnets: ["a"], count: 3 },
  ]);
  expect(input.subnets?.[0]?.prefixReservations).toEqual(["10.0.0.128/25"]);
  expect(input.subnets?.[0]?.free).toBeUndefined();
  expect(input.enis).toBeUndefined();
});

test("docs/doctor.md is fresh (npm run docs)", () => {
  expect(readFileSync(join(import.meta.dir, "../../docs/doctor.md"), "utf8")).toBe(doctorPage());
});
