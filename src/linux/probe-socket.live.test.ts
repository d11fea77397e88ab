import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { parseIpv4 } from "../addr/ipv4.ts";
import { parseIpv6 } from "../addr/ipv6.ts";
import { openSocketsAndNamespaces } from "./descriptors.ts";
import { type EchoListener, openEchoListener } from "./echo-listener.ts";
import { Netns } from "./netns.ts";
import { ping, probeTcp, probeUdp } from "./probe-socket.ts";
import { Rtnetlink } from "./rtnetlink/rtnetlink.ts";
import type { IpAddress } from "./rtnetlink/values.ts";

const root = process.getuid?.() === 0;
const near = { v4: parseIpv4("10.9.0.1"), v6: parseIpv6("fd09::1") };
const far = { v4: parseIpv4("10.9.0.2"), v6: parseIpv6("fd09::2") };
const timeoutMs = 10_000;

describe.skipIf(!root)("probes between two namespaces", () => {
  let here: Netns;
  let there: Netns;
  const listeners: EchoListener[] = [];
  let v4: EchoListener;
  let v6: EchoListener;

  beforeAll(async () => {
    here = Netns.create();
    there = Netns.create();
    using rtHere = Rtnetlink.open(here);
    using rtThere = Rtnetlink.open(there);
    const made = rtHere.addVeth({ name: "a", up: true, peer: { name: "b", netns: there, up: true } });
    const assign = (rtnetlink: Rtnetlink, interfaceIndex: number, addresses: readonly IpAddress[]): void => {
      for (const address of addresses) {
        const bits = typeof address === "number" ? 24 : 64;
        rtnetlink.addAddress({ interfaceIndex, address, bits, noDad: true });
      }
    };
    assign(rtHere, made.index, [near.v4, near.v6, parseIpv4("10.9.0.11")]);
    assign(rtThere, made.peerIndex, [far.v4, far.v6]);
    v4 = await openEchoListener(there, { address: parseIpv4("0.0.0.0") });
    v6 = await openEchoListener(there, { address: parseIpv6("::") });
    listeners.push(v4, v6);
  });

  afterAll(() => {
    for (const listener of listeners) listener.close();
    here.close();
    there.close();
  });

  test("TCP and UDP answer with the source they saw, both families", async () => {
    const results = await Promise.all([
      probeTcp(here, { to: far.v4, port: v4.tcpPort, timeoutMs }),
      probeUdp(here, { to: far.v4, port: v4.udpPort, timeoutMs }),
      probeTcp(here, { to: far.v6, port: v6.tcpPort, timeoutMs }),
      probeUdp(here, { to: far.v6, port: v6.udpPort, timeoutMs }),
      probeTcp(here, { to: far.v4, port: v4.tcpPort, timeoutMs, from: parseIpv4("10.9.0.11") }),
    ]);
    const seen = results.map((result) => (result.ok ? result.answer.split(" ")[0] : result.reason));
    expect(seen).toEqual(["10.9.0.1", "10.9.0.1", "fd09::1", "fd09::1", "10.9.0.11"]);
  });

  test("ping, many at once, each gets its own answer", async () => {
    const pings = Array.from({ length: 60 }, (_, index) =>
      ping(here, { to: index % 2 === 0 ? far.v4 : far.v6, timeoutMs }),
    );
    expect((await Promise.all(pings)).filter((result) => !result.ok)).toEqual([]);
  });

  test("says why it failed", async () => {
    expect(await probeTcp(here, { to: far.v4, port: 9, timeoutMs })).toMatchObject({
      ok: false,
      code: "unavailable",
      errno: "ECONNREFUSED",
    });
    expect(await probeUdp(here, { to: far.v6, port: 9, timeoutMs })).toMatchObject({ errno: "ECONNREFUSED" });
    expect(await ping(here, { to: parseIpv4("10.77.0.1"), timeoutMs })).toMatchObject({
      errno: "ENETUNREACH",
    });
    expect(await probeTcp(here, { to: far.v4, port: 1, timeoutMs, from: far.v4 })).toMatchObject({
      code: "not_found",
    });
    // Nobody answers ARP for this one.
    expect(await ping(here, { to: parseIpv4("10.9.0.200"), timeoutMs: 50 })).toMatchObject({
      code: "timeout",
    });
  });

  test("leaves no descriptor open", async () => {
    const before = openSocketsAndNamespaces();
    for (let round = 0; round < 5; round++) {
      await probeTcp(here, { to: far.v4, port: 9, timeoutMs });
      await ping(here, { to: far.v4, timeoutMs });
      await ping(here, { to: far.v4, timeoutMs, from: far.v4 });
    }
    expect(openSocketsAndNamespaces().filter((open) => !before.includes(open))).toEqual([]);
  });

  test("a taken port is an error", async () => {
    const again = openEchoListener(there, { address: parseIpv4("0.0.0.0"), tcpPort: v4.tcpPort });
    await expect(again).rejects.toMatchObject({ code: "already_exists" });
  });
});
