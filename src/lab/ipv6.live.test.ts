import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { DescribeSubnetsCommand, DescribeVpcsCommand } from "@aws-sdk/client-ec2";
import { nodes, type Pod, pods } from "../kube/resources.ts";
import { saveIptables } from "../linux/iptables.ts";
import { Netns } from "../linux/netns.ts";
import { formatAddress } from "../linux/rtnetlink/family.ts";
import { Rtnetlink } from "../linux/rtnetlink/rtnetlink.ts";
import { isInside } from "./address-homes.ts";
import { type LabMachine, labStatus } from "./control.ts";
import { type LabBed, labBed, until } from "./lab-bed.ts";
import { podNetnsPaths } from "./pod-netns.ts";
import { type CheckResult, type RuleId, summarize } from "./verify/checks.ts";
import { verifyLab } from "./verify/verify.ts";

// Both ways of two IP families: an IPv6 cluster whose pods leave over IPv4 too, and an IPv4 cluster the other way.

const isRoot = process.getuid?.() === 0;

const webPods = async (bed: LabBed): Promise<Pod[]> =>
  (await bed.kube().list(pods, { namespace: "default" })).items;
const addressesOf = (all: readonly Pod[]): string[] =>
  all.map(({ status }) => status?.podIP ?? "").toSorted();

const verify = async (bed: LabBed): Promise<CheckResult[]> =>
  verifyLab(await labStatus(bed.paths), bed.kube(), await bed.ec2());

/** Rules that failed, and those of which nothing was checked. */
const wrong = (results: readonly CheckResult[]): RuleId[] =>
  summarize(results)
    .filter(({ failed, passed }) => failed > 0 || passed === 0)
    .map(({ rule }) => rule);

/** Who sent, and the source that the other side saw, for TCP and UDP of one rule. */
const sources = (results: readonly CheckResult[], rule: RuleId) =>
  results
    .filter(({ check }) => check.rule === rule && check.protocol !== "icmp")
    .map(({ check, seenSource }) => ({ from: check.from, seenSource }));

function inNetns<T>(path: string, look: (rt: Rtnetlink, ns: Netns) => T): T {
  using ns = Netns.open(path);
  using rt = Rtnetlink.open(ns);
  return look(rt, ns);
}

const onNode = <T>({ initPid }: LabMachine, look: (rt: Rtnetlink, ns: Netns) => T): T =>
  inNetns(`/proc/${initPid}/ns/net`, look);

