import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { parseIpv4 } from "../addr/ipv4.ts";
import { type Deployment, deployments, type Pod, pods } from "../kube/resources.ts";
import { openEchoListener } from "../linux/echo-listener.ts";
import { Netns } from "../linux/netns.ts";
import { probeTcp } from "../linux/probe-socket.ts";
import { formatAddress } from "../linux/rtnetlink/family.ts";
import { Rtnetlink } from "../linux/rtnetlink/rtnetlink.ts";
import { isInside } from "./address-homes.ts";
import type { LabMachine } from "./control.ts";
import { labBed, until } from "./lab-bed.ts";
import { podNetnsPaths } from "./pod-netns.ts";

// Nodes with two network cards, and pods that ask for an interface on each of them.

const isRoot = process.getuid?.() === 0;
const labels = { app: "fast" };

const fast: Deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "fast", namespace: "default" },
  spec: {
    replicas: 4,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels, annotations: { "k8s.amazonaws.com/nicConfig": "multi-nic-attachment" } },
      spec: { containers: [{ name: "echo", image: "eniverse/echo" }] },
    },
  },
};

/** What a pod has inside: addresses by device, and for each rule of its own the device that it leads to. */
function insideOf(path: string, family: 4 | 6 = 4) {
  using ns = Netns.open(path);
  using rt = Rtnetlink.open(ns);
  const nameOf = (index: number | undefined): string => rt.linkByIndex(index ?? 0)?.name ?? "none";
  const addresses = rt
    .addresses({ family })
    .filter(({ scope }) => scope === "universe")
    .map(({ interfaceIndex, address }) => [nameOf(interfaceIndex), formatAddress(address)] as const)
    .filter(([device]) => device !== "lo");
  const ways = rt
    .rules(family)
    .filter(({ priority }) => priority === 1)
    .map(({ from, table = 0 }) => {
      const way = rt.routes({ family, table }).find(({ destination }) => destination.bits === 0);
      return [from === undefined ? "anywhere" : formatAddress(from.base), nameOf(way?.interfaceIndex)];
    });
  return { addresses: Object.fromEntries(addresses), ways };
}

describe.skipIf(!isRoot)("nodes with two network cards", () => {
  const bed = labBed("cards");
  const fastPods = async (): Promise<Pod[]> =>
    (await bed.kube().list(pods, { namespace: "default" })).items.filter(
      ({ metadata, status }) => metadata.labels?.app === "fast" && status?.phase === "Running",
    );
  const netnsOf = async (): Promise<Map<string, string>> =>
    new Map((await bed.machines()).flatMap((machine) => [...podNetnsPaths(machine)]));

  beforeAll(async () => {
    await bed.upFrom(`
nodeGroups: [{name: workers, instanceType: c6in.32xlarge, count: 2}]
awsNode: {env: {ENABLE_MULTI_NIC: "true", WARM_IP_TARGET: "2", MINIMUM_IP_TARGET: "4"}}
`);
    await bed.kube().create(deployments, fast);
    bed.succeed("run", "web", "--replicas", "4");
    await until("the pods run", async () => (await fastPods()).length === 4);
  }, 180_000);
  afterAll(() => bed.down(), 60_000);

  test("have an ENI and a routing table on each card", async () => {
    for (const machine of await bed.machines()) {
      using ns = Netns.open(`/proc/${machine.initPid}/ns/net`);
      using rt = Rtnetlink.open(ns);
      const second = rt.linkByName("eth1")?.index;
      const [way] = rt
        .routes({ family: 4, table: 10_100 })
        .filter(({ destination }) => destination.bits === 0);
      expect(way?.interfaceIndex).toBe(second ?? -1);
    }
    const starred = bed.succeed("get", "enis").match(/\*eni-/g) ?? [];
    expect(starred.length).toBe(2);
  }, 180_000);

  test("give pods that ask for it an address of every card, others one", async () => {
    const enis = new Map(bed.addresses().map((row) => [row.address, row]));
    const netns = await netnsOf();
    const seen = new Set<string>();
    for (const { metadata, status, spec } of await fastPods()) {
      const inside = insideOf(netns.get(metadata.uid ?? "") ?? "");
      const { eth0 = "", mNicIf1 = "" } = inside.addresses;
      expect(Object.keys(inside.addresses)).toEqual(["eth0", "mNicIf1"]);
      expect(inside.ways).toEqual([[mNicIf1, "mNicIf1"]]);
      // The API server hears of the first only: a pod has one address of a family.
      expect(status?.podIPs).toEqual([{ ip: eth0 }]);
      const [first, second] = [enis.get(eth0), enis.get(mNicIf1)];
      expect([first?.node, second?.node]).toEqual([spec?.nodeName ?? "", spec?.nodeName ?? ""]);
      expect(second?.pod).toBe(`default/${metadata.name}`);
      expect(first?.eniId).not.toBe(second?.eniId ?? "");
      seen.add(eth0).add(mNicIf1);
    }
    expect(seen.size).toBe(8);
    const others = (await bed.kube().list(pods, { namespace: "default" })).items.filter(
      ({ metadata }) => metadata.labels?.app !== "fast",
    );
    expect(others.length).toBe(4);
    for (const { metadata } of others)
      expect(Object.keys(insideOf(netns.get(metadata.uid ?? "") ?? "").addresses)).toEqual(["eth0"]);
  }, 180_000);

  test("carry packets of every address by its own card", async () => {
    const netns = [...(await netnsOf()).entries()];
    const names = (await fastPods()).map(({ metadata }) => metadata.uid ?? "");
    const paths = netns.filter(([uid]) => names.includes(uid)).map(([, path]) => path);
    let answered = 0;
    for (const to of paths) {
      using there = Netns.open(to);
      const listener = await openEchoListener(there, { address: parseIpv4("0.0.0.0") });
      for (const from of paths.filter((path) => path !== to)) {
        using here = Netns.open(from);
        for (const device of ["eth0", "mNicIf1"]) {
          const source = insideOf(from).addresses[device] ?? "";
          const target = insideOf(to).addresses[device] ?? "";
          const result = await probeTcp(here, {
            to: parseIpv4(target),
            from: parseIpv4(source),
            port: listener.tcpPort,
            timeoutMs: 2000,
          });
          expect(result).toMatchObject({ ok: true, answer: expect.stringContaining(`${source} `) });
          answered++;
        }
      }
      listener.close();
    }
    expect(answered).toBe(24);
    // What comes by the second card was sent by it: the VPC's source check would have dropped it otherwise.
    expect(
      bed.json<{ rules: { failed: number }[] }>("verify").rules.every(({ failed }) => failed === 0),
    ).toBe(true);
    expect(bed.run("check").stdout).not.toContain("✗");
  }, 180_000);

  test("get all addresses back when the pods go", async () => {
    await bed.kube().delete(deployments, "fast", { namespace: "default" });
    await until("the pods are gone", async () =>
      bed.addresses().every(({ pod, state }) => state !== "assigned" || !pod?.includes("/fast-")),
    );
    const machines = await bed.machines();
    await until("the pods' rules are gone", () => machines.every((machine) => rulesTo10100(machine) === 1));
  }, 180_000);
});

