import type { Cidr4, Cidr6 } from "../../addr/cidr.ts";
import type { Tags } from "./tags.ts";

/** A block of a VPC or subnet; a disassociated one stays for a while, as in AWS, with that state. */
export interface CidrAssociation<C> {
  readonly associationId: string;
  readonly cidr: C;
  state: "associated" | "disassociated";
}

export interface Vpc {
  readonly vpcId: string;
  readonly ownerId: string;
  /** The primary block first. */
  readonly cidrs: CidrAssociation<Cidr4>[];
  readonly ipv6Cidrs: CidrAssociation<Cidr6>[];
  readonly isDefault: boolean;
  readonly dhcpOptionsId: string;
  dnsSupport: boolean;
  dnsHostnames: boolean;
  networkAddressUsageMetrics: boolean;
  mainRouteTableId: string;
  readonly defaultGroupId: string;
  readonly networkAclId: string;
  readonly tags: Tags;
}
