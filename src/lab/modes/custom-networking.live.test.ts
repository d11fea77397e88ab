import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import {
  CreateSecurityGroupCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSubnetsCommand,
  type NetworkInterface,
} from "@aws-sdk/client-ec2";
import { type EniConfig, eniConfigs, nodes } from "../../kube/resources.ts";
import { labBed, until } from "../lab-bed.ts";

// Custom networking as users set it up: a second block for pods, an ENIConfig per zone, failures that name themselves.
const bed = labBed("custom");

const patience = 90_000;

const lab = `
vpc:
  cidrs: [10.0.0.0/16, 100.64.0.0/16]
  subnets:
    - {name: nodes-a, zone: us-west-2a, cidr: 10.0.32.0/24, publicAddresses: true, routeTable: out}
    - {name: nodes-b, zone: us-west-2b, cidr: 10.0.33.0/24, publicAddresses: true, routeTable: out}
    - {name: pods-a, zone: us-west-2a, cidr: 100.64.0.0/20, routeTable: out}
    - {name: pods-b, zone: us-west-2b, cidr: 100.64.16.0/20, routeTable: out}
    - {name: other-a, zone: us-west-2a, cidr: 100.64.32.0/20, routeTable: out}
    - {name: other-b, zone: us-west-2b, cidr: 100.64.48.0/20, routeTable: out}
  routeTables:
    - {name: out, routes: [{destination: 0.0.0.0/0, target: internet-gateway}]}
nodeGroups:
  - {name: workers, instanceType: m5.large, count: 2, subnets: [nodes-a, nodes-b], maxPods: 60}
cluster: {subnets: [nodes-a, nodes-b]}
awsNode:
  env:
    AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: "true"
    ENI_CONFIG_LABEL_DEF: topology.kubernetes.io/zone
    WARM_IP_TARGET: "1"
    IP_COOLDOWN_PERIOD: "0"
`;

let subnets: ReadonlyMap<string, string> = new Map();
let group = "";
const subnet = (name: string): string => subnets.get(name) ?? "";

async function configure(name: string, spec: EniConfig["spec"]): Promise<void> {
  const object: EniConfig = {
    apiVersion: "crd.k8s.amazonaws.com/v1alpha1",
    kind: "ENIConfig",
    metadata: { name },
    spec,
  };
  await bed
    .kube()
    .delete(eniConfigs, name)
    .catch(() => {});
  await bed.kube().create(eniConfigs, object);
}

/** The names of the nodes, zone a's first; their addresses begin with 10.0.32 and 10.0.33. */
async function nodeNames(): Promise<string[]> {
  return (await bed.kube().list(nodes)).items.map(({ metadata }) => metadata.name).sort();
}

/** The pods' ENIs of a node: all but its primary one. */
const podEnis = async (node: string): Promise<NetworkInterface[]> => (await bed.enis(node)).slice(1);

const podsOf = (node: string): string[] =>
  bed
    .addresses()
    .filter((row) => row.state === "assigned" && row.node?.startsWith(node))
    .map(({ address }) => address);

/** A failure is told by an event about the aws-node pod of a node, and by `get nodes -o wide`. */
async function told(zone: "a" | "b", reason: string, text: string): Promise<void> {
  const node = (await nodeNames()).find((name) =>
    name.startsWith(zone === "a" ? "ip-10-0-32-" : "ip-10-0-33-"),
  );
  await until(`${node} tells of ${reason}`, async () =>
    (await bed.warnings()).some(
      (event) =>
        event.reportingInstance === node &&
        event.reason === reason &&
        event.message?.includes(text) &&
        event.involvedObject.name?.startsWith("aws-node-"),
    ),
  );
  const line = bed
    .succeed("get", "nodes", "-o", "wide")
    .split("\n")
    .find((row) => row.includes(node?.split(".")[0] ?? "?"));
  expect(line).toContain(`${reason}: `);
  expect(line).toContain(text);
}

