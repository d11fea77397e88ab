import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseIpv4 } from "../../addr/ipv4.ts";
import { openEchoListener } from "../../linux/echo-listener.ts";
import { endHolder, findHolders, startNamespaceHolder } from "../../linux/holder.ts";
import { Netns } from "../../linux/netns.ts";
import { ping, probeTcp } from "../../linux/probe-socket.ts";
import { createFabric, destroyFabric, type LiveFabric } from "../fabric/fabric.ts";
import type { FabricEni, FabricSpec } from "../fabric/spec.ts";
import { eniA, eniB, eniC, privateSubnet, publicSubnet, spec } from "../fabric/test-spec.ts";
import { type Machine, machinesOf, startMachine } from "./machine.ts";

const isRoot = process.getuid?.() === 0;
const lab = `vpc-test-${process.pid}`;
const timeoutMs = 1000;
/** A packet may be lost while a device that was just made comes up; whoever pings sends another one. */
const tries = 30;

/** What must be the same before and after. */
function hostPicture(): readonly string[] {
  const show = (program: string, ...args: string[]): string =>
    spawnSync(program, args, { encoding: "utf8" }).stdout.replaceAll(/(valid|preferred)_lft \d+sec/g, "");
  return [
    readFileSync("/proc/self/mounts", "utf8"),
    show("ip", "-o", "link"),
    show("ip", "-o", "address"),
    show("ip", "route", "show", "table", "all"),
    show("ip", "rule"),
    show("ip", "-6", "rule"),
    show("nft", "list", "ruleset"),
  ];
}

// Three machines in two subnets, and a service with an ENI in each, as the EKS control plane has.
const { mac: macA } = eniA;
const service = (number: number, subnetId: string, address: string): FabricEni => ({
  ...eniC,
  eniId: `eni-0${String(number).repeat(16)}`,
  subnetId,
  mac: `${macA.slice(0, -2)}1${number}` as FabricEni["mac"],
  addresses: [parseIpv4(address)],
  ipv6Addresses: [],
  place: { place: "control-plane", device: `eth${number}` },
});
const vpc: FabricSpec = {
  ...spec,
  enis: [
    ...spec.enis.filter((eni) => eni.place?.place !== "d"),
    service(0, "subnet-public", "10.0.0.100"),
    service(1, "subnet-private", "10.0.1.100"),
  ],
};
const subnetOf = (eni: FabricEni) => (eni.subnetId === "subnet-public" ? publicSubnet : privateSubnet);

describe.skipIf(!isRoot)("a VPC with machines", () => {
  const before = hostPicture();
  const machines = new Map<string, Machine>();
  let fabric: LiveFabric;
  let controlPlane: Netns;

  async function boot(eni: FabricEni): Promise<Machine> {
    const place = eni.place?.place ?? "";
    const machine = await startMachine({ lab, instanceId: place, hostname: `node-${place}` });
    machines.set(place, machine);
    fabric.addPlace(place, machine.netnsPath);
    return machine;
  }

  function dhcp(eni: FabricEni): void {
    const [address] = eni.addresses;
    if (address === undefined) throw new Error("no address");
    machines
      .get(eni.place?.place ?? "")
      ?.primaryUp({ device: "eth0", address, subnet: subnetOf(eni), mtu: 9001 });
  }

  async function on(
    place: string,
    work: (netns: Netns) => Promise<{ readonly ok: boolean }>,
  ): Promise<boolean> {
    using netns = Netns.open(machines.get(place)?.netnsPath ?? "");
    return await patiently(() => work(netns));
  }

  async function patiently(probe: () => Promise<{ readonly ok: boolean }>): Promise<boolean> {
    for (let left = tries; left > 0; left--) if ((await probe()).ok) return true;
    return false;
  }

  beforeAll(async () => {
    fabric = await createFabric({ labName: lab });
    await Promise.all([eniA, eniB, eniC].map(boot));
    const holder = await startNamespaceHolder(
      { net: true },
      { label: `${lab}/control-plane`, loopback: true },
    );
    controlPlane = Netns.open(holder.netnsPath);
    fabric.addPlace("control-plane", holder.netnsPath, { configure: true });
    await fabric.apply(vpc);
    for (const eni of [eniA, eniB, eniC]) dhcp(eni);
  });

  afterAll(async () => {
    controlPlane?.close();
    await destroyFabric(lab);
    for (const machine of machinesOf(lab)) await machine.stop();
    for (const holder of findHolders(`${lab}/`)) await endHolder(holder);
  });

  test("its machines reach each other, the gateway and the metadata address", async () => {
    for (const from of ["a", "b", "c"]) {
      for (const to of ["10.0.0.10", "10.0.1.10", "10.0.1.11", "10.0.1.1", "169.254.169.254"]) {
        const probe = { to: parseIpv4(to), timeoutMs };
        expect([from, to, await on(from, (netns) => ping(netns, probe))]).toEqual([from, to, true]);
      }
    }
  });

  test("a program on a private machine is seen as the NAT gateway", async () => {
    const script =
      "const seen = await (await fetch('http://198.51.100.10/')).json(); console.log(seen.address)";
    const child = machines.get("b")?.spawn([process.execPath, "-e", script]);
    let text = "";
    child?.stdout?.on("data", (chunk) => {
      text += String(chunk);
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    child?.on("close", () => resolve());
    await promise;
    expect(text.trim()).toBe("203.0.113.14");
  });

  test("a service with ENIs in two subnets answers at both, from each machine", async () => {
    const listeners = await Promise.all(
      ["10.0.0.100", "10.0.1.100"].map((address) =>
        openEchoListener(controlPlane, { address: parseIpv4(address), tcpPort: 443 }),
      ),
    );
    try {
      for (const from of ["a", "b"]) {
        for (const to of ["10.0.0.100", "10.0.1.100"]) {
          const probe = { to: parseIpv4(to), port: 443, timeoutMs };
          expect([from, to, await on(from, (netns) => probeTcp(netns, probe))]).toEqual([from, to, true]);
        }
      }
      const outward = { to: parseIpv4("10.0.1.10"), timeoutMs };
      expect(await patiently(() => ping(controlPlane, outward))).toBe(true);
    } finally {
      for (const listener of listeners) listener.close();
    }
  });

  test("a machine that is killed and started again gets its device back", async () => {
    await machines.get("c")?.stop();
    await boot(eniC);
    await fabric.apply(vpc);
    dhcp(eniC);
    expect(await on("c", (netns) => ping(netns, { to: parseIpv4("10.0.0.10"), timeoutMs }))).toBe(true);
  });

  test("an ENI whose device name is taken is refused with the reason, and comes when it is free", async () => {
    const clash: FabricEni = {
      ...service(2, "subnet-private", "10.0.1.30"),
      place: { place: "c", device: "eth0" },
    };
    await expect(fabric.apply({ ...vpc, enis: [...vpc.enis, clash] })).rejects.toThrow(/veth pair.*eth0/);
    const free = { ...clash, place: { place: "c", device: "eth1" } };
    await fabric.apply({ ...vpc, enis: [...vpc.enis, free] });
    expect(await on("a", (netns) => ping(netns, { to: parseIpv4("10.0.1.11"), timeoutMs }))).toBe(true);
  });

  test("leaves nothing behind", async () => {
    await Promise.all([...machines.values()].map((machine) => machine.stop()));
    controlPlane.close();
    await fabric.destroy();
    for (const holder of findHolders(`${lab}/`)) await endHolder(holder);
    expect(findHolders(`${lab}/`)).toEqual([]);
    expect(hostPicture()).toEqual(before);
  });
});
