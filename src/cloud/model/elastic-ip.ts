import type { Ipv4 } from "../../addr/ipv4.ts";
import type { Tags } from "./tags.ts";

export interface ElasticIp {
  readonly allocationId: string;
  readonly ownerId: string;
  readonly address: Ipv4;
  association: ElasticIpAssociation | undefined;
  readonly tags: Tags;
}

export interface ElasticIpAssociation {
  readonly associationId: string;
  readonly eniId: string;
  readonly privateAddress: Ipv4;
}
