import type { Tags } from "./tags.ts";

export interface NatGateway {
  readonly natGatewayId: string;
  readonly vpcId: string;
  readonly subnetId: string;
  readonly connectivity: "public" | "private";
  readonly eniId: string;
  /** Elastic address of a public gateway. */
  readonly allocationId: string | undefined;
  state: "pending" | "available" | "deleting" | "deleted";
  readonly createdAt: number;
  deletedAt: number | undefined;
  readonly tags: Tags;
}
