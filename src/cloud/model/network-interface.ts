import type { Ipv4 } from "../../addr/ipv4.ts";
import type { Ipv6 } from "../../addr/ipv6.ts";
import type { Mac } from "../../addr/mac.ts";
import type { AttachmentStatus, ConnectionTracking, EniStatus } from "../../aws/shapes.ts";
import type { Tags } from "./tags.ts";

export type InterfaceType = "interface" | "nat_gateway" | "efa" | "efa-only" | "trunk" | "branch";

export interface NetworkInterface {
  readonly eniId: string;
  readonly interfaceType: InterfaceType;
  readonly ownerId: string;
  /** Who asked for it: a user's or role's id, or an AWS service's alias. */
  readonly requesterId: string;
  /** True for interfaces that belong to an AWS service; customers can only tag them. */
  readonly requesterManaged: boolean;
  readonly vpcId: string;
  readonly subnetId: string;
  readonly zone: string;
  readonly mac: Mac;
  description: string;
  status: EniStatus;
  sourceDestCheck: boolean;
  /** All private IPv4 addresses, the primary first. */
  addresses: Ipv4[];
  /** First addresses of the /28 blocks. */
  prefixes: Ipv4[];
  ipv6Addresses: Ipv6[];
  /** First addresses of the /80 blocks. */
  ipv6Prefixes: Ipv6[];
  groups: string[];
  readonly tags: Tags;
  attachment: Attachment | undefined;
  connectionTracking: ConnectionTracking | undefined;
  /** A public address that came with the launch, not an elastic one. */
  autoPublicIp: Ipv4 | undefined;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

export interface Attachment {
  readonly attachmentId: string;
  /** Absent on interfaces that AWS services hold. */
  readonly instanceId: string | undefined;
  readonly instanceOwnerId: string;
  readonly deviceIndex: number;
  readonly networkCardIndex: number;
  /** Key of the machine that gets the device, and the device's name there; absent for NAT gateways. */
  readonly place: string | undefined;
  readonly deviceName: string;
  status: AttachmentStatus;
  deleteOnTermination: boolean;
  readonly attachTime: number;
}
