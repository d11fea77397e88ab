import { formatCidr, tryParseCidr } from "../../../addr/cidr.ts";
import { faults } from "../../model/fault.ts";
import { findSubnet } from "../../model/lookup.ts";
import {
  createReservation,
  deleteReservation,
  type SubnetReservation,
} from "../../model/subnet-reservation.ts";
import { action, type Call, listing } from "../action.ts";
import type { XmlObject } from "../encode-xml.ts";
import { type FilterTable, readFilters } from "../filter.ts";
import { pageOf } from "../page.ts";
import { given, tagSet, tagSpecification } from "../parameters.ts";

function reservationXml(reservation: SubnetReservation): XmlObject {
  return {
    subnetCidrReservationId: reservation.reservationId,
    subnetId: reservation.subnetId,
    cidr: formatCidr(reservation.cidr),
    reservationType: reservation.type,
    ownerId: reservation.ownerId,
    description: reservation.description,
    tagSet: tagSet(reservation.tags),
  };
}

const filters: FilterTable<SubnetReservation> = {
  reservationType: (one) => one.type,
  "reservation-type": (one) => one.type,
  "subnet-id": (one) => one.subnetId,
};

function create({ ctx, params }: Call): XmlObject {
  const text = params.required("Cidr");
  const cidr = tryParseCidr(text);
  if (cidr === undefined) throw faults.badValue(text, "cidr", "This is not a valid CIDR block.");
  const type = params.word("ReservationType", ["prefix", "explicit"]);
  if (type === undefined) throw faults.missing("ReservationType");
  const reservation = createReservation(ctx, {
    subnetId: params.required("SubnetId"),
    cidr,
    type,
    tags: tagSpecification(params, "subnet-cidr-reservation"),
    ...given({ description: params.text("Description") }),
  });
  return { subnetCidrReservation: reservationXml(reservation) };
}

function get({ ctx, params }: Call): XmlObject {
  const { subnetId } = findSubnet(ctx.state, params.required("SubnetId"));
  const all = [...ctx.state.reservations.values()].filter((one) => one.subnetId === subnetId);
  const page = pageOf(params, all.filter(readFilters(params, filters)), (one) => one.reservationId);
  return {
    subnetIpv4CidrReservationSet: page.items.map(reservationXml),
    subnetIpv6CidrReservationSet: [],
    nextToken: page.nextToken,
  };
}

export const reservationActions = [
  action(
    "CreateSubnetCidrReservation",
    ["SubnetId", "Cidr", "ReservationType", "Description", "TagSpecification"],
    create,
  ),
  action("GetSubnetCidrReservations", ["SubnetId", ...listing], get),
  action("DeleteSubnetCidrReservation", ["SubnetCidrReservationId"], ({ ctx, params }) => ({
    deletedSubnetCidrReservation: reservationXml(
      deleteReservation(ctx, params.required("SubnetCidrReservationId")),
    ),
  })),
];