describe.skipIf(!isRoot)("IPv6 nodes with two network cards", () => {
  const bed = labBed("cards6");

  beforeAll(async () => {
    await bed.upFrom(`
cluster: {ipFamily: ipv6}
nodeGroups: [{name: workers, instanceType: c6in.32xlarge, count: 2}]
awsNode: {env: {ENABLE_MULTI_NIC: "true"}}
`);
    await bed.kube().create(deployments, fast);
    const running = async (): Promise<number> =>
      (await bed.kube().list(pods, { namespace: "default" })).items.filter(
        ({ status }) => status?.phase === "Running",
      ).length;
    await until("the pods run", async () => (await running()) === 4);
  }, 180_000);
  afterAll(() => bed.down(), 60_000);

  test("hold a /80 on each card, from which pods have an address each", async () => {
    const rows = bed.addresses();
    const prefixes = rows.filter(({ state }) => state === "prefix");
    expect(new Set(prefixes.map(({ eniId }) => eniId)).size).toBe(4);
    expect(prefixes.length).toBe(4);
    for (const machine of await bed.machines()) {
      for (const path of podNetnsPaths(machine).values()) {
        const { addresses, ways } = insideOf(path, 6);
        expect(Object.keys(addresses)).toEqual(["eth0", "mNicIf1"]);
        expect(ways).toEqual([[addresses.mNicIf1 ?? "", "mNicIf1"]]);
        const homes = Object.values(addresses).map((address) =>
          prefixes.find((prefix) => isInside(prefix.address, address)),
        );
        expect(homes.map((home) => home?.node)).toEqual([machine.nodeName, machine.nodeName]);
        expect(new Set(homes.map((home) => home?.eniId)).size).toBe(2);
      }
    }
    expect(
      bed.json<{ rules: { failed: number }[] }>("verify").rules.every(({ failed }) => failed === 0),
    ).toBe(true);
    expect(bed.run("check").stdout).not.toContain("✗");
  }, 180_000);
});

/** Rules to the second card's table: with no pods there, only that of the ENI itself. */
function rulesTo10100({ initPid }: LabMachine): number {
  using ns = Netns.open(`/proc/${initPid}/ns/net`);
  using rt = Rtnetlink.open(ns);
  return rt.rules(4).filter(({ table }) => table === 10_100).length;
}
