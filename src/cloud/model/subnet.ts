import type { Cidr4, Cidr6 } from "../../addr/cidr.ts";
import type { Tags } from "./tags.ts";
import type { CidrAssociation } from "./vpc.ts";

export interface Subnet {
  readonly subnetId: string;
  readonly ownerId: string;
  readonly vpcId: string;
  readonly zone: string;
  readonly zoneId: string;
  readonly cidr: Cidr4;
  readonly ipv6Cidrs: CidrAssociation<Cidr6>[];
  mapPublicIpOnLaunch: boolean;
  assignIpv6OnCreation: boolean;
  dns64: boolean;
  hostnameType: "ip-name" | "resource-name";
  resourceNameARecord: boolean;
  resourceNameAaaaRecord: boolean;
  readonly aclAssociationId: string;
  readonly tags: Tags;
}

/** A part of a subnet kept for prefixes, or kept from automatic choice. */
export interface SubnetReservation {
  readonly reservationId: string;
  readonly ownerId: string;
  readonly subnetId: string;
  readonly cidr: Cidr4 | Cidr6;
  readonly type: "prefix" | "explicit";
  readonly description: string;
  readonly tags: Tags;
}
