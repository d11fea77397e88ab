import { EniverseError } from "../base/error.ts";
import type { Imds } from "./imds.ts";

/** What an instance knows of itself. */
export interface NodeFacts {
  readonly region: string;
  readonly availabilityZone: string;
  readonly instanceId: string;
  readonly instanceType: string;
  /** MAC address of the primary ENI, lower case. */
  readonly primaryMac: string;
  readonly primaryEniId: string;
  readonly subnetId: string;
  readonly vpcId: string;
  /** "" on an instance without IPv4. */
  readonly localIpv4: string;
  /** "" unless asked for and present. */
  readonly localIpv6: string;
}

/** An attached ENI as the metadata service shows it. */
export interface ImdsEni {
  readonly networkInterfaceId: string;
  readonly mac: string;
  readonly deviceNumber: number;
  readonly networkCard: number;
  readonly subnetId: string;
  readonly primary: boolean;
  /** Primary first; addresses inside prefixes are not listed. Empty on an EFA-only ENI. */
  readonly ipv4Addresses: readonly string[];
  readonly ipv4Prefixes: readonly string[];
  readonly ipv6Addresses: readonly string[];
  readonly ipv6Prefixes: readonly string[];
  readonly subnetIpv4Cidr: string | undefined;
  readonly subnetIpv6Cidrs: readonly string[];
}

const macs = "meta-data/network/interfaces/macs";

/** Reads what does not change while the instance lives. `ipv6` asks for the node's IPv6 address too. */
export async function readNodeFacts(imds: Imds, options: { readonly ipv6: boolean }): Promise<NodeFacts> {
  const [document, availabilityZone, localIpv4, localIpv6, instanceId, instanceType, mac] = await Promise.all(
    [
      imds.get("dynamic/instance-identity/document"),
      imds.get("meta-data/placement/availability-zone"),
      options.ipv6 ? imds.find("meta-data/local-ipv4") : imds.get("meta-data/local-ipv4"),
      options.ipv6 ? imds.get("meta-data/ipv6") : undefined,
      imds.get("meta-data/instance-id"),
      imds.get("meta-data/instance-type"),
      imds.get("meta-data/mac"),
    ],
  );
  const [primaryEniId, subnetId, vpcId] = await Promise.all([
    imds.get(`${macs}/${mac}/interface-id`),
    imds.get(`${macs}/${mac}/subnet-id`),
    imds.get(`${macs}/${mac}/vpc-id`),
  ]);
  return {
    region: regionOf(document),
    availabilityZone,
    instanceId,
    instanceType,
    primaryMac: mac.toLowerCase(),
    primaryEniId,
    subnetId,
    vpcId,
    localIpv4: localIpv4 ?? "",
    localIpv6: localIpv6 ?? "",
  };
}

function regionOf(document: string): string {
  let region: unknown;
  try {
    region = (JSON.parse(document) as { region?: unknown }).region;
  } catch {
    region = undefined;
  }
  if (typeof region === "string" && region !== "") return region;
  throw unreadable("dynamic/instance-identity/document", document, 'JSON with a "region"');
}

/**
 * All attached ENIs, primary first, then by card and device number. An ENI that vanishes while it is read is
 * left out, because it was detached.
 */
export async function readEnis(imds: Imds, primaryMac: string): Promise<ImdsEni[]> {
  const listed = words(await imds.get(`${macs}/`)).map((entry) => entry.replace(/\/$/, ""));
  const enis = await Promise.all(listed.map((mac) => readEni(imds, mac, primaryMac)));
  return enis
    .filter((eni) => eni !== undefined)
    .sort(
      (a, b) =>
        Number(b.primary) - Number(a.primary) ||
        a.networkCard - b.networkCard ||
        a.deviceNumber - b.deviceNumber,
    );
}

async function readEni(imds: Imds, mac: string, primaryMac: string): Promise<ImdsEni | undefined> {
  const below = `${macs}/${mac}`;
  // The listing says which of the optional entries exist, which saves asking for each of them.
  const listing = await imds.find(`${below}/`);
  if (listing === undefined) return undefined;
  const present = new Set(words(listing).map((entry) => entry.replace(/\/$/, "")));
  const list = async (name: string): Promise<string[]> =>
    present.has(name) ? words((await imds.find(`${below}/${name}`)) ?? "") : [];
  const [id, device, card, subnetId, v4, v4Prefixes, v6, v6Prefixes, v4Cidr, v6Cidrs] = await Promise.all([
    imds.find(`${below}/interface-id`),
    imds.find(`${below}/device-number`),
    present.has("network-card") ? imds.find(`${below}/network-card`) : undefined,
    imds.find(`${below}/subnet-id`),
    list("local-ipv4s"),
    list("ipv4-prefix"),
    list("ipv6s"),
    list("ipv6-prefix"),
    list("subnet-ipv4-cidr-block"),
    list("subnet-ipv6-cidr-blocks"),
  ]);
  if (id === undefined || device === undefined || subnetId === undefined) return undefined;
  const primary = mac.toLowerCase() === primaryMac;
  return {
    networkInterfaceId: id,
    mac: mac.toLowerCase(),
    // The primary ENI is device 0 whatever the metadata says (seen on instances with several cards).
    deviceNumber: primary ? 0 : wholeNumber(`${below}/device-number`, device),
    networkCard: card === undefined ? 0 : wholeNumber(`${below}/network-card`, card),
    subnetId,
    primary,
    ipv4Addresses: v4,
    ipv4Prefixes: v4Prefixes,
    ipv6Addresses: v6,
    ipv6Prefixes: v6Prefixes,
    subnetIpv4Cidr: v4Cidr[0],
    subnetIpv6Cidrs: v6Cidrs,
  };
}

/** CIDR blocks of the VPC that the primary ENI is in, primary block first. */
export async function readVpcCidrs(imds: Imds, primaryMac: string, family: 4 | 6): Promise<string[]> {
  const path = `${macs}/${primaryMac}/vpc-ipv${family}-cidr-blocks`;
  if (family === 6) return words((await imds.find(path)) ?? "");
  const cidrs = words(await imds.get(path));
  if (cidrs.length === 0) throw unreadable(path, "nothing", "one IPv4 block or more");
  return cidrs;
}

/** Ids of the primary ENI's security groups. */
export async function readSecurityGroups(imds: Imds, primaryMac: string): Promise<string[]> {
  return words(await imds.get(`${macs}/${primaryMac}/security-group-ids`));
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

function wholeNumber(path: string, text: string): number {
  if (/^\d+$/.test(text.trim())) return Number(text);
  throw unreadable(path, text, "a whole number");
}

function unreadable(path: string, found: string, wanted: string): EniverseError {
  return new EniverseError("corrupted", {
    attempted: `read instance metadata /latest/${path}`,
    found: JSON.stringify(found.slice(0, 80)),
    wanted,
    facts: { imdsPath: path },
  });
}
