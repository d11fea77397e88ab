import type { Tags } from "./tags.ts";

export interface InternetGateway {
  readonly gatewayId: string;
  readonly ownerId: string;
  /** Absent while detached. */
  vpcId: string | undefined;
  readonly tags: Tags;
}

export interface EgressOnlyGateway {
  readonly gatewayId: string;
  readonly vpcId: string;
  readonly tags: Tags;
}
