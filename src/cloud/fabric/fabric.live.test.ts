import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { parseCidr } from "../../addr/cidr.ts";
import { parseIpv4 } from "../../addr/ipv4.ts";
import { parseIpv6 } from "../../addr/ipv6.ts";
import { parseMac } from "../../addr/mac.ts";
import { openEchoListener } from "../../linux/echo-listener.ts";
import { endHolder, findHolders, type Holder, startNamespaceHolder } from "../../linux/holder.ts";
import { Netns } from "../../linux/netns.ts";
import { ping, probeTcp, probeUdp } from "../../linux/probe-socket.ts";
import { Rtnetlink } from "../../linux/rtnetlink/rtnetlink.ts";
import { writeSysctl } from "../../linux/sysctl.ts";
import { createFabric, destroyFabric, type LiveFabric } from "./fabric.ts";
import { portDevice, routerLinkLocal } from "./names.ts";
import type { FabricEni } from "./spec.ts";
import {
  eniA,
  eniB,
  eniC,
  eniD,
  everywhere,
  everywhere6,
  privateSubnet,
  publicSubnet,
  spec,
} from "./test-spec.ts";
import { gatewayOf, type IpAddress } from "./wanted.ts";

const isRoot = process.getuid?.() === 0;
const labName = `fabric-test-${process.pid}`;
/** For packets that arrive (in microseconds, on an idle machine), and for those that must not. */
const patienceMs = 10_000;
const tries = 10;
const silenceMs = 250;

const ip = parseIpv4;
/** An address of B's /80. */
const podOfB6 = parseIpv6("2001:db8:1:1:b::70");

