import { type Cidr4, type Cidr6, cidrContains, cidrsOverlap, formatCidr } from "../../addr/cidr.ts";
import { spaceOf } from "./address-taking.ts";
import { Ec2Fault, faults } from "./fault.ts";
import { newId } from "./ids.ts";
import { findSubnet } from "./lookup.ts";
import type { Context } from "./state.ts";
import { newTags, type Tags } from "./tags.ts";

/** A part of a subnet kept for prefixes, or kept from automatic choice. */
export interface SubnetReservation {
  readonly reservationId: string;
  readonly ownerId: string;
  readonly subnetId: string;
  readonly cidr: Cidr4;
  readonly type: "prefix" | "explicit";
  readonly description: string;
  readonly tags: Tags;
}

export interface ReserveRequest {
  readonly subnetId: string;
  readonly cidr: Cidr4 | Cidr6;
  readonly type: "prefix" | "explicit";
  readonly description?: string;
  readonly tags?: Iterable<readonly [string, string]>;
}

/** What is in use within the range stays in use; the rest leaves the automatic choice. */
export function createReservation(ctx: Context, request: ReserveRequest): SubnetReservation {
  const { state } = ctx;
  const subnet = findSubnet(state, request.subnetId);
  const { cidr } = request;
  if (cidr.family === 6) {
    throw new Ec2Fault("UnsupportedOperation", "This cloud reserves parts of IPv4 subnets only.");
  }
  if (!cidrContains(subnet.cidr, cidr)) {
    throw faults.badValue(formatCidr(cidr), "cidr", "The CIDR is not within the subnet.");
  }
  for (const other of state.reservations.values()) {
    if (other.subnetId === subnet.subnetId && cidrsOverlap(other.cidr, cidr)) {
      throw faults.invalid(
        `The CIDR '${formatCidr(cidr)}' conflicts with the reservation ${other.reservationId}`,
      );
    }
  }
  const reservationId = newId("scr", ctx.random);
  const reservation: SubnetReservation = {
    reservationId,
    ownerId: ctx.account.accountId,
    subnetId: subnet.subnetId,
    cidr,
    type: request.type,
    description: request.description ?? "",
    tags: newTags(request.tags),
  };
  spaceOf(state, subnet.subnetId).reserve({ cidr, kind: request.type });
  state.put("subnet-cidr-reservation", reservationId, reservation);
  return reservation;
}

export function deleteReservation(ctx: Context, reservationId: string): SubnetReservation {
  const reservation = ctx.state.reservations.get(reservationId);
  if (reservation === undefined) {
    throw faults.notFound(
      "InvalidSubnetCidrReservationId.NotFound",
      "subnet CIDR reservation ID",
      reservationId,
    );
  }
  spaceOf(ctx.state, reservation.subnetId).unreserve(reservation.cidr);
  ctx.state.drop("subnet-cidr-reservation", reservationId);
  return reservation;
}
