import { faults } from "../../model/fault.ts";
import { findGroup } from "../../model/lookup.ts";
import {
  createGroup,
  deleteGroup,
  peerText,
  type RuleSpec,
  type SecurityGroup,
  type SecurityGroupRule,
} from "../../model/security-group.ts";
import type { Context } from "../../model/state.ts";
import { action, type Call, done, listing } from "../action.ts";
import type { XmlObject } from "../encode-xml.ts";
import { type FilterTable, readFilters } from "../filter.ts";
import { pageOf, refusePagingOfIds } from "../page.ts";
import { tagSet, tagSpecification } from "../parameters.ts";

/** Rules with the same protocol and ports are one permission with several peers. */
function permissions(ctx: Context, rules: readonly SecurityGroupRule[]): XmlObject[] {
  const byPorts = Map.groupBy(rules, (rule) => `${rule.protocol} ${rule.fromPort} ${rule.toPort}`);
  return [...byPorts.values()].map((same) => {
    const of = <K extends RuleSpec["peer"]["kind"]>(kind: K): SecurityGroupRule[] =>
      same.filter((rule) => rule.peer.kind === kind);
    const peers = (kind: RuleSpec["peer"]["kind"], name: string): XmlObject[] =>
      of(kind).map((rule) => ({ [name]: peerText(rule.peer), description: rule.description }));
    const [first] = same;
    return {
      ipProtocol: first?.protocol,
      ...portsOf(first),
      groups: peers("group", "groupId").map((peer) => ({ userId: ctx.account.accountId, ...peer })),
      ipRanges: peers("ipv4", "cidrIp"),
      ipv6Ranges: peers("ipv6", "cidrIpv6"),
      prefixListIds: peers("prefix-list", "prefixListId"),
    };
  });
}

/** Protocol -1 has no ports at all in a permission. */
function portsOf(rule: RuleSpec | undefined): XmlObject {
  if (rule === undefined || rule.protocol === "-1") return {};
  return { fromPort: rule.fromPort, toPort: rule.toPort };
}

function groupArn({ account }: Context, groupId: string): string {
  return `arn:aws:ec2:${account.region}:${account.accountId}:security-group/${groupId}`;
}

function groupXml(ctx: Context, group: SecurityGroup): XmlObject {
  const rules = [...group.rules.values()];
  return {
    groupId: group.groupId,
    ipPermissionsEgress: permissions(
      ctx,
      rules.filter((rule) => rule.egress),
    ),
    tagSet: tagSet(group.tags),
    vpcId: group.vpcId,
    securityGroupArn: groupArn(ctx, group.groupId),
    ownerId: group.ownerId,
    groupName: group.groupName,
    groupDescription: group.description,
    ipPermissions: permissions(
      ctx,
      rules.filter((rule) => !rule.egress),
    ),
  };
}

function ruleFilters(prefix: string, egress: boolean): FilterTable<SecurityGroup> {
  const rules = (group: SecurityGroup): SecurityGroupRule[] =>
    [...group.rules.values()].filter((rule) => rule.egress === egress);
  const peers = (kind: string) => (group: SecurityGroup) =>
    rules(group)
      .filter((rule) => rule.peer.kind === kind)
      .map((rule) => peerText(rule.peer));
  return {
    [`${prefix}.cidr`]: peers("ipv4"),
    [`${prefix}.ipv6-cidr`]: peers("ipv6"),
    [`${prefix}.group-id`]: peers("group"),
    [`${prefix}.prefix-list-id`]: peers("prefix-list"),
    [`${prefix}.protocol`]: (group) => rules(group).map((rule) => rule.protocol),
    [`${prefix}.from-port`]: (group) => rules(group).map((rule) => String(rule.fromPort)),
    [`${prefix}.to-port`]: (group) => rules(group).map((rule) => String(rule.toPort)),
  };
}

const filters: FilterTable<SecurityGroup> = {
  "group-id": (group) => group.groupId,
  "group-name": (group) => group.groupName,
  description: (group) => group.description,
  "vpc-id": (group) => group.vpcId,
  "owner-id": (group) => group.ownerId,
  ...ruleFilters("ip-permission", false),
  ...ruleFilters("egress.ip-permission", true),
};