describe.skipIf(process.getuid?.() !== 0)("custom networking", () => {
  let up: Promise<void> = Promise.resolve();

  beforeAll(async () => {
    up = bed.upFrom(lab);
    up.catch(() => {});
    await until(
      "two nodes have registered",
      async () => existsSync(bed.paths.kubeconfig) && (await nodeNames()).length === 2,
    );
    const ec2 = await bed.ec2();
    const { Subnets = [] } = await ec2.send(new DescribeSubnetsCommand({}));
    subnets = new Map(
      Subnets.map(({ Tags, SubnetId = "" }) => [
        Tags?.find(({ Key }) => Key === "Name")?.Value ?? "",
        SubnetId,
      ]),
    );
    const VpcId = Subnets[0]?.VpcId;
    const made = await ec2.send(
      new CreateSecurityGroupCommand({ GroupName: "pods", Description: "pods", VpcId }),
    );
    group = made.GroupId ?? "";
  }, patience);
  afterAll(() => bed.down(), patience);

  test(
    "without an ENIConfig a node does not become Ready, and says which one is missing",
    async () => {
      await told("a", "ENIConfigNotFound", "ENIConfig us-west-2a");
      await told("b", "ENIConfigNotFound", "ENIConfig us-west-2b");
      const { items } = await bed.kube().list(nodes);
      const ready = items.map(
        ({ status }) => status?.conditions?.find(({ type }) => type === "Ready")?.status,
      );
      expect(ready).toEqual(["False", "False"]);
    },
    patience,
  );

  test(
    "a subnet of another zone and an unknown one are named, and so is an unknown security group",
    async () => {
      await configure("us-west-2a", { subnet: subnet("pods-b") });
      await configure("us-west-2b", { subnet: "subnet-0123456789abcdef0" });
      await bed.restartAwsNode();
      await told("a", "SubnetInOtherZone", "ENIConfig us-west-2a");
      await told("b", "SubnetNotFound", "subnet-0123456789abcdef0");
      await configure("us-west-2a", { subnet: subnet("pods-a"), securityGroups: ["sg-0123456789abcdef0"] });
      await configure("us-west-2b", { securityGroups: [group] });
      await bed.restartAwsNode();
      await told("a", "SecurityGroupNotFound", "sg-0123456789abcdef0");
      await told("b", "ENIConfigInvalid", "no spec.subnet");
    },
    patience,
  );

  test(
    "no ENI of a failure is left",
    async () => {
      const { NetworkInterfaces = [] } = await (await bed.ec2()).send(
        new DescribeNetworkInterfacesCommand({}),
      );
      expect(NetworkInterfaces.filter(({ Status }) => Status !== "in-use")).toEqual([]);
    },
    patience,
  );

  test(
    "by zone: pods live in the ENIConfig's subnet with its groups, and the primary ENI serves none",
    async () => {
      await configure("us-west-2a", { subnet: subnet("pods-a"), securityGroups: [group] });
      await configure("us-west-2b", { subnet: subnet("pods-b") });
      await bed.restartAwsNode();
      await up;
      bed.succeed("run", "web", "--replicas", "8");
      const [a = "", b = ""] = await nodeNames();
      expect(podsOf(a).length + podsOf(b).length).toBe(8);
      for (const address of podsOf(a)) expect(address).toMatch(/^100\.64\.([0-9]|1[0-5])\./);
      for (const address of podsOf(b)) expect(address).toMatch(/^100\.64\.(1[6-9]|2[0-9]|3[01])\./);
      const [primary] = await bed.enis(b);
      expect(primary?.PrivateIpAddresses?.length).toBe(1);
      const groupsOf = (eni: NetworkInterface | undefined) => eni?.Groups?.map(({ GroupId }) => GroupId);
      expect(groupsOf((await podEnis(a))[0])).toEqual([group]);
      expect(groupsOf((await podEnis(b))[0])).toEqual(groupsOf(primary));
      expect(bed.run("verify").status).toBe(0);
    },
    patience,
  );

  test(
    "by annotation and by label: the next ENI goes where they say, pods stay where they are",
    async () => {
      const [a = "", b = ""] = await nodeNames();
      const before = [...podsOf(a), ...podsOf(b)];
      await configure("by-annotation", { subnet: subnet("other-a") });
      await configure("by-label", { subnet: subnet("other-b") });
      const key = "k8s.amazonaws.com/eniConfig";
      await bed.kube().patch(nodes, a, { metadata: { annotations: { [key]: "by-annotation" } } });
      await bed.kube().patch(nodes, b, { metadata: { labels: { [key]: "by-label" } } });
      await bed.rollOut({ ENI_CONFIG_LABEL_DEF: null });
      bed.succeed("scale", "web", "--replicas", "22");
      expect((await podEnis(a)).map(({ SubnetId }) => SubnetId)).toEqual([
        subnet("pods-a"),
        subnet("other-a"),
      ]);
      expect((await podEnis(b)).map(({ SubnetId }) => SubnetId)).toEqual([
        subnet("pods-b"),
        subnet("other-b"),
      ]);
      expect([...podsOf(a), ...podsOf(b)]).toEqual(expect.arrayContaining(before));
      expect(bed.run("verify").status).toBe(0);
    },
    patience,
  );

  test(
    "with prefixes: they are of the ENIConfig's subnet, and the primary ENI has none",
    async () => {
      const [a = ""] = await nodeNames();
      await bed.rollOut({ ENABLE_PREFIX_DELEGATION: "true" });
      bed.succeed("scale", "web", "--replicas", "40");
      const [primary, ...others] = await bed.enis(a);
      expect(primary?.Ipv4Prefixes ?? []).toEqual([]);
      const prefixes = others.flatMap((eni) =>
        (eni.Ipv4Prefixes ?? []).map(({ Ipv4Prefix }) => `${eni.SubnetId} ${Ipv4Prefix}`),
      );
      expect(prefixes.length).toBeGreaterThan(0);
      for (const prefix of prefixes)
        expect(prefix).toMatch(new RegExp(`^${subnet("other-a")} 100\\.64\\.(3[2-9]|4[0-7])\\.`));
      expect(bed.run("verify").status).toBe(0);
    },
    patience,
  );
});
