import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { CreateTagsCommand, DescribeSubnetsCommand } from "@aws-sdk/client-ec2";
import { labBed, until } from "../lab-bed.ts";

// Subnet discovery as users set it up: by tags. One m5.xlarge (4 ENIs, 14 slots each) fills them one after the other.
const bed = labBed("subnets");
const patience = 90_000;

const lab = `
vpc:
  cidrs: [10.0.0.0/16]
  subnets:
    - {name: nodes-a, zone: us-west-2a, cidr: 10.0.32.0/24, publicAddresses: true, routeTable: out}
    - {name: nodes-b, zone: us-west-2b, cidr: 10.0.33.0/24, routeTable: out, tags: {kubernetes.io/role/cni: "1"}}
    - {name: small, zone: us-west-2a, cidr: 10.0.34.0/26, routeTable: out, tags: {kubernetes.io/role/cni: "1"}}
    - {name: big, zone: us-west-2a, cidr: 10.0.64.0/22, routeTable: out, tags: {kubernetes.io/role/cni: "yes"}}
    - {name: untagged, zone: us-west-2a, cidr: 10.0.80.0/20, routeTable: out}
    - {name: excluded, zone: us-west-2a, cidr: 10.0.96.0/20, routeTable: out, tags: {kubernetes.io/role/cni: "0"}}
    - name: shared
      zone: us-west-2a
      cidr: 10.0.112.0/20
      routeTable: out
      tags: {kubernetes.io/role/cni: "1", cni.networking.k8s.aws/cluster/another: shared}
  routeTables:
    - {name: out, routes: [{destination: 0.0.0.0/0, target: internet-gateway}]}
cluster: {subnets: [nodes-a, nodes-b]}
nodeGroups:
  - {name: workers, instanceType: m5.xlarge, count: 1, subnets: [nodes-a]}
awsNode:
  env: {WARM_IP_TARGET: "1", IP_COOLDOWN_PERIOD: "0"}
`;

let subnets: ReadonlyMap<string, string> = new Map();
const idOf = (name: string): string => [...subnets].find(([, other]) => other === name)?.[0] ?? "";

/** Names of the subnets of the node's ENIs, by device index. */
const places = async (): Promise<string[]> =>
  (await bed.enis("ip-10-0-32-")).map(({ SubnetId = "" }) => subnets.get(SubnetId) ?? SubnetId);

const podAddresses = (): Map<string, string> =>
  new Map(
    bed
      .addresses()
      .flatMap(({ state, address, pod }) => (state === "assigned" && pod ? [[pod, address] as const] : [])),
  );

const scale = (pods: number): string => bed.succeed("scale", "web", "--replicas", String(pods));

async function tag(subnet: string, key: string, value: string): Promise<void> {
  const request = { Resources: [idOf(subnet)], Tags: [{ Key: key, Value: value }] };
  await (await bed.ec2()).send(new CreateTagsCommand(request));
}

describe.skipIf(process.getuid?.() !== 0)("S55: subnet discovery", () => {
  beforeAll(async () => {
    await bed.upFrom(lab);
    const { Subnets = [] } = await (await bed.ec2()).send(new DescribeSubnetsCommand({}));
    subnets = new Map(
      Subnets.map(({ SubnetId = "", Tags }) => [
        SubnetId,
        Tags?.find(({ Key }) => Key === "Name")?.Value ?? "",
      ]),
    );
    bed.succeed("run", "web", "--replicas", "8");
  }, patience);

  afterAll(() => bed.down(), patience);

  test(
    "the next ENI goes to the tagged subnet of the zone with the most free addresses",
    async () => {
      expect(await places()).toEqual(["nodes-a"]);
      scale(20);
      expect(await places()).toEqual(["nodes-a", "big"]);
      expect([...podAddresses().values()].filter((address) => address.startsWith("10.0.6")).length).toBe(6);
      expect(bed.run("verify").status).toBe(0);
    },
    patience,
  );

  test(
    "a subnet of another cluster is used once it is tagged for this one too",
    async () => {
      await tag("shared", `cni.networking.k8s.aws/cluster/${bed.paths.name}`, "shared");
      scale(30);
      expect(await places()).toEqual(["nodes-a", "big", "shared"]);
    },
    patience,
  );

  test(
    "when the subnet is full the next one serves, and an event says so",
    async () => {
      const before = podAddresses();
      bed.succeed("break", "subnet", "shared", "--fill", "100%");
      scale(36);
      expect(await places()).toEqual(["nodes-a", "big", "shared", "big"]);
      const after = podAddresses();
      expect(after.size).toBe(36);
      for (const [pod, address] of before) expect(after.get(pod)).toBe(address);
      await until("an event names the full subnet's lack", async () =>
        (await bed.warnings()).some(({ reason }) => reason === "InsufficientFreeAddressesInSubnet"),
      );
    },
    patience,
  );

  test(
    "the node's own subnet excluded: its pods keep their addresses, new pods go elsewhere",
    async () => {
      const before = podAddresses();
      await tag("nodes-a", "kubernetes.io/role/cni", "0");
      await bed.rollOut({ AWS_VPC_K8S_CNI_LOGLEVEL: "INFO" });
      await until("warm addresses of the excluded subnet are given back", async () => {
        const [primary] = await bed.enis("ip-10-0-32-");
        const inUse = new Set(podAddresses().values());
        return (primary?.PrivateIpAddresses ?? []).every(
          ({ Primary, PrivateIpAddress = "" }) => Primary === true || inUse.has(PrivateIpAddress),
        );
      });
      scale(42);
      const after = podAddresses();
      for (const [pod, address] of before) expect(after.get(pod)).toBe(address);
      const fresh = [...after].filter(([pod]) => !before.has(pod)).map(([, address]) => address);
      expect(fresh.length).toBe(6);
      for (const address of fresh) expect(address).not.toStartWith("10.0.32.");
      expect(bed.run("verify").status).toBe(0);
    },
    patience,
  );
});
