/**
 * EC2's words as values, in the spelling of the AWS SDK where a client can see them. The client port
 * ({@link Ec2}) and the local cloud speak in these shapes; only the fields that pod networking needs are here.
 */

export type EniStatus = "available" | "associated" | "attaching" | "in-use" | "detaching" | "pending";
export type AttachmentStatus = "attaching" | "attached" | "detaching" | "detached";
export type EniType = "interface" | "natGateway" | "efa" | "efa-only" | "trunk" | "branch";

export interface Tag {
  readonly key: string;
  readonly value: string;
}

export interface EniAttachment {
  readonly attachmentId: string;
  readonly deviceIndex: number;
  readonly networkCardIndex: number;
  /** Absent on interfaces that AWS services hold, the EKS control plane's among them. */
  readonly instanceId?: string;
  readonly instanceOwnerId: string;
  readonly status: AttachmentStatus;
  readonly deleteOnTermination: boolean;
  /** RFC 3339. */
  readonly attachTime: string;
}

export interface EniAddress {
  readonly address: string;
  readonly primary: boolean;
}

/** The connection tracking time-outs of an ENI, in seconds; absent ones have EC2's defaults. */
export interface ConnectionTracking {
  readonly tcpEstablishedTimeout?: number;
  readonly udpStreamTimeout?: number;
  readonly udpTimeout?: number;
}

export interface Eni {
  readonly networkInterfaceId: string;
  readonly interfaceType: EniType;
  readonly macAddress: string;
  readonly subnetId: string;
  readonly vpcId: string;
  readonly availabilityZone: string;
  readonly description: string;
  readonly status: EniStatus;
  readonly sourceDestCheck: boolean;
  /** Primary first. */
  readonly privateIpAddresses: readonly EniAddress[];
  /** "/28" blocks as text. */
  readonly ipv4Prefixes: readonly string[];
  readonly ipv6Addresses: readonly string[];
  /** "/80" blocks as text. */
  readonly ipv6Prefixes: readonly string[];
  readonly groups: readonly string[];
  readonly tags: readonly Tag[];
  readonly attachment?: EniAttachment;
  readonly connectionTracking?: ConnectionTracking;
}

export interface Subnet {
  readonly subnetId: string;
  readonly vpcId: string;
  readonly availabilityZone: string;
  readonly cidrBlock: string;
  readonly ipv6CidrBlocks: readonly string[];
  readonly availableIpAddressCount: number;
  readonly tags: readonly Tag[];
}
