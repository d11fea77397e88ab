import type { ConnectionTracking, Eni, Subnet, Tag } from "./shapes.ts";

export interface Filter {
  readonly name: string;
  readonly values: readonly string[];
}

/** At most one of the three counts; none asks for a primary address only. */
export interface CreateEniRequest {
  readonly subnetId: string;
  readonly groups: readonly string[];
  readonly description: string;
  readonly tags: readonly Tag[];
  readonly secondaryPrivateIpAddressCount?: number;
  readonly ipv4PrefixCount?: number;
  readonly ipv6AddressCount?: number;
  readonly connectionTracking?: ConnectionTracking;
}

/** What EC2 newly gave, and only that. */
export interface AssignedAddresses {
  readonly addresses: readonly string[];
  readonly prefixes: readonly string[];
}

export interface InstanceTypeFacts {
  readonly instanceType: string;
  readonly hypervisor: "nitro" | "xen" | "unknown";
  readonly bareMetal: boolean;
  readonly ipv4PerEni: number;
  readonly maximumNetworkInterfaces: number;
  /** Interfaces per card, by card index. */
  readonly cards: readonly number[];
}

/** What of an instance `DescribeInstances` is read for: which device indexes are taken on which card. */
export interface InstanceAttachments {
  readonly instanceId: string;
  readonly attachments: readonly { readonly deviceIndex: number; readonly networkCardIndex: number }[];
}

/**
 * The EC2 calls that the CNI and the controllers make. Every failure is an `EniverseError` whose
 * `parts.facts.ec2Code` is EC2's own code ("InsufficientCidrBlocks") and whose `parts.facts.ec2Message` is its
 * own message; `aws/ec2-errors.ts` maps codes to ours.
 */
export interface Ec2 {
  describeInstance(instanceId: string): Promise<InstanceAttachments>;
  describeInstanceType(instanceType: string): Promise<InstanceTypeFacts>;
  describeNetworkInterfaces(request: {
    readonly ids?: readonly string[];
    readonly filters?: readonly Filter[];
  }): Promise<Eni[]>;
  describeSubnets(filters: readonly Filter[]): Promise<Subnet[]>;
  createNetworkInterface(request: CreateEniRequest): Promise<Eni>;
  deleteNetworkInterface(networkInterfaceId: string): Promise<void>;
  attachNetworkInterface(request: {
    readonly networkInterfaceId: string;
    readonly instanceId: string;
    readonly deviceIndex: number;
    readonly networkCardIndex: number;
  }): Promise<{ readonly attachmentId: string }>;
  detachNetworkInterface(attachmentId: string): Promise<void>;
  setDeleteOnTermination(networkInterfaceId: string, attachmentId: string): Promise<void>;
  modifyGroups(networkInterfaceId: string, groups: readonly string[]): Promise<void>;
  assignPrivateIpAddresses(
    networkInterfaceId: string,
    want: { readonly addressCount: number } | { readonly prefixCount: number },
  ): Promise<AssignedAddresses>;
  unassignPrivateIpAddresses(
    networkInterfaceId: string,
    what: { readonly addresses: readonly string[] } | { readonly prefixes: readonly string[] },
  ): Promise<void>;
  assignIpv6Prefix(networkInterfaceId: string): Promise<string[]>;
  unassignIpv6Prefixes(networkInterfaceId: string, prefixes: readonly string[]): Promise<void>;
  createTags(resource: string, tags: readonly Tag[]): Promise<void>;
}
