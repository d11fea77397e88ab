import type { Tags } from "./tags.ts";

export type InstanceStateName =
  | "pending"
  | "running"
  | "shutting-down"
  | "terminated"
  | "stopping"
  | "stopped";

export interface MetadataOptions {
  httpTokens: "optional" | "required";
  /** 1…64: the IP TTL of the answer to a token request. */
  httpPutResponseHopLimit: number;
  httpEndpoint: "enabled" | "disabled";
  httpProtocolIpv6: "enabled" | "disabled";
  instanceMetadataTags: "enabled" | "disabled";
}

export interface Instance {
  readonly instanceId: string;
  readonly reservationId: string;
  readonly ownerId: string;
  readonly imageId: string;
  readonly instanceType: string;
  readonly launchIndex: number;
  readonly clientToken: string;
  readonly keyName: string | undefined;
  readonly vpcId: string;
  readonly subnetId: string;
  readonly zone: string;
  /** Name of the IAM role that the metadata service gives credentials of. */
  readonly role: string | undefined;
  readonly userData: string | undefined;
  /** Milliseconds since the epoch. */
  readonly launchTime: number;
  state: InstanceStateName;
  stateReason: { readonly code: string; readonly message: string } | undefined;
  /** When the present state began. */
  stateSince: number;
  /** Interfaces attached or being attached or detached. */
  readonly eniIds: string[];
  readonly metadataOptions: MetadataOptions;
  readonly tags: Tags;
}

/** A launch: of one primary interface made anew in `subnetId`, or of interfaces described one by one. */
export interface RunInstancesRequest {
  readonly instanceType: string;
  readonly imageId?: string;
  readonly minCount?: number;
  readonly maxCount?: number;
  readonly subnetId?: string;
  readonly securityGroupIds?: readonly string[];
  readonly privateIpAddress?: string;
  readonly ipv6AddressCount?: number;
  readonly networkInterfaces?: readonly LaunchInterface[];
  readonly role?: string;
  readonly userData?: string;
  readonly keyName?: string;
  readonly clientToken?: string;
  readonly metadataOptions?: Partial<MetadataOptions>;
  readonly tags?: Readonly<Record<string, string>>;
  /** Tags of the interfaces that the launch makes. */
  readonly interfaceTags?: Readonly<Record<string, string>>;
}

export interface LaunchInterface {
  readonly deviceIndex: number;
  readonly networkCardIndex?: number;
  readonly networkInterfaceId?: string;
  readonly subnetId?: string;
  readonly description?: string;
  readonly groups?: readonly string[];
  readonly privateIpAddress?: string;
  readonly secondaryPrivateIpAddressCount?: number;
  readonly ipv4PrefixCount?: number;
  readonly ipv6AddressCount?: number;
  readonly ipv6PrefixCount?: number;
  readonly deleteOnTermination?: boolean;
  readonly associatePublicIpAddress?: boolean;
  readonly interfaceType?: string;
}
