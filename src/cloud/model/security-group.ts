import { formatCidr, tryParseCidr } from "../../addr/cidr.ts";
import { Ec2Fault, faults } from "./fault.ts";
import { newId } from "./ids.ts";
import { findGroup, findVpc } from "./lookup.ts";
import type { Context } from "./state.ts";
import { newTags, type Tags } from "./tags.ts";

export interface SecurityGroup {
  readonly groupId: string;
  readonly groupName: string;
  readonly description: string;
  readonly ownerId: string;
  readonly vpcId: string;
  /** By rule id. */
  readonly rules: Map<string, SecurityGroupRule>;
  readonly tags: Tags;
}

export interface SecurityGroupRule extends RuleSpec {
  readonly ruleId: string;
  readonly egress: boolean;
  description: string | undefined;
  readonly tags: Tags;
}

export interface RuleSpec {
  /** "tcp", "udp", "icmp", "icmpv6", a number as text, or "-1" for all. */
  readonly protocol: string;
  /** -1 with protocols that have no ports; ICMP type and code otherwise. */
  readonly fromPort: number;
  readonly toPort: number;
  readonly peer: RulePeer;
}

export type RulePeer =
  | { readonly kind: "ipv4"; readonly cidr: string }
  | { readonly kind: "ipv6"; readonly cidr: string }
  | { readonly kind: "group"; readonly groupId: string }
  | { readonly kind: "prefix-list"; readonly prefixListId: string };

const protocolNames: Readonly<Record<string, string>> = {
  "6": "tcp",
  "17": "udp",
  "1": "icmp",
  "58": "icmpv6",
  all: "-1",
};

/** The group "default" of a new VPC: everything out, and in from its own members. */
export function createDefaultGroup(ctx: Context, vpcId: string): SecurityGroup {
  const group = newGroup(ctx, vpcId, "default", "default VPC security group", newTags());
  addRule(ctx, group, false, {
    protocol: "-1",
    fromPort: -1,
    toPort: -1,
    peer: { kind: "group", groupId: group.groupId },
  });
  return group;
}

export interface CreateGroupRequest {
  readonly vpcId: string;
  readonly groupName: string;
  readonly description: string;
  readonly tags?: Iterable<readonly [string, string]>;
}

/** A new group lets everything out and nothing in. */
export function createGroup(ctx: Context, request: CreateGroupRequest): SecurityGroup {
  const { vpcId, groupName } = request;
  findVpc(ctx.state, vpcId);
  if (groupName === "default") {
    throw faults.invalid("Cannot use reserved security group name: default");
  }
  if (groupName.startsWith("sg-") || groupName === "" || groupName.length > 255) {
    throw faults.badValue(groupName, "groupName", "Group names may not be in the format sg-*");
  }
  if (
    ctx.state.securityGroups.values().some((group) => group.vpcId === vpcId && group.groupName === groupName)
  ) {
    throw new Ec2Fault(
      "InvalidGroup.Duplicate",
      `The security group '${groupName}' already exists for VPC '${vpcId}'`,
    );
  }
  return newGroup(ctx, vpcId, groupName, request.description, newTags(request.tags));
}

function newGroup(
  ctx: Context,
  vpcId: string,
  groupName: string,
  description: string,
  tags: Tags,
): SecurityGroup {
  const groupId = newId("sg", ctx.random);
  const group: SecurityGroup = {
    groupId,
    groupName,
    description,
    ownerId: ctx.account.accountId,
    vpcId,
    rules: new Map(),
    tags,
  };
  addRule(ctx, group, true, {
    protocol: "-1",
    fromPort: -1,
    toPort: -1,
    peer: { kind: "ipv4", cidr: "0.0.0.0/0" },
  });
  ctx.state.put("security-group", groupId, group);
  return group;
}

