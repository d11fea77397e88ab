import { describe, expect, test } from "bun:test";
import { codeOf, faultOf, ModelBed } from "./model-bed.ts";
import { authorize, createGroup, deleteGroup, type NewRule, revoke } from "./security-group.ts";

function group() {
  const bed = new ModelBed();
  const vpc = bed.vpc();
  const { groupId } = createGroup(bed.ctx, {
    vpcId: vpc.vpcId,
    groupName: "web",
    description: "web servers",
  });
  const add = (rule: Partial<NewRule>) => authorize(bed.ctx, groupId, false, [{ ...ssh, ...rule }]);
  return { bed, vpc, groupId, add };
}

const ssh: NewRule = { protocol: "tcp", fromPort: 22, toPort: 22, peer: { kind: "ipv4", cidr: "0.0.0.0/0" } };

describe("a group", () => {
  test("lets everything out and nothing in at first", () => {
    const { bed, groupId } = group();
    expect([...(bed.state.securityGroups.get(groupId)?.rules.values() ?? [])]).toMatchObject([
      { egress: true, protocol: "-1", peer: { kind: "ipv4", cidr: "0.0.0.0/0" } },
    ]);
  });

  test("named default lets its own members in", () => {
    const { bed, vpc } = group();
    const rules = [...(bed.state.securityGroups.get(vpc.defaultGroupId)?.rules.values() ?? [])];
    expect(rules.map((rule) => rule.egress)).toEqual([true, false]);
    expect(rules[1]?.peer).toEqual({ kind: "group", groupId: vpc.defaultGroupId });
  });

  test.each([
    ["web", "InvalidGroup.Duplicate"],
    ["default", "InvalidParameterValue"],
    ["sg-web", "InvalidParameterValue"],
    ["", "InvalidParameterValue"],
    ["other", "no fault"],
  ])("named %p: %s", (groupName, code) => {
    const { bed, vpc } = group();
    expect(codeOf(() => createGroup(bed.ctx, { vpcId: vpc.vpcId, groupName, description: "d" }))).toBe(code);
  });

  test("is not deleted while used, referenced, or default", () => {
    const { bed, vpc, groupId } = group();
    const eni = bed.eni(bed.subnet(vpc, "10.0.0.0/24"), { groups: [groupId] });
    expect(faultOf(() => deleteGroup(bed.ctx, groupId))).toBe(
      `DependencyViolation: resource ${groupId} has a dependent object`,
    );
    eni.groups = [vpc.defaultGroupId];
    const [rule] = authorize(bed.ctx, vpc.defaultGroupId, false, [
      { ...ssh, peer: { kind: "group", groupId } },
    ]);
    expect(codeOf(() => deleteGroup(bed.ctx, groupId))).toBe("DependencyViolation");
    revoke(bed.ctx, vpc.defaultGroupId, false, { ruleIds: [rule?.ruleId ?? ""] });
    deleteGroup(bed.ctx, groupId);
    expect(codeOf(() => deleteGroup(bed.ctx, groupId))).toBe("InvalidGroup.NotFound");
    expect(codeOf(() => deleteGroup(bed.ctx, vpc.defaultGroupId))).toBe("CannotDelete");
  });
});

describe("rules", () => {
  test.each<[string, Partial<NewRule>, string]>([
    ["a port", {}, "no fault"],
    ["protocol 6", { protocol: "6" }, "no fault"],
    ["all protocols", { protocol: "all", fromPort: -1, toPort: -1 }, "no fault"],
    ["ICMP", { protocol: "icmp", fromPort: 8, toPort: -1 }, "no fault"],
    ["protocol 47", { protocol: "47" }, "no fault"],
    ["protocol 256", { protocol: "256" }, "InvalidPermission.Malformed"],
    ["an unknown protocol", { protocol: "tpc" }, "InvalidPermission.Malformed"],
    ["no ports", { fromPort: -1, toPort: -1 }, "InvalidParameterValue"],
    ["ports the wrong way round", { fromPort: 80, toPort: 22 }, "InvalidParameterValue"],
    ["port 65536", { toPort: 65536 }, "InvalidParameterValue"],
    ["a bad range", { peer: { kind: "ipv4", cidr: "10.0.0.0/33" } }, "InvalidParameterValue"],
    ["an IPv6 range as IPv4", { peer: { kind: "ipv4", cidr: "::/0" } }, "InvalidParameterValue"],
    ["an IPv6 range", { peer: { kind: "ipv6", cidr: "::/0" } }, "no fault"],
    ["an unknown group", { peer: { kind: "group", groupId: "sg-0" } }, "InvalidGroup.NotFound"],
  ])("with %s", (_, rule, code) => {
    expect(codeOf(() => group().add(rule))).toBe(code);
  });

  test("are kept in one form: names for known numbers, no ports for all protocols, no host bits", () => {
    const { add } = group();
    expect(add({ protocol: "17", peer: { kind: "ipv4", cidr: "10.1.2.3/16" } })[0]).toMatchObject({
      protocol: "udp",
      peer: { cidr: "10.1.0.0/16" },
    });
    expect(add({ protocol: "-1", fromPort: 5, toPort: 9 })[0]).toMatchObject({ fromPort: -1, toPort: -1 });
  });

  test("exist once, also within a request, and come all or none", () => {
    const { bed, groupId, add } = group();
    add({});
    expect(faultOf(() => add({ protocol: "6" }))).toBe(
      'InvalidPermission.Duplicate: the specified rule "peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW" already exists',
    );
    const http = { ...ssh, fromPort: 80, toPort: 80 };
    expect(codeOf(() => authorize(bed.ctx, groupId, false, [http, http]))).toBe(
      "InvalidPermission.Duplicate",
    );
    expect(bed.state.securityGroups.get(groupId)?.rules.size).toBe(2);
    expect(codeOf(() => authorize(bed.ctx, groupId, true, [ssh]))).toBe("no fault");
  });

  test("are sixty at the most in each direction", () => {
    const { bed, groupId } = group();
    const rules = Array.from({ length: 60 }, (_, index) => ({ ...ssh, fromPort: index, toPort: index }));
    authorize(bed.ctx, groupId, false, rules);
    expect(codeOf(() => authorize(bed.ctx, groupId, false, [{ ...ssh, fromPort: 99, toPort: 99 }]))).toBe(
      "RulesPerSecurityGroupLimitExceeded",
    );
  });

  test("are revoked by what they say or by id", () => {
    const { bed, groupId, add } = group();
    const [first] = add({});
    const [second] = add({ fromPort: 80, toPort: 80 });
    expect(revoke(bed.ctx, groupId, false, { rules: [{ ...ssh, protocol: "6" }] })).toEqual([first as never]);
    expect(codeOf(() => revoke(bed.ctx, groupId, false, { rules: [ssh] }))).toBe(
      "InvalidPermission.NotFound",
    );
    expect(codeOf(() => revoke(bed.ctx, groupId, true, { ruleIds: [second?.ruleId ?? ""] }))).toBe(
      "InvalidSecurityGroupRuleId.NotFound",
    );
    revoke(bed.ctx, groupId, false, { ruleIds: [second?.ruleId ?? ""] });
    expect(bed.state.securityGroups.get(groupId)?.rules.size).toBe(1);
  });
});
