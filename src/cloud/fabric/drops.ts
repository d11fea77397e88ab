import type { IpAddress } from "./wanted.ts";

/** Packets that the packet plane dropped, by reason, since the fabric was made. Evidence for explanations. */
export interface FabricDrops {
  /** The source was none of the ENI's addresses and prefixes (source/destination check), by sending ENI. */
  readonly sourceCheck: readonly (DropCount & { readonly eniId: string })[];
  /** Sent to the internet gateway from a private address that has no public one. */
  readonly noPublicAddress: readonly (DropCount & { readonly source: IpAddress })[];
  /** Sent from the internet to an IPv6 address whose subnet has no route to an internet gateway. */
  readonly notFromInside: readonly (DropCount & { readonly destination: IpAddress })[];
  /** No ENI, route or gateway takes the destination. */
  readonly blackholed: readonly BlackholedDrop[];
}

export interface DropCount {
  readonly packets: number;
  readonly bytes: number;
}

export interface BlackholedDrop extends DropCount {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly reason: BlackholeReason;
}

/**
 * Why a destination was not reached: no ENI holds an address of the VPC, the route table says blackhole (or its
 * target is gone or not attached), or the route table has no route for it.
 */
export type BlackholeReason = "no-such-address" | "blackhole-route" | "no-route";
