import { type Cidr, cidr4, cidr6, parseCidr } from "../addr/cidr.ts";
import { ipv4 } from "../addr/ipv4.ts";
import { parseIpv6 } from "../addr/ipv6.ts";
import type { Mac } from "../addr/mac.ts";
import { type Clock, realClock } from "../base/clock.ts";
import { EniverseError } from "../base/error.ts";
import { hostCidr } from "../linux/rtnetlink/family.ts";
import type { IpAddress, Link, RouteSpec, RuleSpec } from "../linux/rtnetlink/values.ts";
import type { HostNetns } from "./host.ts";
import { chooseEniTable, type EniSlot, mainTable, rulePriority } from "./route-tables.ts";

/** What the host has to know of an ENI that is not the primary one. */
export interface EniNetwork {
  readonly mac: Mac;
  readonly slot: EniSlot;
  readonly primaryAddress: IpAddress;
  readonly subnet: Cidr;
  readonly mtu: number;
  /** The trunk's primary address is never a source, so it has no rule. */
  readonly trunk: boolean;
  /** Of the instance type; an older numbering of tables depends on it. */
  readonly maxEnisPerCard: number;
}

/** How long the device of a newly attached ENI may take to appear: what 5 looks 3 s apart take. */
const linkLimitMs = 15_000;
const firstLinkPollMs = 20;
const longestLinkPollMs = 500;

/** Waits between tries of a route (ms): doubled from half a second; only ever lengthened, never cut short. */
const routeRetryMs = [500, 1000, 2000, 4000];

/** The VPC's router in every IPv6 subnet. */
const ipv6Gateway = parseIpv6("fe80:ec2::1");

/**
 * Number of the ENI's routing table, taking into account what is on the node already (cards above 0).
 */
export function eniTableOf(host: HostNetns, eni: EniNetwork): { table: number; ownRule: boolean } {
  const rules = eni.slot.cardIndex === 0 ? [] : host.rt.rules(eni.subnet.family);
  return chooseEniTable(eni.slot, eni.primaryAddress, rules, eni.maxEnisPerCard);
}

/**
 * Makes a non-primary ENI usable: its device up with its primary address, a routing table that leads out
 * through it, and the rule that sends what has its primary address there. Returns the table's number. May be
 * called again. Throws `not_found` when the device does not appear within 15 s and `invalid_argument` for the
 * primary ENI, whose table is main.
 */
export async function setUpEniNetwork(
  host: HostNetns,
  eni: EniNetwork,
  clock: Clock = realClock,
): Promise<number> {
  const { table, ownRule } = eniTableOf(host, eni);
  if (table === mainTable) {
    throw new EniverseError("invalid_argument", {
      attempted: `set up the network of the ENI ${eni.mac}`,
      found: `setupENINetwork should never be called on the primary ENI (table ${mainTable})`,
      wanted: "an ENI with a table of its own",
    });
  }
  const link = await linkOf(host, eni.mac, clock);
  const interfaceIndex = link.index;
  host.rt.setLink(interfaceIndex, { mtu: eni.mtu, up: true });
  setOnlyAddress(host, interfaceIndex, eni);
  for (const route of eniRoutes(eni, interfaceIndex, table)) await replaceRoute(host, route, clock);
  deleteSubnetRoute(host, eni, interfaceIndex);
  if (ownRule && !eni.trunk) host.rt.addRule(eniRule(eni, table), { tolerate: "exists" });
  return table;
}

/** The two routes of an ENI's table: the subnet's router, and everything else through it. */
function eniRoutes(eni: EniNetwork, interfaceIndex: number, table: number): RouteSpec[] {
  const gateway = subnetGateway(eni.subnet);
  return [
    { destination: hostCidr(gateway), scope: "link", interfaceIndex, table },
    {
      destination: parseCidr(eni.subnet.family === 4 ? "0.0.0.0/0" : "::/0"),
      gateway,
      interfaceIndex,
      table,
    },
  ];
}

/** The first address of an IPv4 subnet after its base; a fixed link-local address for IPv6. */
export function subnetGateway(subnet: Cidr): IpAddress {
  return subnet.family === 4 ? ipv4(subnet.base + 1) : ipv6Gateway;
}

function eniRule(eni: EniNetwork, table: number): RuleSpec {
  return {
    family: eni.subnet.family,
    priority: rulePriority.eni,
    from: hostCidr(eni.primaryAddress),
    table,
  };
}

/** The device with this MAC, waiting for it: EC2 says "attached" before the kernel has seen the device. */
export async function linkOf(host: HostNetns, mac: Mac, clock: Clock = realClock): Promise<Link> {
  const deadline = clock.now() + linkLimitMs;
  for (let pause = firstLinkPollMs; ; pause = Math.min(pause * 2, longestLinkPollMs)) {
    const link = host.rt.linkByMac(mac);
    if (link !== undefined) return link;
    if (clock.now() >= deadline) {
      throw new EniverseError("not_found", {
        attempted: `find the device of the ENI ${mac}`,
        found: `setupENINetwork: failed to find the link which uses MAC address ${mac}`,
        wanted: `a device with that address within ${linkLimitMs / 1000} s`,
        fix: "Check that the ENI is attached to this instance and that its device was not renamed or bonded",
      });
    }
    await clock.sleep(pause);
  }
}

/** Global addresses that are not the ENI's primary one were put there by DHCP or by an earlier life of the ENI. */
function setOnlyAddress(host: HostNetns, interfaceIndex: number, eni: EniNetwork): void {
  const { family, bits } = eni.subnet;
  for (const found of host.rt.addresses({ family, interfaceIndex })) {
    if (found.scope !== "universe") continue;
    if (found.address === eni.primaryAddress && found.bits === bits) continue;
    host.rt.deleteAddress(
      { interfaceIndex, address: found.address, bits: found.bits },
      { tolerate: "absent" },
    );
  }
  host.rt.addAddress({ interfaceIndex, address: eni.primaryAddress, bits }, { tolerate: "exists" });
}

/** The kernel takes a gateway only once the device carries; a fresh ENI may need a moment. */
async function replaceRoute(host: HostNetns, route: RouteSpec, clock: Clock): Promise<void> {
  for (const pause of routeRetryMs) {
    try {
      host.rt.replaceRoute(route);
      return;
    } catch {
      await clock.sleep(pause);
    }
  }
  host.rt.replaceRoute(route);
}

/** The address brought a route to its subnet into main, where it would compete with the primary ENI's. */
function deleteSubnetRoute(host: HostNetns, eni: EniNetwork, interfaceIndex: number): void {
  const { subnet, primaryAddress } = eni;
  const match =
    subnet.family === 4
      ? {
          destination: cidr4(subnet.base, subnet.bits),
          source: primaryAddress,
          scope: "link" as const,
          interfaceIndex,
        }
      : { destination: cidr6(subnet.base, subnet.bits), interfaceIndex };
  host.rt.deleteRoute({ ...match, table: mainTable }, { tolerate: "absent" });
}

/** Deletes every rule whose source is this address; used when an ENI goes. */
export function deleteRulesFrom(host: HostNetns, address: IpAddress): void {
  const block = hostCidr(address);
  for (const rule of host.rt.rules(block.family)) {
    if (rule.from?.base !== address || rule.from.bits !== block.bits) continue;
    host.rt.deleteRule(rule, { tolerate: "absent" });
  }
}