function describeSecurityGroups({ ctx, params }: Call): XmlObject {
  const ids = params.list("GroupId");
  refusePagingOfIds(params, "securityGroupIds", ids);
  const names = params.list("GroupName");
  const all =
    ids === undefined
      ? [...ctx.state.securityGroups.values()]
      : [...new Set(ids)].map((id) => findGroup(ctx.state, id));
  const matches = readFilters(params, filters);
  const found = all.filter(
    (group) => (names === undefined || names.includes(group.groupName)) && matches(group),
  );
  const page = pageOf(params, found, (group) => group.groupId);
  return { securityGroupInfo: page.items.map((group) => groupXml(ctx, group)), nextToken: page.nextToken };
}

interface RuleOfGroup extends SecurityGroupRule {
  readonly groupId: string;
}

const rulesFilters: FilterTable<RuleOfGroup> = {
  "group-id": (rule) => rule.groupId,
  "security-group-rule-id": (rule) => rule.ruleId,
};

/** A rule as DescribeSecurityGroupRules and the authorize calls show it. */
export function ruleXml(ctx: Context, groupId: string, rule: SecurityGroupRule): XmlObject {
  const { account, state } = ctx;
  const { peer } = rule;
  return {
    securityGroupRuleId: rule.ruleId,
    groupId,
    groupOwnerId: account.accountId,
    isEgress: rule.egress,
    ipProtocol: rule.protocol,
    fromPort: rule.fromPort,
    toPort: rule.toPort,
    cidrIpv4: peer.kind === "ipv4" ? peer.cidr : undefined,
    cidrIpv6: peer.kind === "ipv6" ? peer.cidr : undefined,
    prefixListId: peer.kind === "prefix-list" ? peer.prefixListId : undefined,
    referencedGroupInfo:
      peer.kind === "group"
        ? {
            groupId: peer.groupId,
            userId: account.accountId,
            vpcId: state.securityGroups.get(groupId)?.vpcId,
          }
        : undefined,
    description: rule.description,
    tagSet: tagSet(rule.tags),
    securityGroupRuleArn: `arn:aws:ec2:${account.region}:${account.accountId}:security-group-rule/${rule.ruleId}`,
  };
}

function describeSecurityGroupRules({ ctx, params }: Call): XmlObject {
  const ids = params.list("SecurityGroupRuleId");
  const all = [...ctx.state.securityGroups.values()].flatMap((group) =>
    [...group.rules.values()].map((rule): RuleOfGroup => ({ ...rule, groupId: group.groupId })),
  );
  for (const id of ids ?? []) {
    if (!all.some((rule) => rule.ruleId === id)) {
      throw faults.notFound("InvalidSecurityGroupRuleId.NotFound", "security group rule ID", id);
    }
  }
  const matches = readFilters(params, rulesFilters);
  const found = all.filter((rule) => (ids === undefined || ids.includes(rule.ruleId)) && matches(rule));
  const page = pageOf(params, found, (rule) => rule.ruleId);
  return {
    securityGroupRuleSet: page.items.map((rule) => ruleXml(ctx, rule.groupId, rule)),
    nextToken: page.nextToken,
  };
}

function create({ ctx, params }: Call): XmlObject {
  const group = createGroup(ctx, {
    vpcId: params.required("VpcId"),
    groupName: params.required("GroupName"),
    description: params.required("GroupDescription"),
    tags: tagSpecification(params, "security-group"),
  });
  return {
    return: true,
    groupId: group.groupId,
    tagSet: tagSet(group.tags),
    securityGroupArn: groupArn(ctx, group.groupId),
  };
}

export const securityGroupActions = [
  action("DescribeSecurityGroups", ["GroupId", "GroupName", ...listing], describeSecurityGroups),
  action("DescribeSecurityGroupRules", ["SecurityGroupRuleId", ...listing], describeSecurityGroupRules),
  action("CreateSecurityGroup", ["VpcId", "GroupName", "GroupDescription", "TagSpecification"], create),
  action("DeleteSecurityGroup", ["GroupId"], ({ ctx, params }) => {
    const groupId = params.required("GroupId");
    deleteGroup(ctx, groupId);
    return { ...done, groupId };
  }),
];
