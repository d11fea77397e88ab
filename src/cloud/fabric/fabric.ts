/**
 * The packet plane of a VPC, made of network namespaces: a *router* with one veth pair per attached ENI, an
 * *internet gateway* that translates public addresses, one namespace per NAT gateway, and an *internet* with an
 * echo service. `wanted.ts` turns a {@link FabricSpec} into the wanted kernel state (pure), `diff.ts` compares,
 * `router.ts` and its siblings make it so. The namespaces are held by processes of their own, so a fabric
 * outlives the lab process; a new one adopts it by its label and reads the state back from the kernel.
 */
import type { Cidr } from "../../addr/cidr.ts";
import type { Ipv4 } from "../../addr/ipv4.ts";
import type { Ipv6 } from "../../addr/ipv6.ts";
import { EniverseError } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import type { FabricDrops } from "./drops.ts";
import type { Fabric } from "./spec.ts";

export interface FabricOptions {
  /** Namespaces of two fabrics are told apart by it; one lab has one fabric. */
  readonly labName: string;
  readonly internet?: InternetOptions;
  readonly log?: Log;
}

/** What the world outside of the VPC looks like; defaults are the documentation ranges. */
export interface InternetOptions {
  /** Every address in here is a host of the internet: answers pings and runs the echo service. */
  readonly hosts?: readonly Cidr[];
  /** The range of public addresses that internet gateways translate to. */
  readonly publicCidrs?: readonly Cidr[];
  /** Where the UDP echo service answers; must lie in `hosts`. */
  readonly echo4?: Ipv4;
  readonly echo6?: Ipv6;
}

/** A {@link Fabric} with what views and explanations need. */
export interface LiveFabric extends Fabric {
  /** Addresses of the internet's echo service: TCP and UDP port 7 (lines), HTTP port 80. */
  readonly echo4: Ipv4;
  readonly echo6: Ipv6;
  /** Dropped packets by reason. */
  drops(): FabricDrops;
  /** Stops the echo service and closes descriptors; namespaces and their packets go on. */
  close(): Promise<void>;
}

/** Makes the packet plane of a lab, or adopts the one that an earlier process of the same lab left. */
export async function createFabric(options: FabricOptions): Promise<LiveFabric> {
  throw new EniverseError("unsupported", { attempted: `make the packet plane of ${options.labName}` });
}

/** Ends every namespace and process of the lab's fabric, whoever made them; for `down` after a crash. */
export async function destroyFabric(labName: string): Promise<void> {
  throw new EniverseError("unsupported", { attempted: `take down the packet plane of ${labName}` });
}