export function deleteGroup(ctx: Context, groupId: string): void {
  const { state } = ctx;
  const group = findGroup(state, groupId);
  if (group.groupName === "default") {
    throw new Ec2Fault(
      "CannotDelete",
      `the specified group: "${groupId}" name: "default" cannot be deleted by a user`,
    );
  }
  const referenced = (rule: SecurityGroupRule): boolean =>
    rule.peer.kind === "group" && rule.peer.groupId === groupId;
  const used =
    state.enis.values().some((eni) => eni.groups.includes(groupId)) ||
    state.securityGroups.values().some((other) => other !== group && other.rules.values().some(referenced));
  if (used) throw new Ec2Fault("DependencyViolation", `resource ${groupId} has a dependent object`);
  state.drop("security-group", groupId);
}

export interface NewRule extends RuleSpec {
  readonly description?: string;
}

/** Adds rules, all or none; returns them. */
export function authorize(
  ctx: Context,
  groupId: string,
  egress: boolean,
  rules: readonly NewRule[],
  tags: Iterable<readonly [string, string]> = [],
): SecurityGroupRule[] {
  const group = findGroup(ctx.state, groupId);
  const wanted = rules.map((rule) => ({ ...rule, ...normalRule(ctx, group, rule) }));
  const present = [...group.rules.values()].filter((rule) => rule.egress === egress);
  for (const [index, rule] of wanted.entries()) {
    const same = (other: RuleSpec): boolean => ruleKey(other) === ruleKey(rule);
    if (present.some(same) || wanted.slice(0, index).some(same)) {
      throw new Ec2Fault(
        "InvalidPermission.Duplicate",
        `the specified rule "${describeRule(rule)}" already exists`,
      );
    }
  }
  if (present.length + wanted.length > ctx.settings.limits.rulesPerSecurityGroup) {
    throw new Ec2Fault(
      "RulesPerSecurityGroupLimitExceeded",
      "The maximum number of rules per security group has been reached.",
    );
  }
  const added = wanted.map((rule) => addRule(ctx, group, egress, rule, newTags(tags)));
  ctx.state.touch("security-group", groupId);
  return added;
}

/** Which rules to take away: by id, or by what they say. */
export type RevokedRules = { readonly ruleIds: readonly string[] } | { readonly rules: readonly RuleSpec[] };

/** Removes rules, all or none; returns what was removed. */
export function revoke(
  ctx: Context,
  groupId: string,
  egress: boolean,
  revoked: RevokedRules,
): SecurityGroupRule[] {
  const group = findGroup(ctx.state, groupId);
  const present = [...group.rules.values()].filter((rule) => rule.egress === egress);
  const found =
    "ruleIds" in revoked
      ? revoked.ruleIds.map((ruleId) => {
          const rule = present.find((one) => one.ruleId === ruleId);
          if (rule !== undefined) return rule;
          throw new Ec2Fault(
            "InvalidSecurityGroupRuleId.NotFound",
            `The security group rule ID '${ruleId}' does not exist`,
          );
        })
      : revoked.rules.map((spec) => {
          const wanted = normalRule(ctx, group, spec);
          const rule = present.find((one) => ruleKey(one) === ruleKey(wanted));
          if (rule !== undefined) return rule;
          throw new Ec2Fault(
            "InvalidPermission.NotFound",
            "The specified rule does not exist in this security group.",
          );
        });
  for (const rule of found) group.rules.delete(rule.ruleId);
  ctx.state.touch("security-group", groupId);
  return found;
}

function addRule(
  ctx: Context,
  group: SecurityGroup,
  egress: boolean,
  rule: NewRule,
  tags: Tags = newTags(),
): SecurityGroupRule {
  const { protocol, fromPort, toPort, peer, description } = rule;
  const ruleId = newId("sgr", ctx.random);
  const added: SecurityGroupRule = { ruleId, egress, protocol, fromPort, toPort, peer, description, tags };
  group.rules.set(ruleId, added);
  return added;
}

