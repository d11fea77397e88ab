import { type Cidr4, formatCidr } from "../addr/cidr.ts";
import { formatIpv4, type Ipv4 } from "../addr/ipv4.ts";
import { EniverseError } from "../base/error.ts";
import { quoted, type TableWish } from "./iptables-plan.ts";

/** What the source translation of an IPv4 node depends on. */
export interface SnatSettings {
  readonly primaryInterface: string;
  /** The address that translated packets leave with. */
  readonly primaryAddress: Ipv4;
  readonly vpcCidrs: readonly Cidr4[];
  readonly excludeSnatCidrs: readonly Cidr4[];
  readonly externalSnat: boolean;
  readonly nodePortSupport: boolean;
  readonly randomizeSnat: "prng" | "hashrandom" | "none";
  /** False for iptables before 1.6.2, which has --random only. */
  readonly randomFully: boolean;
  readonly connmark: number;
  readonly vethPrefix: string;
  /** Who marks outbound connections. */
  readonly connmarkBackend: ConnmarkBackend;
}

export type ConnmarkBackend = "iptables" | "nftables";

export const snatChain = "AWS-SNAT-CHAIN-0";
export const connmarkChain = "AWS-CONNMARK-CHAIN-0";
export const nftTable = "aws-cni";

const comment = {
  jump: "AWS SNAT CHAIN",
  exclusion: "AWS SNAT CHAIN EXCLUSION",
  snat: "AWS, SNAT",
  primary: "AWS, primary ENI",
  outbound: "AWS, outbound connections",
  connmark: "AWS, CONNMARK",
  exempt: "AWS CONNMARK CHAIN",
} as const;

/**
 * Table nat: what pods send to addresses outside the VPC leaves with the node's primary address. With the
 * iptables backend, also the marking of outbound connections.
 */
export function wantedNat(settings: SnatSettings): TableWish {
  const marking = !settings.externalSnat && settings.connmarkBackend === "iptables";
  const chains = [{ name: snatChain, rules: settings.externalSnat ? [] : snatRules(settings) }];
  if (marking) chains.push({ name: connmarkChain, rules: connmarkRules(settings) });
  const jump = `${commented(comment.jump)} -j ${snatChain}`;
  return {
    table: "nat",
    chains,
    // Older versions chained one chain per VPC block.
    noChains: (name) =>
      /^AWS-(SNAT|CONNMARK)-CHAIN-\d+$/.test(name) && !chains.some((chain) => chain.name === name),
    shared: [
      {
        chain: "POSTROUTING",
        comments: [comment.jump],
        rules: settings.externalSnat ? [] : [jump],
        place: "last",
      },
      {
        chain: "PREROUTING",
        comments: [comment.outbound, comment.connmark],
        rules: marking
          ? [
              `-i ${settings.vethPrefix}+ ${commented(comment.outbound)} -j ${connmarkChain}`,
              `${commented(comment.connmark)} -j CONNMARK ${restoreMark(settings.connmark)}`,
            ]
          : [],
        place: "last",
      },
    ],
  };
}

/** The last block of the list comes first, as the official CNI's insertions leave it. */
function snatRules(settings: SnatSettings): string[] {
  const returns = [
    ...settings.vpcCidrs.map((cidr) => returnRule(cidr, comment.jump)),
    ...settings.excludeSnatCidrs.map((cidr) => returnRule(cidr, comment.exclusion)),
  ];
  const random =
    settings.randomizeSnat === "none"
      ? ""
      : settings.randomizeSnat === "prng" && settings.randomFully
        ? " --random-fully"
        : " --random";
  return [
    ...unique(returns).toReversed(),
    `! -o vlan+ ${commented(comment.snat)} -m addrtype ! --dst-type LOCAL` +
      ` -j SNAT --to-source ${formatIpv4(settings.primaryAddress)}${random}`,
  ];
}

