import type { Tags } from "./tags.ts";

/** The default network ACL of a VPC: everything allowed, all subnets associated. */
export interface NetworkAcl {
  readonly aclId: string;
  readonly ownerId: string;
  readonly vpcId: string;
  readonly tags: Tags;
}
