import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { parseCidr4 } from "../addr/cidr.ts";
import { parseIpv4 } from "../addr/ipv4.ts";
import { parseIpv6 } from "../addr/ipv6.ts";
import {
  applyHostNetwork,
  applyStartRules,
  connmarkTableIn,
  type HostNetworkSettings,
  iptablesKind,
  readIptablesKind,
  updateVpcCidrs,
} from "./host-network.ts";
import { TestBed } from "./test-bed.ts";

let bed: TestBed;

function settings(snat: Partial<HostNetworkSettings["snat"]> = {}): HostNetworkSettings {
  return {
    family: 4,
    primaryMac: bed.primaryMac,
    eniMtu: 1400,
    snat: {
      primaryAddress: parseIpv4("10.0.1.10"),
      vpcCidrs: [parseCidr4("10.10.0.0/16"), parseCidr4("10.11.0.0/16")],
      excludeSnatCidrs: [parseCidr4("10.12.0.0/16"), parseCidr4("10.13.0.0/16")],
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
}

const iptables = (table: string, program = "iptables"): string[] =>
  bed
    .run(bed.node, program, "-t", table, "-S")
    .split("\n")
    .filter((line) => line.startsWith("-A") || line.startsWith("-N"));

const snatRules = [
  "-N AWS-SNAT-CHAIN-0",
  '-A POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0',
  '-A AWS-SNAT-CHAIN-0 -d 10.13.0.0/16 -m comment --comment "AWS SNAT CHAIN EXCLUSION" -j RETURN',
  '-A AWS-SNAT-CHAIN-0 -d 10.12.0.0/16 -m comment --comment "AWS SNAT CHAIN EXCLUSION" -j RETURN',
  '-A AWS-SNAT-CHAIN-0 -d 10.11.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN',
  '-A AWS-SNAT-CHAIN-0 -d 10.10.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN',
  '-A AWS-SNAT-CHAIN-0 ! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL' +
    " -j SNAT --to-source 10.0.1.10 --random-fully",
];

const mangleRules = (prefix = "eni"): string[] => [
  '-A PREROUTING -i eth0 -m comment --comment "AWS, primary ENI" -m addrtype --dst-type LOCAL --limit-iface-in' +
    " -j CONNMARK --set-xmark 0x80/0x80",
  `-A PREROUTING -i ${prefix}+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80`,
  '-A PREROUTING -i vlan+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80',
];

const connmarkTable = `table ip aws-cni {
	chain nat-prerouting {
		type nat hook prerouting priority dstnat + 10; policy accept;
		fib daddr type local return
		iifname "eni*" counter jump snat-mark
		counter meta mark set ct mark & 0x00000080
	}

	chain snat-mark {
		counter ip daddr 10.13.0.0/16 return
		counter ip daddr 10.12.0.0/16 return
		counter ip daddr 10.11.0.0/16 return
		counter ip daddr 10.10.0.0/16 return
		counter ct mark set ct mark | 0x00000080
	}
}
`;

const nft = (): string => bed.run(bed.node, "nft", "list", "ruleset");

/** The host as text, and handles that tell whether a rule was replaced by an equal one. */
const picture = (): string =>
  [
    bed.run(bed.node, "nft", "-a", "list", "ruleset"),
    bed.run(bed.node, "ip", "rule"),
    bed.run(bed.node, "ip", "-6", "rule"),
  ].join("\n");

test("the backend follows iptables --version", () => {
  const kind = (text: string) => {
    const { connmarkBackend, randomFully } = readIptablesKind(text);
    return [connmarkBackend, randomFully];
  };
  expect(kind("iptables v1.8.9 (nf_tables)\n")).toEqual(["nftables", true]);
  expect(kind("iptables v1.8.9 (legacy)\n")).toEqual(["iptables", true]);
  expect(kind("iptables v1.6.1\n")).toEqual(["nftables", false]);
});

describe.skipIf(process.getuid?.() !== 0)("the host network of a node (S45, S56)", () => {
  beforeEach(() => {
    bed = new TestBed();
  });
  afterEach(() => bed[Symbol.dispose]());

  test("stands as the official CNI makes it, with the nftables backend", async () => {
    const primary = await applyHostNetwork(bed.host, settings(), iptablesKind(bed.host));
    expect(primary).toBe("eth0");
    expect(iptables("nat")).toEqual(snatRules);
    expect(iptables("mangle")).toEqual(mangleRules());
    expect(connmarkTableIn(nft())).toBe(connmarkTable);
    expect(bed.ip(bed.node, "rule")).toContain("1024: from all fwmark 0x80/0x80 lookup main");
    expect(bed.host.rt.linkByName("eth0")?.mtu).toBe(1400);
  });

  test("a second run changes nothing", async () => {
    await applyHostNetwork(bed.host, settings(), iptablesKind(bed.host));
    const before = picture();
    await applyHostNetwork(bed.host, settings(), iptablesKind(bed.host));
    expect(picture()).toBe(before);
  });

  test("other people's rules stay where they are", async () => {
    bed.run(bed.node, "iptables", "-t", "nat", "-A", "POSTROUTING", "-d", "192.0.2.1", "-j", "ACCEPT");
    bed.run(bed.node, "nft", "add", "table", "ip", "other");
    await applyHostNetwork(bed.host, settings(), iptablesKind(bed.host));
    await applyHostNetwork(bed.host, settings({ externalSnat: true }), iptablesKind(bed.host));
    expect(iptables("nat")).toEqual(["-N AWS-SNAT-CHAIN-0", "-A POSTROUTING -d 192.0.2.1/32 -j ACCEPT"]);
    expect(nft()).toContain("table ip other");
  });

  test("changed exclusions, an exclusion of everything and none of the random flags", async () => {
    const kind = iptablesKind(bed.host);
    await applyHostNetwork(bed.host, settings(), kind);
    const everything = settings({ excludeSnatCidrs: [parseCidr4("0.0.0.0/0")], randomizeSnat: "none" });
    await applyHostNetwork(bed.host, everything, kind);
    const before = picture();
    await applyHostNetwork(bed.host, everything, kind);
    expect(picture()).toBe(before);
    expect(iptables("nat")).toEqual([
      ...snatRules.slice(0, 2),
      '-A AWS-SNAT-CHAIN-0 -m comment --comment "AWS SNAT CHAIN EXCLUSION" -j RETURN',
      ...snatRules.slice(4, 6),
      '-A AWS-SNAT-CHAIN-0 ! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL' +
        " -j SNAT --to-source 10.0.1.10",
    ]);
    expect(connmarkTableIn(nft())).toContain("chain snat-mark {\n\t\tcounter return\n");
    await applyHostNetwork(bed.host, settings({ randomizeSnat: "hashrandom" }), kind);
    expect(iptables("nat").at(-1)).toEndWith("--to-source 10.0.1.10 --random");
  });

  test("new VPC blocks are taken in", async () => {
    const kind = iptablesKind(bed.host);
    await applyHostNetwork(bed.host, settings(), kind);
    updateVpcCidrs(bed.host, settings(), kind, [parseCidr4("100.64.0.0/16")], "eth0");
    expect(iptables("nat").filter((rule) => rule.endsWith("RETURN")).length).toBe(3);
    expect(iptables("nat").join("\n")).toContain("-d 100.64.0.0/16");
    expect(connmarkTableIn(nft())).toContain("counter ip daddr 100.64.0.0/16 return");
  });

  test("external SNAT leaves the marks of NodePort services and nothing else", async () => {
    const kind = iptablesKind(bed.host);
    await applyHostNetwork(bed.host, settings(), kind);
    await applyHostNetwork(bed.host, settings({ externalSnat: true }), kind);
    expect(iptables("nat")).toEqual(["-N AWS-SNAT-CHAIN-0"]);
    expect(connmarkTableIn(nft())).toBeUndefined();
    expect(iptables("mangle")).toEqual(mangleRules());
    await applyHostNetwork(bed.host, settings({ externalSnat: true, nodePortSupport: false }), kind);
    expect(iptables("mangle")).toEqual([]);
    expect(bed.ip(bed.node, "rule").filter((rule) => rule.includes("fwmark"))).toEqual([]);
    await applyHostNetwork(bed.host, settings({ nodePortSupport: false }), kind);
    expect(iptables("mangle")).toEqual(mangleRules().slice(1, 2));
  });

  test("another veth prefix and another mark replace the old ones", async () => {
    const kind = iptablesKind(bed.host);
    await applyHostNetwork(bed.host, settings(), kind);
    await applyHostNetwork(bed.host, settings({ vethPrefix: "veth" }), kind);
    expect(iptables("mangle")).toEqual(mangleRules("veth"));
    expect(connmarkTableIn(nft())).toContain('iifname "veth*"');
    await applyHostNetwork(bed.host, settings({ connmark: 0x100 }), kind);
    expect(bed.ip(bed.node, "rule").filter((rule) => rule.includes("fwmark"))).toEqual([
      "1024: from all fwmark 0x100/0x100 lookup main",
    ]);
  });

  test("the iptables backend marks with rules of its own and takes the nftables table away", async () => {
    const kind = iptablesKind(bed.host);
    await applyHostNetwork(bed.host, settings(), kind);
    const legacy = { ...kind, connmarkBackend: "iptables" as const };
    await applyHostNetwork(bed.host, settings(), legacy);
    const before = picture();
    await applyHostNetwork(bed.host, settings(), legacy);
    expect(picture()).toBe(before);
    expect(connmarkTableIn(nft())).toBeUndefined();
    expect(iptables("nat").filter((rule) => rule.includes("CONNMARK"))).toEqual([
      "-N AWS-CONNMARK-CHAIN-0",
      '-A PREROUTING -i eni+ -m comment --comment "AWS, outbound connections" -j AWS-CONNMARK-CHAIN-0',
      '-A PREROUTING -m comment --comment "AWS, CONNMARK" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80',
      ...["10.13", "10.12", "10.11", "10.10"].map(
        (net) =>
          `-A AWS-CONNMARK-CHAIN-0 -d ${net}.0.0/16 -m comment --comment "AWS CONNMARK CHAIN" -j RETURN`,
      ),
      '-A AWS-CONNMARK-CHAIN-0 -m comment --comment "AWS, CONNMARK" -j CONNMARK --set-xmark 0x80/0x80',
    ]);
    await applyHostNetwork(bed.host, settings(), kind);
    expect(iptables("nat")).toEqual(snatRules);
    expect(connmarkTableIn(nft())).toBe(connmarkTable);
  });

  test("chains of old versions go", async () => {
    for (const args of [
      ["-N", "AWS-SNAT-CHAIN-0"],
      ["-N", "AWS-SNAT-CHAIN-1"],
      ["-N", "AWS-CONNMARK-CHAIN-1"],
      ["-A", "AWS-SNAT-CHAIN-0", "!", "-d", "10.10.0.0/16", "-j", "AWS-SNAT-CHAIN-1"],
      ["-A", "AWS-SNAT-CHAIN-1", "-j", "RETURN"],
    ])
      bed.run(bed.node, "iptables", "-t", "nat", ...args);
    await applyHostNetwork(bed.host, settings(), iptablesKind(bed.host));
    expect(iptables("nat")).toEqual(snatRules);
  });

  test("in an IPv6 cluster egress addresses are out of reach of other pods", async () => {
    const kind = iptablesKind(bed.host);
    bed.run(bed.node, "iptables", "-A", "FORWARD", "-j", "ACCEPT");
    const ipv6 = { ...settings(), family: 6 as const };
    await applyHostNetwork(bed.host, ipv6, kind);
    await applyHostNetwork(bed.host, ipv6, kind);
    expect(iptables("filter")).toEqual([
      '-A FORWARD -d 169.254.172.0/22 -m conntrack --ctstate NEW -m comment --comment "Block Node Local Pod access via IPv4"' +
        " -j REJECT --reject-with icmp-port-unreachable",
      "-A FORWARD -j ACCEPT",
    ]);
    expect(iptables("nat")).toEqual([]);
    expect(bed.ip(bed.node, "-6", "rule")).toContain("1024: from all fwmark 0x80/0x80 lookup main");
    const egress = { ...settings(), v6Egress: true };
    await applyHostNetwork(bed.host, egress, kind);
    const before = picture();
    await applyHostNetwork(bed.host, egress, kind);
    expect(picture()).toBe(before);
    expect(iptables("filter", "ip6tables")).toEqual([
      '-A FORWARD -d fd00::ac:0/118 -m conntrack --ctstate NEW -m comment --comment "Block Node Local Pod access via IPv6"' +
        " -j REJECT --reject-with icmp6-port-unreachable",
    ]);
  });

  test("strict branch pods come before the local table, and its place is given back", async () => {
    const kind = iptablesKind(bed.host);
    const local = (family: string): string[] =>
      bed.ip(bed.node, family, "rule").filter((rule) => rule.endsWith("lookup local"));
    await applyHostNetwork(bed.host, { ...settings(), strictBranchPods: true }, kind);
    expect(local("-4")).toEqual(["20: from all lookup local"]);
    await applyHostNetwork(bed.host, settings(), kind);
    expect(local("-4")).toEqual(["0: from all lookup local"]);
    await applyHostNetwork(bed.host, { ...settings(), family: 6, strictBranchPods: true }, kind);
    expect(local("-6")).toEqual([
      "0: from fe80:ec2::1 ipproto ipv6-icmp lookup local",
      "20: from all lookup local",
    ]);
  });

  test("at the start rules of addresses that no pod holds go, but not those of branch pods and of others", () => {
    const ip = (...args: readonly string[]) => bed.run(bed.node, "ip", "rule", "add", ...args);
    for (const address of ["10.0.1.17", "10.0.1.18"]) {
      ip("to", address, "table", "main", "priority", "512");
      ip("from", address, "table", "2", "priority", "1536");
    }
    ip("to", "10.0.1.19", "table", "main", "priority", "512");
    ip("from", "10.0.1.19", "table", "107", "priority", "1536");
    ip("to", "192.0.2.0/24", "table", "main", "priority", "512");
    ip("from", "10.0.1.30", "table", "2", "priority", "32765");
    applyStartRules(bed.host, 4, [parseIpv4("10.0.1.17")], []);
    expect(bed.ip(bed.node, "rule").filter((rule) => /10\.0\.1\.|192/.test(rule))).toEqual([
      "1536: from 10.0.1.17 lookup 2",
      "1536: from 10.0.1.19 lookup 107",
      "32765: from 10.0.1.30 lookup 2",
      "512: from all to 10.0.1.17 lookup main",
      "512: from all to 10.0.1.19 lookup main",
      "512: from all to 192.0.2.0/24 lookup main",
    ]);
  });

  test("at the start each pod address gets a single source rule, and rules 1535 follow the settings", () => {
    const ip = (...args: readonly string[]) => bed.run(bed.node, "ip", ...args);
    ip("rule", "add", "from", "10.0.1.17", "to", "10.10.0.0/16", "table", "2", "priority", "1536");
    ip("rule", "add", "from", "10.0.1.17", "to", "10.11.0.0/16", "table", "3", "priority", "1536");
    ip("rule", "add", "from", "10.0.1.18", "table", "2", "priority", "1536");
    ip("-6", "rule", "add", "from", "2001:db8::1", "table", "4", "priority", "1600");
    ip("rule", "add", "to", "192.0.2.0/24", "table", "main", "priority", "1535");
    const pods = [parseIpv4("10.0.1.17"), parseIpv4("10.0.1.18"), parseIpv4("10.0.1.19")];
    applyStartRules(bed.host, 4, pods, [parseCidr4("198.51.100.0/24")]);
    applyStartRules(bed.host, 6, [parseIpv6("2001:db8::1")], []);
    expect(bed.ip(bed.node, "rule").filter((rule) => rule.startsWith("15"))).toEqual([
      "1535: from all to 198.51.100.0/24 lookup main",
      "1536: from 10.0.1.17 lookup 3",
      "1536: from 10.0.1.18 lookup 2",
    ]);
    expect(bed.ip(bed.node, "-6", "rule")).toContain("1536: from 2001:db8::1 lookup 4");
  });
});
