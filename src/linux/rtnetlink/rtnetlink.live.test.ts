import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { cidr4, parseCidr } from "../../addr/cidr.ts";
import { ipv4, parseIpv4 } from "../../addr/ipv4.ts";
import { parseIpv6 } from "../../addr/ipv6.ts";
import { parseMac } from "../../addr/mac.ts";
import { EniverseError } from "../../base/error.ts";
import { openSocketsAndNamespaces } from "../descriptors.ts";
import { Netns } from "../netns.ts";
import { runProgramOk } from "../program.ts";
import { deleteLinkGroupRequest } from "./link.ts";
import { addRouteRequest } from "./route.ts";
import { Rtnetlink } from "./rtnetlink.ts";
import { addRuleRequest } from "./rule.ts";
import { routeProtocol, routeTable } from "./values.ts";

const nearMac = parseMac("02:00:00:00:00:01");
const farMac = parseMac("02:00:00:00:00:02");
const gateway = parseIpv4("169.254.1.1");

describe.skipIf(process.getuid?.() !== 0)("rtnetlink in the kernel", () => {
  let pod: Netns;
  let node: Netns;
  let inPod: Rtnetlink;
  let inNode: Rtnetlink;
  /** A veth pair, eth0 in the pod and eni1 in the node, both up. */
  let eth0: number;
  let eni1: number;

  beforeEach(() => {
    pod = Netns.create();
    node = Netns.create();
    inPod = Rtnetlink.open(pod);
    inNode = Rtnetlink.open(node);
    const made = inPod.addVeth({
      name: "eth0",
      mac: nearMac,
      mtu: 9001,
      up: true,
      txQueueLength: 0,
      peer: { name: "eni1", mac: farMac, mtu: 9001, up: true, netns: node },
    });
    eth0 = made.index;
    eni1 = made.peerIndex;
  });

  afterEach(() => {
    for (const open of [inPod, inNode, pod, node]) open.close();
  });

  /** What the real `ip` says about it. */
  const ip = (ns: Netns, ...args: string[]): string =>
    runProgramOk({ attempted: "look", argv: ["ip", ...args], debianPackage: "iproute2", ns });

  function thrownBy(work: () => void): EniverseError {
    try {
      work();
    } catch (error) {
      if (error instanceof EniverseError) return error;
      throw error;
    }
    throw new Error("nothing was thrown");
  }

  test("a veth pair has its names, MACs and MTUs, each end in its own namespace", () => {
    expect(inPod.linkByName("eth0")).toMatchObject({
      index: eth0,
      mac: nearMac,
      mtu: 9001,
      up: true,
      carrier: true,
      kind: "veth",
      peerIndex: eni1,
      txQueueLength: 0,
    });
    expect(inNode.linkByMac(farMac)).toMatchObject({ index: eni1, name: "eni1", mtu: 9001, up: true });
    expect(inNode.linkByName("eth0")).toBeUndefined();
    expect(inNode.linkByIndex(4711)).toBeUndefined();
    expect(() => inNode.indexOf("eth0")).toThrow("cannot find the network device eth0");
  });

  test("links get the index that was asked for", () => {
    const made = inPod.addVeth({ name: "x", index: 1000, peer: { name: "y", index: 2000, netns: node } });
    expect(made).toEqual({ index: 1000, peerIndex: 2000 });
    expect(inNode.linkByIndex(2000)?.name).toBe("y");
  });

  test("links change name, MAC, MTU, alias and namespace", () => {
    const mac = parseMac("02:00:00:00:00:33");
    inNode.setLink(eni1, { up: false });
    inNode.setLink(eni1, { name: "eni2", mac, mtu: 1500, alias: "pod default/web-0" });
    expect(inNode.linkByName("eni2")).toMatchObject({
      index: eni1,
      mac,
      mtu: 1500,
      alias: "pod default/web-0",
      up: false,
    });
    using other = Netns.create();
    using inOther = Rtnetlink.open(other);
    inNode.setLink(eni1, { netns: other });
    expect(inNode.linkByName("eni2")).toBeUndefined();
    expect(inOther.linkByName("eni2")?.mac).toBe(mac);
  });

  test("deleting one end deletes the other; deleting twice is an error unless tolerated", () => {
    inNode.deleteLink(eni1);
    expect(inPod.linkByIndex(eth0)).toBeUndefined();
    expect(thrownBy(() => inNode.deleteLink(eni1)).code).toBe("not_found");
    inNode.deleteLink(eni1, { tolerate: "absent" });
  });

  test("links are deleted in the background, while the thread goes on", async () => {
    const deletion = Rtnetlink.deleteLinkInBackground(node, "eni1");
    inPod.addRule({ family: 4, priority: 5, table: 5 });
    await deletion;
    expect(inPod.linkByIndex(eth0)).toBeUndefined();
    await expect(Rtnetlink.deleteLinkInBackground(node, eni1)).rejects.toMatchObject({ code: "not_found" });
    await Rtnetlink.deleteLinkInBackground(node, "eni1", { tolerate: "absent" });
  });

  test("many links are deleted in the time of one", async () => {
    const indexes = Array.from(
      { length: 20 },
      (_, number) => inNode.addVeth({ name: `x${number}`, peer: { name: `y${number}`, netns: pod } }).index,
    );
    await Rtnetlink.deleteLinksInBackground(node, [...indexes, 4711]);
    expect(inNode.links().map((found) => found.name)).toEqual(["lo", "eni1"]);
    await Rtnetlink.deleteLinksInBackground(node, indexes);
    expect(() => deleteLinkGroupRequest(0)).toThrow("a group of 1 or more");
  });

  test("segment limits are what ip shows", () => {
    inNode.setLink(eni1, { largestSegment: 150_000, group: 7 });
    const shown = ip(node, "-d", "link", "show", "eni1");
    expect(shown).toContain("gso_max_size 150000");
    expect(shown).toContain("group 7");
  });

  test("a macvlan sits on its parent", () => {
    const index = inNode.addMacvlan({ name: "mv0", parentIndex: eni1, mode: "vepa", up: true });
    expect(inNode.linkByIndex(index)).toMatchObject({ name: "mv0", kind: "macvlan", peerIndex: eni1 });
    expect(ip(node, "-d", "link", "show", "mv0")).toContain("mode vepa");
  });

  test("addresses of both families", () => {
    const v4 = { interfaceIndex: eth0, address: parseIpv4("10.0.1.17"), bits: 32 };
    const v6 = { interfaceIndex: eth0, address: parseIpv6("fd00::17"), bits: 64, noDad: true };
    inPod.addAddress(v4);
    inPod.addAddress(v6);
    expect(inPod.addresses({ interfaceIndex: eth0, family: 4 })).toMatchObject([
      { ...v4, family: 4, scope: "universe", permanent: true, label: "eth0" },
    ]);
    const { noDad: _, ...listed } = v6;
    expect(inPod.addresses({ family: 6 })).toContainEqual(
      expect.objectContaining({ ...listed, tentative: false, dadFailed: false }),
    );
    expect(thrownBy(() => inPod.addAddress(v4)).code).toBe("already_exists");
    inPod.addAddress(v4, { tolerate: "exists" });
    inPod.deleteAddress(v4);
    inPod.deleteAddress(v4, { tolerate: "absent" });
    expect(inPod.addresses({ interfaceIndex: eth0, family: 4 })).toEqual([]);
  });

  test("an address without the route of its prefix", () => {
    const subnet = parseCidr("10.0.1.0/24");
    const routes = () =>
      inPod.routes({ table: routeTable.main, family: 4 }).map((route) => route.destination);
    const spec = { interfaceIndex: eth0, address: parseIpv4("10.0.1.17"), bits: 24 };
    inPod.addAddress({ ...spec, noPrefixRoute: true });
    expect(routes()).toEqual([]);
    inPod.deleteAddress(spec);
    inPod.addAddress(spec);
    expect(routes()).toEqual([subnet]);
  });

  test("routes: scope link, default, blackhole, other tables, source, MTU", () => {
    inPod.addAddress({ interfaceIndex: eth0, address: parseIpv4("10.0.1.17"), bits: 32 });
    inPod.addRoute({ destination: parseCidr("169.254.1.1/32"), interfaceIndex: eth0 });
    inPod.addRoute({ destination: parseCidr("0.0.0.0/0"), gateway, interfaceIndex: eth0 });
    inPod.addRoute({
      destination: parseCidr("10.9.0.0/16"),
      gateway: parseIpv4("192.0.2.1"),
      interfaceIndex: eth0,
      onlink: true,
      table: 10101,
      metric: 7,
      mtu: 1400,
      source: parseIpv4("10.0.1.17"),
      protocol: routeProtocol.static,
    });
    inPod.addRoute({ destination: parseCidr("10.8.0.0/16"), type: "blackhole", table: 10101 });
    expect(
      ip(pod, "route")
        .trim()
        .split("\n")
        .map((line) => line.trim()),
    ).toEqual(["default via 169.254.1.1 dev eth0", "169.254.1.1 dev eth0 scope link"]);
    expect(inPod.routes({ table: 10101 })).toEqual([
      {
        family: 4,
        destination: parseCidr("10.8.0.0/16"),
        type: "blackhole",
        table: 10101,
        protocol: routeProtocol.boot,
        scope: "universe",
        onlink: false,
      },
      {
        family: 4,
        destination: parseCidr("10.9.0.0/16"),
        type: "unicast",
        table: 10101,
        protocol: routeProtocol.static,
        scope: "universe",
        onlink: true,
        gateway: parseIpv4("192.0.2.1"),
        interfaceIndex: eth0,
        metric: 7,
        mtu: 1400,
        source: parseIpv4("10.0.1.17"),
      },
    ]);
    expect(inPod.routes({ table: 999 })).toEqual([]);
    expect(inPod.routes({ family: 4, protocol: routeProtocol.static }).length).toBe(1);
  });

  test("replace changes a route where add refuses; delete matches what is given", () => {
    const destination = parseCidr("10.9.0.0/16");
    inPod.addRoute({ destination, interfaceIndex: eth0 });
    expect(thrownBy(() => inPod.addRoute({ destination, type: "blackhole" })).code).toBe("already_exists");
    inPod.addRoute({ destination, interfaceIndex: eth0 }, { tolerate: "exists" });
    inPod.replaceRoute({ destination, interfaceIndex: eth0, protocol: 77 });
    inPod.replaceRoute({ destination, interfaceIndex: eth0, protocol: 77 });
    expect(inPod.routes({ table: routeTable.main, family: 4 })).toMatchObject([{ protocol: 77 }]);
    expect(thrownBy(() => inPod.deleteRoute({ destination, protocol: 78 })).code).toBe("not_found");
    inPod.deleteRoute({ destination, interfaceIndex: eth0 });
    inPod.deleteRoute({ destination }, { tolerate: "absent" });
    expect(inPod.routes({ table: routeTable.main, family: 4 })).toEqual([]);
  });

  test("IPv6 routes through a link-local gateway in a table of their own", () => {
    inPod.addAddress({ interfaceIndex: eth0, address: parseIpv6("fd00::17"), bits: 128, noDad: true });
    const route = {
      destination: parseCidr("::/0"),
      gateway: parseIpv6("fe80::1"),
      interfaceIndex: eth0,
      table: 1002,
    };
    inPod.addRoute(route);
    expect(inPod.routes({ table: 1002 })).toMatchObject([{ ...route, family: 6, metric: 1024 }]);
    inPod.deleteRoute({ destination: route.destination, table: 1002 });
    expect(inPod.routes({ table: 1002, family: 6 })).toEqual([]);
  });

  test("multipath routes that others made are read", () => {
    inPod.addAddress({ interfaceIndex: eth0, address: parseIpv4("10.1.1.2"), bits: 24, noPrefixRoute: true });
    ip(
      pod,
      "route",
      "add",
      "10.7.0.0/16",
      "nexthop",
      "dev",
      "eth0",
      "weight",
      "3",
      "nexthop",
      "via",
      "10.1.1.1",
      "dev",
      "eth0",
      "onlink",
    );
    expect(inPod.routes({ table: routeTable.main, family: 4 })).toMatchObject([
      {
        destination: parseCidr("10.7.0.0/16"),
        nextHops: [
          { interfaceIndex: eth0, weight: 3 },
          { interfaceIndex: eth0, weight: 1, gateway: parseIpv4("10.1.1.1") },
        ],
      },
    ]);
  });

  test("rules of both families come back as they went in", () => {
    const added = [
      { family: 4, priority: 10, iif: "eni1", table: 1101 },
      {
        family: 4,
        priority: 11,
        invert: true,
        from: parseCidr("10.7.0.0/16"),
        oif: "eni1",
        action: "blackhole",
      },
      { family: 4, priority: 512, to: parseCidr("10.0.1.17/32"), table: routeTable.main },
      { family: 4, priority: 1024, fwmark: 0x80, fwmask: 0x80, table: routeTable.main },
      { family: 4, priority: 1536, from: parseCidr("10.0.1.17/32"), table: 2 },
      { family: 4, priority: 1537, table: 3, suppressPrefixLength: 0 },
    ] as const;
    for (const rule of added) inNode.addRule(rule);
    const ours = inNode.rules(4).filter((rule) => rule.priority > 0 && rule.priority < 32766);
    expect(ours).toEqual(added.map((rule) => ({ action: "lookup", protocol: 0, ...rule })) as typeof ours);
    const v6 = {
      family: 6,
      priority: 0,
      from: parseCidr("fe80:ec2::1/128"),
      ipProtocol: 58,
      table: routeTable.local,
    } as const;
    inNode.addRule(v6);
    expect(inNode.rules(6)).toContainEqual({ action: "lookup", protocol: 0, ...v6 });
    for (const rule of added) {
      expect(thrownBy(() => inNode.addRule(rule)).code).toBe("already_exists");
      inNode.addRule(rule, { tolerate: "exists" });
      inNode.deleteRule(rule);
      inNode.deleteRule(rule, { tolerate: "absent" });
    }
    expect(inNode.rules(4).map((rule) => rule.priority)).toEqual([0, 32766, 32767]);
  });

  test("a rule is deleted by some of its fields", () => {
    for (const table of [5, 6])
      inNode.addRule({ family: 4, priority: 1536, from: parseCidr("10.0.1.17/32"), table });
    inNode.deleteRule({ family: 4, from: parseCidr("10.0.1.17/32"), table: 6 });
    expect(inNode.rules(4)).toContainEqual(expect.objectContaining({ table: 5, priority: 1536 }));
    expect(inNode.rules(4).some((rule) => rule.table === 6)).toBe(false);
    expect(thrownBy(() => inNode.deleteRule({ family: 4, table: 6 })).code).toBe("not_found");
  });

  test("neighbours, permanent and proxy", () => {
    const entry = { interfaceIndex: eth0, address: gateway, mac: farMac };
    inPod.replaceNeighbour({ ...entry, mac: nearMac });
    inPod.replaceNeighbour(entry);
    expect(inPod.neighbours({ family: 4 })).toEqual([
      { ...entry, family: 4, state: "permanent", proxy: false },
    ]);
    const proxy = { interfaceIndex: eni1, address: parseIpv6("fd00::99"), proxy: true };
    inNode.replaceNeighbour(proxy);
    expect(inNode.neighbours({ proxy: true })).toMatchObject([proxy]);
    expect(inNode.neighbours({ family: 6, interfaceIndex: eni1 })).toEqual([]);
    inNode.deleteNeighbour(proxy);
    inPod.deleteNeighbour(entry);
    inPod.deleteNeighbour(entry, { tolerate: "absent" });
    // The kernel may keep a deleted entry as "failed" for a while.
    expect(inPod.neighbours({ family: 4 }).filter((found) => found.state === "permanent")).toEqual([]);
  });

  test("errors carry the kernel's own text and what it points at", () => {
    const refused = thrownBy(() =>
      inPod.addRoute({ destination: parseCidr("10.0.0.0/8"), gateway: parseIpv4("203.0.113.1") }),
    );
    expect(refused.message).toContain('the kernel says "Nexthop has invalid gateway"');
    expect(refused.parts.facts).toMatchObject({ errno: "ENETUNREACH" });
    const tooLarge = thrownBy(() => inPod.setLink(eth0, { mtu: 1_000_000 }));
    expect(tooLarge.code).toBe("invalid_argument");
    expect(tooLarge.message).toMatch(/mtu/i);
    const taken = thrownBy(() => inPod.addVeth({ name: "eth0", peer: { name: "other" } }));
    expect(taken.code).toBe("already_exists");
  });

  test("a batch goes on after a failure and says which failed", () => {
    const add = (text: string) => addRouteRequest({ destination: parseCidr(text), interfaceIndex: eth0 });
    const requests = [add("10.1.0.0/16"), add("10.1.0.0/16"), add("10.2.0.0/16")];
    expect(inPod.tryBatch(requests).map((error) => error?.code)).toEqual([
      undefined,
      "already_exists",
      undefined,
    ]);
    expect(inPod.routes({ table: routeTable.main, family: 4 }).length).toBe(2);
    expect(() => inPod.batch(requests)).toThrow("cannot add the route 10.1.0.0/16");
  });

  test("a thousand routes and rules in a batch, listed in full", () => {
    const blocks = Array.from({ length: 1000 }, (_, index) => cidr4(ipv4(0x0b000000 + index), 32));
    inPod.batch([
      ...blocks.map((destination) => addRouteRequest({ destination, type: "blackhole", table: 500 })),
      ...blocks.map((to, index) => addRuleRequest({ family: 4, to, table: 500, priority: 1000 + index })),
    ]);
    expect(inPod.routes({ table: 500 }).map((route) => route.destination)).toEqual(blocks);
    expect(inPod.rules(4).length).toBe(1003);
  });

  test("sockets and namespaces leave no descriptor open", () => {
    const before = openSocketsAndNamespaces();
    for (let round = 0; round < 10; round++) {
      using ns = Netns.create();
      using rtnetlink = Rtnetlink.open(ns);
      rtnetlink.addVeth({ name: "a", peer: { name: `b${round}`, netns: pod, up: true } });
      rtnetlink.close();
    }
    expect(openSocketsAndNamespaces().filter((open) => !before.includes(open))).toEqual([]);
  });
});