describe.skipIf(!isRoot)("fabric", () => {
  const holders = new Map<string, Holder>();
  const spaces = new Map<string, Netns>();
  let fabric: LiveFabric;
  function ns(place: string): Netns {
    const netns = spaces.get(place);
    if (netns === undefined) throw new Error(`no place ${place}`);
    return netns;
  }

  beforeAll(async () => {
    for (const place of ["a", "b", "c", "d"]) {
      const holder = await startNamespaceHolder(
        { net: true },
        { label: `${labName}/${place}`, loopback: true },
      );
      holders.set(place, holder);
      spaces.set(place, Netns.open(holder.netnsPath));
    }
    fabric = await createFabric({ labName });
    for (const [place, holder] of holders) fabric.addPlace(place, holder.netnsPath);
    await fabric.apply(spec);
    for (const eni of [eniA, eniB, eniC, eniD]) bringUp(eni);
  });

  afterAll(async () => {
    await fabric?.destroy();
    for (const netns of spaces.values()) netns.close();
    for (const holder of holders.values()) await endHolder(holder);
  });

  /** What DHCP does in a guest; further addresses stand for pods. */
  function bringUp(eni: FabricEni): void {
    const netns = ns(eni.place?.place ?? "");
    using rtnetlink = Rtnetlink.open(netns);
    const interfaceIndex = rtnetlink.indexOf(eni.place?.device ?? "");
    rtnetlink.setLink(interfaceIndex, { up: true });
    const subnet = eni.subnetId === "subnet-public" ? publicSubnet : privateSubnet;
    const [primary, ...others] = eni.addresses;
    if (primary === undefined) throw new Error("no address");
    rtnetlink.addAddress({ interfaceIndex, address: primary, bits: 24 });
    for (const address of others) rtnetlink.addAddress({ interfaceIndex, address, bits: 32 });
    for (const { base } of eni.prefixes)
      rtnetlink.addAddress({ interfaceIndex, address: ip(`10.0.${(base >>> 8) & 255}.70`), bits: 32 });
    for (const address of eni.ipv6Addresses)
      rtnetlink.addAddress({ interfaceIndex, address, bits: 128, noDad: true });
    if (eni.ipv6Prefixes.length > 0)
      rtnetlink.addAddress({ interfaceIndex, address: podOfB6, bits: 128, noDad: true });
    rtnetlink.replaceRoute({ destination: everywhere, gateway: gatewayOf(subnet), interfaceIndex });
    if (eni.ipv6Addresses.length > 0)
      rtnetlink.replaceRoute({ destination: everywhere6, gateway: routerLinkLocal, interfaceIndex });
  }

  interface Echo {
    readonly to: IpAddress;
    readonly from?: IpAddress;
  }
  async function pingFrom(place: string, probe: Echo, timeoutMs: number): Promise<string> {
    const answer = await ping(ns(place), { ...probe, timeoutMs });
    return answer.ok ? "ok" : answer.code;
  }
  /** A packet may be lost while a device that was just made comes up: as `ping` does, another one is sent. */
  async function reaches(place: string, to: IpAddress, from?: IpAddress): Promise<string> {
    const probe = { to, ...(from === undefined ? {} : { from }) };
    for (let left = tries; left > 1; left--) if ((await pingFrom(place, probe, 1000)) === "ok") return "ok";
    return await pingFrom(place, probe, patienceMs);
  }
  const misses = (place: string, to: IpAddress, from?: IpAddress): Promise<string> =>
    pingFrom(place, { to, ...(from === undefined ? {} : { from }) }, silenceMs);

  test("carries ICMP, TCP and UDP between all kinds of addresses, across and within subnets", async () => {
    const listeners = await Promise.all(
      ["10.0.1.10", "10.0.1.20", "10.0.1.70"].map((address) =>
        openEchoListener(ns("b"), { address: ip(address), tcpPort: 4000, udpPort: 4000 }),
      ),
    );
    try {
      for (const [from, source] of [
        ["a", "10.0.0.10"],
        ["a", "10.0.0.20"],
        ["a", "10.0.0.70"],
        ["c", "10.0.1.11"],
      ] as const) {
        for (const to of ["10.0.1.10", "10.0.1.20", "10.0.1.70"]) {
          const probe = { to: ip(to), from: ip(source), port: 4000, timeoutMs: patienceMs };
          const tcp = await probeTcp(ns(from), probe);
          const udp = await probeUdp(ns(from), probe);
          const seen = [tcp, udp].map((result) => (result.ok ? result.answer.split(" ")[0] : result.reason));
          expect([to, ...seen]).toEqual([to, source, source]);
          expect(await reaches(from, ip(to), ip(source))).toBe("ok");
        }
      }
    } finally {
      for (const listener of listeners) listener.close();
    }
  });

  test("answers at the gateway and at the link-local service addresses", async () => {
    for (const to of ["10.0.0.1", "169.254.169.254", "169.254.169.249"])
      expect(await reaches("a", ip(to))).toBe("ok");
  });

  test("drops a source that the ENI does not hold, and counts it", async () => {
    const spoofed = ip("10.0.1.99");
    using rtnetlink = Rtnetlink.open(ns("b"));
    const interfaceIndex = rtnetlink.indexOf("lo");
    rtnetlink.addAddress({ interfaceIndex, address: spoofed, bits: 32 });
    expect(await misses("b", ip("10.0.0.10"), spoofed)).toBe("timeout");
    expect(fabric.drops().sourceCheck).toContainEqual(
      expect.objectContaining({ eniId: eniB.eniId, packets: 1 }),
    );
    rtnetlink.deleteAddress({ interfaceIndex, address: spoofed, bits: 32 });
  });

  test("lets any source through when the check is off, and routes to such an ENI", async () => {
    const foreign = ip("172.31.0.9");
    const open = spec.enis.map((eni) =>
      eni.eniId === eniB.eniId ? { ...eni, sourceDestCheck: false } : eni,
    );
    const toB = {
      destination: parseCidr("172.31.0.0/16"),
      target: { kind: "eni", eniId: eniB.eniId },
    } as const;
    const subnets = spec.subnets.map((subnet) => ({ ...subnet, routes: [...subnet.routes, toB] }));
    using rtnetlink = Rtnetlink.open(ns("b"));
    const interfaceIndex = rtnetlink.indexOf("lo");
    rtnetlink.addAddress({ interfaceIndex, address: foreign, bits: 32 });
    await fabric.apply({ ...spec, enis: open, subnets });
    expect(await reaches("b", ip("10.0.0.10"), foreign)).toBe("ok");
    expect(await reaches("a", foreign)).toBe("ok");
    // With the check on, the same route leads to an ENI that takes nothing that is not its own.
    await fabric.apply({ ...spec, subnets });
    expect(await misses("a", foreign)).toBe("timeout");
    await fabric.apply(spec);
    rtnetlink.deleteAddress({ interfaceIndex, address: foreign, bits: 32 });
  });

  test("sends traffic between subnets by way of an ENI that a route names", async () => {
    const subnets = spec.subnets.map((subnet) =>
      subnet.cidr === publicSubnet
        ? {
            ...subnet,
            routes: [{ destination: privateSubnet, target: { kind: "eni", eniId: eniC.eniId } } as const],
          }
        : subnet,
    );
    const enis = spec.enis.map((eni) => (eni === eniC ? { ...eni, sourceDestCheck: false } : eni));
    await fabric.apply({ ...spec, subnets, enis });
    writeSysctl("net.ipv4.ip_forward", 0, ns("c"));
    expect(await misses("a", ip("10.0.1.10"))).toBe("timeout");
    writeSysctl("net.ipv4.ip_forward", 1, ns("c"));
    expect(await reaches("a", ip("10.0.1.10"))).toBe("ok");
    await fabric.apply(spec);
    writeSysctl("net.ipv4.ip_forward", 0, ns("c"));
    expect(await reaches("a", ip("10.0.1.10"))).toBe("ok");
  });

  test("shows the internet a public address, the NAT gateway's for private subnets, and nothing else", async () => {
    const seenBy = async (from: string, timeoutMs: number): Promise<string> => {
      const probe = { to: fabric.echo4, port: 7, timeoutMs };
      const results = [await probeTcp(ns(from), probe), await probeUdp(ns(from), probe)];
      return results.map((result) => (result.ok ? result.answer.split(" ")[0] : result.code)).join(" ");
    };
    expect(await seenBy("a", patienceMs)).toBe("203.0.113.10 203.0.113.10");
    expect(await seenBy("b", patienceMs)).toBe("203.0.113.14 203.0.113.14");
    expect(await seenBy("d", silenceMs)).toBe("timeout timeout");
    expect(await reaches("b", fabric.echo4)).toBe("ok");
    expect(fabric.drops().noPublicAddress).toContainEqual(
      expect.objectContaining({ source: ip("10.0.0.13") }),
    );
  });

  test("lets the internet in to public addresses only", async () => {
    const internet = Netns.open(fabric.internetNetns);
    spaces.set("internet", internet);
    expect(await reaches("internet", ip("203.0.113.10"))).toBe("ok");
    // Of a secondary address.
    expect(await reaches("internet", ip("203.0.113.20"))).toBe("ok");
    expect(await misses("internet", ip("203.0.113.99"))).not.toBe("ok");
    // Hairpin: a public address of the same VPC, by way of the internet gateway.
    expect(await reaches("a", ip("203.0.113.10"), ip("10.0.0.10"))).toBe("ok");
  });

  test("speaks HTTP in the internet", async () => {
    const client = Bun.spawn(
      [
        "nsenter",
        `--net=${holders.get("a")?.netnsPath}`,
        process.execPath,
        "-e",
        "console.log(await (await fetch('http://198.51.100.77/')).text())",
      ],
      { stdout: "pipe" },
    );
    const answer: unknown = JSON.parse(await new Response(client.stdout).text());
    expect(answer).toMatchObject({ address: "203.0.113.10", host: "198.51.100.77" });
  });

  test("carries IPv6 inside, out through the egress-only gateway, and nothing in", async () => {
    expect(await reaches("c", parseIpv6("2001:db8:1:1::b"))).toBe("ok");
    expect(await reaches("c", podOfB6)).toBe("ok");
    const out = await probeTcp(ns("b"), { to: fabric.echo6, from: podOfB6, port: 7, timeoutMs: patienceMs });
    expect(out.ok && out.answer.split(" ")[0]).toBe("2001:db8:1:1:b::70");
    expect(await misses("internet", parseIpv6("2001:db8:1:1::b"))).toBe("timeout");
    expect(fabric.drops().notFromInside).toContainEqual(
      expect.objectContaining({ destination: parseIpv6("2001:db8:1:1::b") }),
    );
  });

  test("drops an IPv6 source that the ENI does not hold", async () => {
    const spoofed = parseIpv6("2001:db8:1:1::99");
    using rtnetlink = Rtnetlink.open(ns("c"));
    const interfaceIndex = rtnetlink.indexOf("lo");
    rtnetlink.addAddress({ interfaceIndex, address: spoofed, bits: 128, noDad: true });
    expect(await misses("c", parseIpv6("2001:db8:1:1::b"), spoofed)).toBe("timeout");
    expect(fabric.drops().sourceCheck).toContainEqual(expect.objectContaining({ eniId: eniC.eniId }));
    rtnetlink.deleteAddress({ interfaceIndex, address: spoofed, bits: 128 });
  });

  test("says why a packet went nowhere", async () => {
    await misses("b", ip("10.0.0.200"));
    await misses("b", ip("192.0.2.1"));
    const reasons = fabric.drops().blackholed.map(({ destination, reason }) => [destination, reason]);
    expect(reasons).toContainEqual([ip("10.0.0.200"), "no-such-address"]);
    expect(reasons).toContainEqual([ip("192.0.2.1"), "blackhole-route"]);
  });

  test("attaches, moves addresses between ENIs and detaches", async () => {
    const moved = ip("10.0.1.20");
    const enis = spec.enis.map((eni) => {
      if (eni.eniId === eniB.eniId) return { ...eni, addresses: [ip("10.0.1.10")] };
      return eni.eniId === eniC.eniId ? { ...eni, addresses: [ip("10.0.1.11"), moved] } : eni;
    });
    const second: FabricEni = {
      ...eniC,
      eniId: "eni-0ffffffffffffffff",
      mac: parseMac("02:00:00:00:00:0f"),
      addresses: [ip("10.0.1.12")],
      ipv6Addresses: [],
      place: { place: "c", device: "eth1" },
    };
    await fabric.apply({ ...spec, enis: [...enis, second] });
    using inC = Rtnetlink.open(ns("c"));
    expect(inC.linkByName("eth1")).toMatchObject({ mac: second.mac, mtu: 9001, up: false });
    inC.addAddress({ interfaceIndex: inC.indexOf("eth0"), address: moved, bits: 32 });
    expect(await reaches("a", moved)).toBe("ok");
    inC.deleteAddress({ interfaceIndex: inC.indexOf("eth0"), address: moved, bits: 32 });
    await fabric.apply(spec);
    expect(inC.linkByName("eth1")).toBeUndefined();
    expect(await reaches("a", moved)).toBe("ok");
  });

  test("is taken over by another process without a packet lost", async () => {
    await fabric.close();
    const linkBefore = linkIndex(portDevice(eniA.eniId));
    expect(await reaches("b", ip("10.0.0.10"))).toBe("ok");
    fabric = await createFabric({ labName });
    for (const [place, holder] of holders) fabric.addPlace(place, holder.netnsPath);
    const late = { ...spec, enis: spec.enis.filter((eni) => eni.eniId !== eniD.eniId) };
    await fabric.apply(late);
    expect(linkIndex(portDevice(eniA.eniId))).toBe(linkBefore);
    expect(linkIndex(portDevice(eniD.eniId))).toBeUndefined();
    expect(await reaches("b", ip("10.0.0.10"))).toBe("ok");
    await fabric.apply(spec);
    bringUp(eniD);
    expect(await reaches("d", ip("10.0.0.10"))).toBe("ok");
  });

  function linkIndex(device: string): number | undefined {
    using router = Netns.open(fabric.routerNetns);
    using rtnetlink = Rtnetlink.open(router);
    return rtnetlink.linkByName(device)?.index;
  }

  test("puts the devices of a rebooted machine into its new namespace", async () => {
    const old = holders.get("d");
    if (old === undefined) throw new Error("no machine d");
    await endHolder(old);
    spaces.get("d")?.close();
    const holder = await startNamespaceHolder({ net: true }, { label: `${labName}/d`, loopback: true });
    holders.set("d", holder);
    spaces.set("d", Netns.open(holder.netnsPath));
    await fabric.apply(spec);
    fabric.addPlace("d", holder.netnsPath);
    await fabric.apply(spec);
    bringUp(eniD);
    expect(await reaches("d", ip("10.0.0.10"))).toBe("ok");
  });

  test("assigns addresses to one ENI among 500 within milliseconds", async () => {
    const many = Array.from({ length: 500 }, (_, index): FabricEni => {
      const low = index % 250;
      const high = 100 + Math.floor(index / 250);
      return {
        ...eniD,
        eniId: `eni-1${index.toString(16).padStart(16, "0")}`,
        mac: parseMac(
          `02:00:00:01:${Math.floor(index / 256).toString(16)}0:${(index % 256).toString(16).padStart(2, "0")}`,
        ),
        addresses: [ip(`10.0.${high}.${low + 1}`)],
        place: { place: "d", device: `n${index}` },
      };
    });
    const enis = [...spec.enis, ...many];
    await fabric.apply({ ...spec, enis });
    const more = Array.from({ length: 10 }, (_, index) => ip(`10.0.200.${index + 1}`));
    const assigned = enis.map((eni) =>
      eni.eniId === many[250]?.eniId ? { ...eni, addresses: [...eni.addresses, ...more] } : eni,
    );
    const started = performance.now();
    await fabric.apply({ ...spec, enis: assigned });
    const tookMs = performance.now() - started;
    // 2 ms on an idle machine; all 500 ENIs again would take half a second.
    expect(tookMs).toBeLessThan(100);
    await fabric.apply(spec);
  });

  test("refuses contradictions", async () => {
    const overlapping = { ...spec, vpcCidrs: [parseCidr("198.51.100.0/24")] };
    await expect(fabric.apply(overlapping)).rejects.toThrow("overlaps");
    const orphan = { ...spec, subnets: [], natGateways: [] };
    await expect(fabric.apply(orphan)).rejects.toThrow("subnet-public");
    await fabric.apply(spec);
  });

  test("leaves no holder behind", async () => {
    await fabric.destroy();
    expect(findHolders(`${labName}/fabric/`)).toEqual([]);
    await destroyFabric(labName);
  });
});
