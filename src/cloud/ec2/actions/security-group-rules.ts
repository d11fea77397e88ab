import { faults } from "../../model/fault.ts";
import {
  authorize,
  type NewRule,
  type RevokedRules,
  type RulePeer,
  revoke,
} from "../../model/security-group.ts";
import { type Action, action, type Call } from "../action.ts";
import type { Params } from "../decode-query.ts";
import type { XmlObject } from "../encode-xml.ts";
import { given, tagSpecification } from "../parameters.ts";
import { ruleXml } from "./security-groups.ts";

/** The rules of a request: the "IpPermissions" list, or the short form for one IPv4 range or group. */
function rulesOf(params: Params): NewRule[] {
  const listed = params.structs("IpPermissions").flatMap(permissionRules);
  if (listed.length > 0) return listed;
  const protocol = params.text("IpProtocol");
  if (protocol === undefined) throw faults.missing("ipPermissions");
  const cidr = params.text("CidrIp");
  const group = params.text("SourceSecurityGroupName");
  if (cidr === undefined && group === undefined) throw faults.missing("CidrIp");
  const peer: RulePeer =
    cidr === undefined ? { kind: "group", groupId: group ?? "" } : { kind: "ipv4", cidr };
  return [{ protocol, ...portsOf(params), peer }];
}

function portsOf(params: Params): { fromPort: number; toPort: number } {
  return { fromPort: params.int("FromPort") ?? -1, toPort: params.int("ToPort") ?? -1 };
}

function permissionRules(permission: Params): NewRule[] {
  const base = { protocol: permission.required("IpProtocol"), ...portsOf(permission) };
  const rule = (peer: RulePeer, from: Params): NewRule => ({
    ...base,
    peer,
    ...given({ description: from.text("Description") }),
  });
  const rules = [
    ...permission.structs("IpRanges").map((one) => rule({ kind: "ipv4", cidr: one.required("CidrIp") }, one)),
    ...permission
      .structs("Ipv6Ranges")
      .map((one) => rule({ kind: "ipv6", cidr: one.required("CidrIpv6") }, one)),
    ...permission
      .structs("Groups")
      .map((one) => rule({ kind: "group", groupId: one.required("GroupId") }, one)),
    ...permission
      .structs("PrefixListIds")
      .map((one) => rule({ kind: "prefix-list", prefixListId: one.required("PrefixListId") }, one)),
  ];
  if (rules.length === 0) {
    throw faults.invalid(
      "Invalid value '[]' for ipPermissions: a permission needs a range, a group or a prefix list.",
    );
  }
  return rules;
}

function authorizeRules(egress: boolean): (call: Call) => XmlObject {
  return ({ ctx, params }) => {
    const groupId = params.required("GroupId");
    const added = authorize(
      ctx,
      groupId,
      egress,
      rulesOf(params),
      tagSpecification(params, "security-group-rule"),
    );
    return { return: true, securityGroupRuleSet: added.map((rule) => ruleXml(ctx, groupId, rule)) };
  };
}

function revokeRules(egress: boolean): (call: Call) => XmlObject {
  return ({ ctx, params }) => {
    const groupId = params.required("GroupId");
    const ruleIds = params.list("SecurityGroupRuleId");
    const revoked: RevokedRules = ruleIds === undefined ? { rules: rulesOf(params) } : { ruleIds };
    const gone = revoke(ctx, groupId, egress, revoked);
    return { return: true, revokedSecurityGroupRuleSet: gone.map((rule) => ruleXml(ctx, groupId, rule)) };
  };
}

const ruleParams = [
  "GroupId",
  "IpPermissions",
  "IpProtocol",
  "FromPort",
  "ToPort",
  "CidrIp",
  "SourceSecurityGroupName",
  "SourceSecurityGroupOwnerId",
];

export const securityGroupRuleActions: readonly Action[] = [
  action("AuthorizeSecurityGroupIngress", [...ruleParams, "TagSpecification"], authorizeRules(false)),
  action("AuthorizeSecurityGroupEgress", [...ruleParams, "TagSpecification"], authorizeRules(true)),
  action("RevokeSecurityGroupIngress", [...ruleParams, "SecurityGroupRuleId"], revokeRules(false)),
  action("RevokeSecurityGroupEgress", [...ruleParams, "SecurityGroupRuleId"], revokeRules(true)),
];
