import type { Cidr4 } from "../addr/cidr.ts";
import type { Mac } from "../addr/mac.ts";
import { type Clock, realClock } from "../base/clock.ts";
import { restoreIptables, runIptables, saveIptables } from "../linux/iptables.ts";
import { messageFlag } from "../linux/netlink/message.ts";
import { listNftText, runNft } from "../linux/nft.ts";
import type { RtRequest } from "../linux/rtnetlink/rtnetlink.ts";
import { addRuleRequest, deleteRuleRequest } from "../linux/rtnetlink/rule.ts";
import type { Family, IpAddress, RuleSpec } from "../linux/rtnetlink/values.ts";
import { wantedEgressFilter } from "./egress-isolation.ts";
import { linkOf } from "./eni-network.ts";
import type { HostNetns } from "./host.ts";
import {
  planExternalServiceRules,
  planHostRules,
  planLeftoverRules,
  planPodRules,
  type RuleChanges,
} from "./host-rules.ts";
import { parseSaved, planTables, type SavedTable, type TableWish } from "./iptables-plan.ts";
import {
  type ConnmarkBackend,
  nftTable,
  type SnatSettings,
  wantedConnmarkTable,
  wantedMangle,
  wantedNat,
} from "./snat.ts";

/** What the host network of a node depends on. */
export interface HostNetworkSettings {
  /** Family of the cluster's pods. */
  readonly family: Family;
  readonly primaryMac: Mac;
  readonly eniMtu: number;
  readonly snat: Omit<SnatSettings, "primaryInterface" | "randomFully" | "connmarkBackend">;
  readonly strictBranchPods: boolean;
  /** IPv6 egress for the pods of an IPv4 cluster. */
  readonly v6Egress: boolean;
}

/** What the installed `iptables` is and can do. */
export interface IptablesKind {
  readonly connmarkBackend: ConnmarkBackend;
  readonly randomFully: boolean;
  readonly version: string;
}

/**
 * Reads `iptables --version`: "legacy" in it means that marks are set by iptables rules, anything else that they
 * are set by nftables. `--random-fully` came with 1.6.2.
 */
export function readIptablesKind(version: string): IptablesKind {
  const [, major, minor, patch] = /v(\d+)\.(\d+)(?:\.(\d+))?/.exec(version) ?? [];
  const number = Number(major ?? 0) * 1_000_000 + Number(minor ?? 0) * 1000 + Number(patch ?? 0);
  return {
    connmarkBackend: version.includes("legacy") ? "iptables" : "nftables",
    randomFully: number >= 1_006_002,
    version: version.trim(),
  };
}

/** Asks the installed `iptables`. */
export function iptablesKind(host: HostNetns): IptablesKind {
  return readIptablesKind(runIptables(4, ["--version"], host.ns));
}

/**
 * The host network of a node: the primary device's MTU, the rules of the node itself, source translation, marks
 * and the isolation of egress addresses. May be called again at any time. Resolves to the name of the primary
 * device; throws `not_found` when it does not appear.
 */
export async function applyHostNetwork(
  host: HostNetns,
  settings: HostNetworkSettings,
  kind: IptablesKind,
  clock: Clock = realClock,
): Promise<string> {
  const primary = await linkOf(host, settings.primaryMac, clock);
  if (primary.mtu !== settings.eniMtu) host.rt.setLink(primary.index, { mtu: settings.eniMtu });
  if (settings.family === 6) applyTables(host, 4, [wantedEgressFilter(4)]);
  else if (settings.v6Egress) applyTables(host, 6, [wantedEgressFilter(6)]);
  const { connmark, nodePortSupport, externalSnat } = settings.snat;
  changeRules(
    host,
    planHostRules(
      {
        family: settings.family,
        connmark,
        nodePortSupport,
        externalSnat,
        strictBranchPods: settings.strictBranchPods,
      },
      host.rt.rules(settings.family),
    ),
  );
  if (settings.family === 4) applySnat(host, settings, kind, primary.name);
  return primary.name;
}

/** Source translation and marks again, after the VPC got other blocks. IPv4 only; does nothing in IPv6. */
export function updateVpcCidrs(
  host: HostNetns,
  settings: HostNetworkSettings,
  kind: IptablesKind,
  vpcCidrs: readonly Cidr4[],
  primaryInterface: string,
): void {
  if (settings.family !== 4) return;
  applySnat(host, { ...settings, snat: { ...settings.snat, vpcCidrs } }, kind, primaryInterface);
}

/** At the start: one source rule per pod address and none for others, and rules 1535 as the settings say. */
export function applyStartRules(
  host: HostNetns,
  family: Family,
  podAddresses: readonly IpAddress[],
  externalServiceCidrs: readonly Cidr4[],
): void {
  changeRules(host, planLeftoverRules(podAddresses, host.rt.rules(family)));
  changeRules(host, planPodRules(podAddresses, host.rt.rules(family)));
  if (family === 4) changeRules(host, planExternalServiceRules(externalServiceCidrs, host.rt.rules(4)));
}

function applySnat(
  host: HostNetns,
  settings: HostNetworkSettings,
  kind: IptablesKind,
  primaryInterface: string,
): void {
  const snat: SnatSettings = {
    ...settings.snat,
    primaryInterface,
    randomFully: kind.randomFully,
    connmarkBackend: kind.connmarkBackend,
  };
  // The marks first: a packet that is marked but not yet translated would leave with the pod's address.
  const connmarkTable = wantedConnmarkTable(snat);
  applyTables(host, 4, [wantedNat(snat), wantedMangle(snat)]);
  applyConnmarkTable(host, connmarkTable);
}

function applyTables(host: HostNetns, family: Family, wishes: readonly TableWish[]): void {
  const saved = new Map<string, SavedTable>();
  for (const { table } of wishes)
    for (const [name, found] of parseSaved(saveIptables(family, table, host.ns))) saved.set(name, found);
  const input = planTables(saved, wishes);
  if (input !== undefined) restoreIptables(family, input, host.ns);
}

/** Replaces the table in one transaction when it is not as wanted. */
function applyConnmarkTable(host: HostNetns, wanted: string | undefined): void {
  const present = connmarkTableIn(listNftText(host.ns));
  if (present === wanted) return;
  const remove = `table ip ${nftTable}\ndelete table ip ${nftTable}\n`;
  runNft(`${remove}${wanted ?? ""}`, host.ns);
}

/** The connmark table of a listing, its counters set aside; undefined when there is none. */
export function connmarkTableIn(listing: string): string | undefined {
  const start = listing.indexOf(`table ip ${nftTable} {\n`);
  if (start < 0) return undefined;
  const end = listing.indexOf("\n}\n", start);
  const text = end < 0 ? listing.slice(start) : listing.slice(start, end + 3);
  return text.replaceAll(/counter packets \d+ bytes \d+/g, "counter");
}

/**
 * Asked to be exclusive, the kernel takes a rule that says more (a destination too) for the same one and refuses;
 * the changes were computed from its own list, so there is no need to ask.
 */
function addBesideOthers(rule: RuleSpec): RtRequest {
  return { ...addRuleRequest(rule), flags: messageFlag.create };
}

function changeRules(host: HostNetns, changes: RuleChanges): void {
  host.rt.batch([
    ...changes.add.map(addBesideOthers),
    ...changes.remove.map((rule) => deleteRuleRequest(rule, { tolerate: "absent" })),
  ]);
}
