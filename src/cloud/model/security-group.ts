import type { Tags } from "./tags.ts";

export interface SecurityGroup {
  readonly groupId: string;
  readonly groupName: string;
  readonly description: string;
  readonly ownerId: string;
  readonly vpcId: string;
  readonly rules: Map<string, SecurityGroupRule>;
  readonly tags: Tags;
}

export interface SecurityGroupRule {
  readonly ruleId: string;
  readonly egress: boolean;
  /** "tcp", "udp", "icmp", "icmpv6", a number as text, or "-1" for all. */
  readonly protocol: string;
  /** -1 with protocols that have no ports. */
  readonly fromPort: number;
  readonly toPort: number;
  readonly peer:
    | { readonly kind: "ipv4"; readonly cidr: string }
    | { readonly kind: "ipv6"; readonly cidr: string }
    | { readonly kind: "group"; readonly groupId: string }
    | { readonly kind: "prefix-list"; readonly prefixListId: string };
  description: string | undefined;
  readonly tags: Tags;
}
