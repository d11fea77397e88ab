import type { Cidr } from "../../addr/cidr.ts";
import type { Tags } from "./tags.ts";

export interface RouteTable {
  readonly routeTableId: string;
  readonly ownerId: string;
  readonly vpcId: string;
  /** Routes that were added; the local ones follow from the VPC's blocks. */
  readonly routes: Route[];
  readonly associations: RouteTableAssociation[];
  readonly tags: Tags;
}

export interface Route {
  readonly destination: Cidr;
  target: RouteTarget;
}

export type RouteTarget =
  | { readonly kind: "internet-gateway"; readonly id: string }
  | { readonly kind: "egress-only-internet-gateway"; readonly id: string }
  | { readonly kind: "nat-gateway"; readonly id: string }
  | { readonly kind: "eni"; readonly id: string };

export interface RouteTableAssociation {
  readonly associationId: string;
  /** Absent for the main table's association with the VPC. */
  readonly subnetId: string | undefined;
}