function normalRule(ctx: Context, group: SecurityGroup, rule: RuleSpec): RuleSpec {
  const lower = rule.protocol.toLowerCase();
  const protocol = protocolNames[lower] ?? lower;
  return { protocol, ...normalPorts(protocol, rule), peer: normalPeer(ctx, group, rule.peer) };
}

function normalPorts(protocol: string, rule: RuleSpec): { fromPort: number; toPort: number } {
  const { fromPort, toPort } = rule;
  switch (protocol) {
    case "tcp":
    case "udp": {
      if (fromPort === -1 && toPort === -1) {
        throw faults.invalid(
          "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
        );
      }
      if (fromPort < 0 || toPort > 65535) {
        throw faults.invalid(
          `Invalid value '${fromPort < 0 ? fromPort : toPort}' for portRange. Must be between 0 and 65535`,
        );
      }
      if (fromPort > toPort) {
        throw faults.invalid(`Invalid TCP/UDP port range (${fromPort}:${toPort})`);
      }
      return { fromPort, toPort };
    }
    case "icmp":
    case "icmpv6":
      return { fromPort, toPort };
    default: {
      const number = Number(protocol);
      if (protocol !== "-1" && !(Number.isInteger(number) && number >= 0 && number <= 255)) {
        throw new Ec2Fault(
          "InvalidPermission.Malformed",
          `Unsupported IP protocol "${protocol}" - supported: [tcp, udp, icmp, icmpv6, -1, or a protocol number]`,
        );
      }
      // Protocols without ports allow all of them whatever the request says.
      return { fromPort: -1, toPort: -1 };
    }
  }
}

function normalPeer(ctx: Context, group: SecurityGroup, peer: RulePeer): RulePeer {
  switch (peer.kind) {
    case "group": {
      const other = findGroup(ctx.state, peer.groupId);
      if (other.vpcId !== group.vpcId) {
        throw faults.invalid(
          `You have specified two resources that belong to different networks: ${group.groupId} and ${peer.groupId}`,
        );
      }
      return peer;
    }
    case "prefix-list":
      return peer;
    case "ipv4":
    case "ipv6": {
      const cidr = tryParseCidr(peer.cidr);
      if (cidr?.family !== (peer.kind === "ipv4" ? 4 : 6)) {
        throw faults.invalid(`CIDR block ${peer.cidr} is malformed`);
      }
      return { kind: peer.kind, cidr: formatCidr(cidr) };
    }
  }
}

function ruleKey(rule: RuleSpec): string {
  return `${rule.protocol} ${rule.fromPort} ${rule.toPort} ${peerText(rule.peer)}`;
}

export function peerText(peer: RulePeer): string {
  switch (peer.kind) {
    case "group":
      return peer.groupId;
    case "prefix-list":
      return peer.prefixListId;
    default:
      return peer.cidr;
  }
}

function describeRule(rule: RuleSpec): string {
  const ports = rule.fromPort === -1 ? "" : `, from port: ${rule.fromPort}, to port: ${rule.toPort}`;
  const protocol = rule.protocol === "-1" ? "ALL" : rule.protocol.toUpperCase();
  return `peer: ${peerText(rule.peer)}, ${protocol}${ports}, ALLOW`;
}

/** Throws unless every group is in the VPC and there are not too many of them for one interface. */
export function checkGroups(
  ctx: Context,
  vpcId: string,
  subnetId: string,
  groupIds: readonly string[],
): void {
  const limit = ctx.settings.limits.securityGroupsPerInterface;
  if (groupIds.length > limit) {
    throw new Ec2Fault(
      "SecurityGroupsPerInterfaceLimitExceeded",
      `The maximum number of security groups per interface has been reached: ${limit}`,
    );
  }
  for (const groupId of groupIds) {
    if (findGroup(ctx.state, groupId).vpcId !== vpcId) {
      throw new Ec2Fault(
        "InvalidParameter",
        `Security group ${groupId} and subnet ${subnetId} belong to different networks.`,
      );
    }
  }
}