function connmarkRules(settings: SnatSettings): string[] {
  const mark = hex(settings.connmark);
  return [
    ...unique(exemptCidrs(settings).map((cidr) => returnRule(cidr, comment.exempt))).toReversed(),
    `${commented(comment.connmark)} -j CONNMARK --set-xmark ${mark}/${mark}`,
  ];
}

/**
 * Table mangle: a connection that came in through the primary ENI is marked, and what its pod answers gets the
 * mark back, so that the rule of priority 1024 sends it out where it came in.
 */
export function wantedMangle(settings: SnatSettings): TableWish {
  const mark = hex(settings.connmark);
  const restore = `-j CONNMARK ${restoreMark(settings.connmark)}`;
  const rules: string[] = [];
  if (settings.nodePortSupport) {
    rules.push(
      `-i ${settings.primaryInterface} ${commented(comment.primary)} -m addrtype --dst-type LOCAL` +
        ` --limit-iface-in -j CONNMARK --set-xmark ${mark}/${mark}`,
    );
  }
  if (settings.nodePortSupport || !settings.externalSnat)
    rules.push(`-i ${settings.vethPrefix}+ ${commented(comment.primary)} ${restore}`);
  if (settings.nodePortSupport) rules.push(`-i vlan+ ${commented(comment.primary)} ${restore}`);
  return {
    table: "mangle",
    chains: [],
    noChains: () => false,
    shared: [{ chain: "PREROUTING", comments: [comment.primary], rules, place: "last" }],
  };
}

/**
 * The nftables table that marks outbound connections, in the words of `nft -s list table`; undefined when there
 * shall be none. Its chain comes after kube-proxy's translation of service addresses (dstnat).
 */
export function wantedConnmarkTable(settings: SnatSettings): string | undefined {
  if (settings.externalSnat || settings.connmarkBackend !== "nftables") return undefined;
  const mark = `0x${settings.connmark.toString(16).padStart(8, "0")}`;
  const exempt = unique(
    exemptCidrs(settings).map((cidr) =>
      cidr.bits === 0 ? "counter return" : `counter ip daddr ${nftCidr(cidr)} return`,
    ),
  ).toReversed();
  return [
    `table ip ${nftTable} {`,
    "\tchain nat-prerouting {",
    "\t\ttype nat hook prerouting priority dstnat + 10; policy accept;",
    "\t\tfib daddr type local return",
    `\t\tiifname "${settings.vethPrefix}*" counter jump snat-mark`,
    `\t\tcounter meta mark set ct mark & ${mark}`,
    "\t}",
    "",
    "\tchain snat-mark {",
    ...exempt.map((rule) => `\t\t${rule}`),
    `\t\tcounter ct mark set ct mark | ${mark}`,
    "\t}",
    "}",
    "",
  ].join("\n");
}

/** Destinations that see the pod's own address; throws when there is none, since every VPC has a block. */
function exemptCidrs(settings: SnatSettings): readonly Cidr4[] {
  const exempt = [...settings.vpcCidrs, ...settings.excludeSnatCidrs];
  if (exempt.length > 0) return exempt;
  throw new EniverseError("invalid_argument", {
    attempted: "mark outbound connections",
    found: "exemptCIDRs cannot be empty",
    wanted: "at least one VPC CIDR block",
  });
}

function returnRule(cidr: Cidr4, text: string): string {
  const destination = cidr.bits === 0 ? "" : `-d ${formatCidr(cidr)} `;
  return `${destination}${commented(text)} -j RETURN`;
}

function commented(text: string): string {
  return `-m comment --comment ${quoted(text)}`;
}

function restoreMark(mark: number): string {
  return `--restore-mark --nfmask ${hex(mark)} --ctmask ${hex(mark)}`;
}

function hex(mark: number): string {
  return `0x${mark.toString(16)}`;
}

/** nft prints a /32 as the bare address. */
function nftCidr(cidr: Cidr4): string {
  return cidr.bits === 32 ? formatIpv4(cidr.base) : formatCidr(cidr);
}

function unique(items: readonly string[]): string[] {
  return [...new Set(items)];
}
