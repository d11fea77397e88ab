import { cidrContains, cidrsOverlap } from "../../addr/cidr.ts";
import { tryParseIpv4 } from "../../addr/ipv4.ts";
import { tryParseIpv6 } from "../../addr/ipv6.ts";
import type { NftObject } from "../../linux/nft.ts";
import { hostCidr } from "../../linux/rtnetlink/family.ts";
import type { BlackholedDrop, BlackholeReason, DropCount, FabricDrops } from "./drops.ts";
import { portDevice } from "./names.ts";
import type { FabricSpec, FabricSubnet } from "./spec.ts";
import type { IpAddress } from "./wanted.ts";

interface CountedElement extends DropCount {
  /** One text, or several of a concatenation. */
  readonly key: readonly string[];
}

/** The elements of one set in nft's JSON listing; empty when the set is not there. */
function countedElements(ruleset: readonly NftObject[], name: string): CountedElement[] {
  const found = ruleset.map((entry) => entry.set).find((set) => isRecord(set) && set.name === name);
  if (!isRecord(found) || !Array.isArray(found.elem)) return [];
  return found.elem.flatMap((entry: unknown) => {
    const element = isRecord(entry) ? entry.elem : undefined;
    if (!isRecord(element) || !isRecord(element.counter)) return [];
    const { val, counter } = element;
    const key: unknown[] = isRecord(val) && Array.isArray(val.concat) ? val.concat : [val];
    return [{ key: key.map(String), packets: Number(counter.packets), bytes: Number(counter.bytes) }];
  });
}

/** Names in an nft set of plain elements. */
export function setElements(ruleset: readonly NftObject[], name: string): string[] {
  const found = ruleset.map((entry) => entry.set).find((set) => isRecord(set) && set.name === name);
  return isRecord(found) && Array.isArray(found.elem) ? found.elem.map(String) : [];
}

export function hasTable(ruleset: readonly NftObject[], name: string): boolean {
  return ruleset.some(({ table }) => isRecord(table) && table.name === name);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The counters of the router's and the internet gateway's rulesets in the words of the VPC. */
export function readDrops(
  spec: FabricSpec,
  router: readonly NftObject[],
  edge: readonly NftObject[],
): FabricDrops {
  const eniOf = new Map(spec.enis.map((eni) => [portDevice(eni.eniId), eni.eniId]));
  const sourceCheck = countedElements(router, "spoofed").map(({ key: [device = ""], ...count }) => ({
    eniId: eniOf.get(device) ?? device,
    ...count,
  }));
  const noPublicAddress = countedElements(edge, "no_public").flatMap(({ key, ...count }) => {
    const source = parseAddress(key[0]);
    return source === undefined ? [] : [{ source, ...count }];
  });
  const notFromInside = countedElements(edge, "refused6").flatMap(({ key, ...count }) => {
    const destination = parseAddress(key[0]);
    return destination === undefined ? [] : [{ destination, ...count }];
  });
  const blackholed = [...countedElements(router, "lost4"), ...countedElements(router, "lost6")].flatMap(
    ({ key, ...count }): BlackholedDrop[] => {
      const source = parseAddress(key[0]);
      const destination = parseAddress(key[1]);
      if (source === undefined || destination === undefined) return [];
      return [{ source, destination, reason: blackholeReason(spec, source, destination), ...count }];
    },
  );
  return { sourceCheck, noPublicAddress, notFromInside, blackholed };
}

const parseAddress = (text = ""): IpAddress | undefined => tryParseIpv4(text) ?? tryParseIpv6(text);

/** Why a packet of `source` went to the sink, by the longest prefix of its subnet's route table. */
export function blackholeReason(
  spec: FabricSpec,
  source: IpAddress,
  destination: IpAddress,
): BlackholeReason {
  const wanted = hostCidr(destination);
  const subnet = subnetOfSource(spec, source);
  const route = subnet?.routes
    .filter((candidate) => cidrContains(candidate.destination, wanted))
    .reduce<FabricSubnet["routes"][number] | undefined>(
      (best, next) => (best === undefined || next.destination.bits > best.destination.bits ? next : best),
      undefined,
    );
  const local = spec.vpcCidrs.find((cidr) => cidrContains(cidr, wanted));
  if (local !== undefined && (route === undefined || route.destination.bits < local.bits))
    return "no-such-address";
  return route === undefined ? "no-route" : "blackhole-route";
}

function subnetOfSource(spec: FabricSpec, source: IpAddress): FabricSubnet | undefined {
  const from = hostCidr(source);
  return spec.subnets.find(
    ({ cidr, ipv6 }) => cidrsOverlap(cidr, from) || (ipv6 !== undefined && cidrsOverlap(ipv6, from)),
  );
}
