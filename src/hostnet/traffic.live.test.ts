import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { parseCidr, parseCidr4 } from "../addr/cidr.ts";
import { parseIpv4 } from "../addr/ipv4.ts";
import { parseMac } from "../addr/mac.ts";
import { inNetns } from "../linux/netns.ts";
import { writeSysctl } from "../linux/sysctl.ts";
import { setUpEniNetwork } from "./eni-network.ts";
import { applyHostNetwork, type HostNetworkSettings, iptablesKind } from "./host-network.ts";
import { setUpPodNetwork } from "./pod-network.ts";
import { TestBed } from "./test-bed.ts";

let bed: TestBed;
let pod: ReturnType<TestBed["netns"]>;
const eniMac = parseMac("02:00:00:00:02:14");
const outside = "192.0.2.1";

/** A node with two ENIs whose pod has an address of the second; the world has 192.0.2.1, outside the VPC. */
async function setUp(snat: Partial<HostNetworkSettings["snat"]> = {}, legacy = false): Promise<void> {
  bed.addEni("eth1", eniMac, "10.0.2.1");
  bed.run(bed.world, "ip", "addr", "add", `${outside}/32`, "dev", "lo");
  // The VPC knows where each address is, and what comes from elsewhere is dropped.
  bed.run(bed.world, "ip", "neigh", "add", "10.0.2.17", "lladdr", eniMac, "dev", "to-eth1");
  for (const device of ["all", "to-eth0", "to-eth1"])
    writeSysctl(`net.ipv4.conf.${device}.rp_filter`, 1, bed.world);
  writeSysctl("net.ipv4.conf.eth0.rp_filter", 2, bed.node);
  const kind = iptablesKind(bed.host);
  const settings: HostNetworkSettings = {
    family: 4,
    primaryMac: bed.primaryMac,
    eniMtu: 1500,
    snat: {
      primaryAddress: parseIpv4("10.0.1.10"),
      vpcCidrs: [parseCidr4("10.0.0.0/16")],
      excludeSnatCidrs: [],
      externalSnat: false,
      nodePortSupport: true,
      randomizeSnat: "prng",
      connmark: 0x80,
      vethPrefix: "eni",
      ...snat,
    },
    strictBranchPods: false,
    v6Egress: false,
  };
  await applyHostNetwork(bed.host, settings, legacy ? { ...kind, connmarkBackend: "iptables" } : kind);
  await setUpEniNetwork(bed.host, {
    mac: eniMac,
    slot: { cardIndex: 0, deviceIndex: 1 },
    primaryAddress: parseIpv4("10.0.2.20"),
    subnet: parseCidr("10.0.2.0/24"),
    mtu: 1500,
    trunk: false,
    maxEnisPerCard: 3,
  });
  pod = bed.netns("pod");
  await setUpPodNetwork(bed.host, pod.path, [
    {
      index: 0,
      hostName: "enicc21c2d7785",
      containerName: "eth0",
      address: parseIpv4("10.0.2.17"),
      routeTable: 2,
      mtu: 1500,
    },
  ]);
}

/** The source address that a listener at `address` sees when `from` connects to `to`; undefined for no answer. */
async function seenFrom(
  from: ReturnType<TestBed["netns"]>,
  at: ReturnType<TestBed["netns"]>,
  address: string,
  to: { readonly address: string; readonly port: number } | undefined = undefined,
): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const listener = inNetns(at, () =>
    Bun.listen({
      hostname: address,
      port: 8080,
      socket: {
        open: (socket) => resolve(socket.remoteAddress),
        data: () => {},
      },
    }),
  );
  const target = to ?? { address, port: 8080 };
  const client = inNetns(from, () =>
    Bun.spawn(["timeout", "4", "bash", "-c", `: </dev/tcp/${target.address}/${target.port}`], {
      stderr: "ignore",
    }),
  );
  const status = await client.exited;
  if (status !== 0) resolve(undefined);
  const seen = await promise;
  listener.stop(true);
  return seen;
}

describe.skipIf(process.getuid?.() !== 0)("packets of a pod on a second ENI (S56)", () => {
  beforeEach(() => {
    bed = new TestBed();
  });
  afterEach(() => bed[Symbol.dispose]());

  test.each([
    ["nftables", false],
    ["iptables", true],
  ] as const)("with %s marks: the VPC sees the pod, the internet the node", async (_, legacy) => {
    await setUp({}, legacy);
    expect(await seenFrom(pod, bed.world, "10.0.2.1")).toBe("10.0.2.17");
    expect(await seenFrom(pod, bed.world, "10.0.1.1")).toBe("10.0.2.17");
    expect(await seenFrom(pod, bed.world, outside)).toBe("10.0.1.10");
    expect(await seenFrom(bed.world, pod, "10.0.2.17")).toBe("10.0.2.1");
  });

  test("an excluded destination and external SNAT see the pod", async () => {
    await setUp({ excludeSnatCidrs: [parseCidr4("192.0.2.0/24")] });
    expect(await seenFrom(pod, bed.world, outside)).toBe("10.0.2.17");
    bed[Symbol.dispose]();
    bed = new TestBed();
    await setUp({ externalSnat: true });
    expect(await seenFrom(pod, bed.world, outside)).toBe("10.0.2.17");
  });

  test("what comes in by a node port goes back where it came from, only with NodePort support", async () => {
    const nodePort = { address: "10.0.1.10", port: 30080 };
    const dnat = (): string =>
      bed.run(
        bed.node,
        "iptables",
        ...["-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", "30080"],
        ...["-j", "DNAT", "--to-destination", "10.0.2.17:8080"],
      );
    await setUp();
    dnat();
    expect(await seenFrom(bed.world, pod, "10.0.2.17", nodePort)).toBe("10.0.1.1");
    bed[Symbol.dispose]();
    bed = new TestBed();
    await setUp({ nodePortSupport: false, externalSnat: true });
    dnat();
    expect(await seenFrom(bed.world, pod, "10.0.2.17", nodePort)).toBeUndefined();
  });
});