describe.skipIf(!isRoot)("an IPv6 cluster", () => {
  const bed = labBed("six");
  const podCount = 6;
  const isolationIn = (machine: LabMachine): boolean =>
    onNode(machine, (_rt, ns) =>
      saveIptables(4, "filter", ns).includes('"Block Node Local Pod access via IPv4" -j REJECT'),
    );
  const chainsIn = (machine: LabMachine): number =>
    onNode(machine, (_rt, ns) => saveIptables(4, "nat", ns).match(/^:CNI-E4-/gm)?.length ?? 0);

  beforeAll(() => {
    bed.succeed("up", "--ipv6", "--nodes", "2", "--detach");
    bed.succeed("run", "web", "--replicas", String(podCount));
  }, 180_000);
  afterAll(() => bed.down(), 60_000);

  test("has a /56, a /64 in every subnet, and services in a unique local block", async () => {
    const ec2 = await bed.ec2();
    const { Vpcs = [] } = await ec2.send(new DescribeVpcsCommand({}));
    const { Subnets = [] } = await ec2.send(new DescribeSubnetsCommand({}));
    const [vpc = "", ...others] = Vpcs.flatMap((one) =>
      (one.Ipv6CidrBlockAssociationSet ?? []).map(({ Ipv6CidrBlock }) => Ipv6CidrBlock),
    );
    expect(others).toEqual([]);
    expect(vpc).toMatch(/::\/56$/);
    const blocks = Subnets.map((one) => one.Ipv6CidrBlockAssociationSet?.[0]?.Ipv6CidrBlock ?? "");
    expect(new Set(blocks).size).toBe(6);
    for (const block of blocks) {
      expect(block).toMatch(/::\/64$/);
      expect(isInside(vpc, block.replace("/64", ""))).toBe(true);
    }
    const [cluster] = bed.json<{ kubernetesNetworkConfig: unknown }[]>("get", "clusters");
    expect(cluster?.kubernetesNetworkConfig).toMatchObject({
      ipFamily: "ipv6",
      serviceIpv6Cidr: expect.stringMatching(/^fd[0-9a-f]{2}:.*\/108$/),
    });
  }, 180_000);

  test("gives each node one /80, and each pod one address of its node's", async () => {
    const [{ items }, web] = await Promise.all([bed.kube().list(nodes), webPods(bed)]);
    const rows = bed.addresses();
    expect(new Set(addressesOf(web)).size).toBe(podCount);
    for (const { metadata, status } of items) {
      const held = rows.filter(({ node, state }) => node === metadata.name && state === "prefix");
      expect(held.map(({ address }) => address.replace(/.*\//, ""))).toEqual(["80"]);
      const internal = status?.addresses?.filter(({ type }) => type === "InternalIP") ?? [];
      const own = web.filter(({ spec }) => spec?.nodeName === metadata.name);
      expect(own.length).toBe(podCount / 2);
      for (const pod of own) {
        const address = pod.status?.podIP ?? "";
        expect(isInside(held[0]?.address ?? "", address)).toBe(true);
        expect(pod.status?.podIPs).toEqual([{ ip: address }]);
        expect(internal.map((each) => each.address)).toEqual([pod.status?.hostIP ?? ""]);
      }
    }
    const assigned = rows.filter(({ state }) => state === "assigned").map(({ address }) => address);
    expect(assigned.toSorted()).toEqual(addressesOf(web));
    const table = bed.succeed("get", "pods");
    for (const address of assigned) expect(table).toMatch(new RegExp(`${address} .*eni-`));
  }, 180_000);

  test("holds the network model; IPv6 leaves as it is, IPv4 by the node and the NAT gateway", async () => {
    const results = await verify(bed);
    expect(wrong(results)).toEqual([]);
    expect(summarize(results).map(({ rule }) => rule)).toContain("egress-isolation");
    const outward = sources(results, "pod-to-internet");
    expect(outward.length).toBe(2 * podCount);
    for (const { from, seenSource } of outward) expect(from.address).toBe(seenSource ?? "no answer");
    const egress = sources(results, "egress");
    expect(egress.length).toBe(2 * podCount);
    for (const { seenSource } of egress) expect(seenSource).toStartWith("203.0.113.");
    expect(bed.run("check").stdout).not.toContain("✗");
  }, 180_000);

  test("S58: keeps pods apart by a rule that verify misses and a new aws-node brings back", async () => {
    const [machine] = (await bed.machines()) as [LabMachine];
    const before = addressesOf(await webPods(bed));
    bed.on(machine.instanceId, "iptables", "-D", "FORWARD", "1");
    expect(wrong(await verify(bed))).toEqual(["egress-isolation"]);
    const { items } = await bed.kube().list(pods, { namespace: "kube-system" });
    const agent = items.find(({ spec }) => spec?.nodeName === machine.nodeName)?.metadata.name ?? "";
    await bed.kube().delete(pods, agent, { namespace: "kube-system" });
    await until("the rule is there again", () => isolationIn(machine));
    expect(wrong(await verify(bed))).toEqual([]);
    expect(addressesOf(await webPods(bed))).toEqual(before);
  }, 180_000);

  test("takes everything of a pod away with it", async () => {
    const machines = await bed.machines();
    expect(machines.map(chainsIn)).toEqual([podCount / 2, podCount / 2]);
    bed.succeed("scale", "web", "--replicas", "0");
    await until("the pods are gone", async () => (await webPods(bed)).length === 0);
    for (const machine of machines) {
      expect(chainsIn(machine)).toBe(0);
      const left = onNode(machine, (rt) => ({
        rules: rt.rules(6).filter(({ priority }) => priority === 512),
        links: rt.links().filter(({ name }) => /^(eni|veth)/.test(name)),
        egressRoutes: rt.routes({ family: 4 }).filter(({ destination }) => isEgress(destination.base)),
      }));
      expect(left).toEqual({ rules: [], links: [], egressRoutes: [] });
    }
    const [first] = machines as [LabMachine];
    const given = bed.on(first.instanceId, "ls", "/run/cni/v6pd/egress-v4-ipam/aws-cni");
    expect(given).not.toContain("169.254.172.");
  }, 180_000);
});

/** In 169.254.172.0/22. */
const isEgress = (base: number | bigint): boolean =>
  typeof base === "number" && base >>> 10 === 0xa9feac00 >>> 10;

describe.skipIf(!isRoot)("an IPv4 cluster with IPv6 egress", () => {
  const bed = labBed("four");

  beforeAll(async () => {
    // A t3.small has room for three pods on an ENI.
    await bed.upFrom(`
vpc: {ipv6: true}
nodeGroups: [{name: workers, instanceType: t3.small, count: 2}]
awsNode: {env: {ENABLE_V6_EGRESS: "true"}}
`);
    bed.succeed("run", "web", "--replicas", "10");
  }, 180_000);
  afterAll(() => bed.down(), 60_000);

  test("S58: lets pods of every ENI out over IPv6, seen as their node", async () => {
    const machines = await bed.machines();
    const results = await verify(bed);
    expect(wrong(results)).toEqual([]);
    const seen = sources(results, "egress");
    expect(seen.length).toBe(20);
    for (const { from, seenSource } of seen) {
      const machine = machines.find(({ nodeName }) => nodeName === from.node);
      expect(seenSource).toBe(machine?.ipv6Address ?? "no IPv6 address");
    }
    const assigned = bed.addresses().filter(({ state }) => state === "assigned");
    expect(new Set(assigned.map(({ eniId }) => eniId)).size).toBe(4);
    expect(bed.run("check").stdout).not.toContain("✗");
  }, 180_000);

  test("gives pods no other IPv6 than that", async () => {
    for (const machine of await bed.machines()) {
      for (const path of podNetnsPaths(machine).values()) {
        const found = inNetns(path, (rt) =>
          rt
            .addresses({ family: 6 })
            .filter(({ scope }) => scope === "universe")
            .map(({ interfaceIndex, address }) => [
              rt.linkByIndex(interfaceIndex)?.name,
              formatAddress(address),
            ]),
        );
        expect(found).toEqual([["v6if0", expect.stringMatching(/^fd00::ac:[0-9a-f]+$/)]]);
      }
    }
  });
});
