import { describe, expect, test } from "bun:test";
import { formatCidr, parseCidr } from "../../addr/cidr.ts";
import { attachInternetGateway, createInternetGateway } from "./gateway.ts";
import { checkCloud } from "./invariants.ts";
import { cidr, codeOf, faultOf, ModelBed } from "./model-bed.ts";
import { createRoute } from "./route-table.ts";
import { createGroup } from "./security-group.ts";
import { addTags } from "./tags.ts";
import {
  associateVpcCidr,
  associateVpcIpv6,
  createVpc,
  deleteVpc,
  disassociateVpcCidr,
  modifyVpc,
} from "./vpc.ts";

describe("a new VPC", () => {
  test("has a main route table, a default group and a default ACL", () => {
    const bed = new ModelBed();
    const vpc = bed.vpc();
    expect(bed.state.routeTables.get(vpc.mainRouteTableId)?.associations).toHaveLength(1);
    expect(bed.state.securityGroups.get(vpc.defaultGroupId)?.groupName).toBe("default");
    expect(bed.state.networkAcls.get(vpc.networkAclId)?.vpcId).toBe(vpc.vpcId);
    expect([vpc.dnsSupport, vpc.dnsHostnames]).toEqual([true, false]);
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("clears the host bits of its block", () => {
    expect(formatCidr(new ModelBed().vpc("100.68.0.18/18").cidrs[0]?.cidr ?? cidr("0.0.0.0/0"))).toBe(
      "100.68.0.0/18",
    );
  });

  test("gets a /56 of Amazon's pool when it asks", () => {
    const bed = new ModelBed();
    const block = bed.vpc("10.0.0.0/16", true).ipv6Cidrs[0]?.cidr;
    expect(block?.bits).toBe(56);
    expect(block !== undefined && formatCidr(block).startsWith("2600:1f14:")).toBe(true);
  });

  test.each([
    "10.0.0.0/15",
    "10.0.0.0/8",
    "10.0.0.0/29",
    "10.0.0.1/32",
    "169.254.0.0/16",
    "127.0.0.0/16",
    "224.0.0.0/16",
  ])("cannot be %s", (text) => {
    expect(faultOf(() => new ModelBed().vpc(text))).toStartWith("InvalidVpcRange: The CIDR");
  });

  test.each(["10.0.0.0/16", "10.0.0.0/28", "8.8.0.0/16", "100.64.0.0/16"])("can be %s", (text) => {
    expect(new ModelBed().vpc(text).cidrs).toHaveLength(1);
  });

  test("is refused beyond the quota", () => {
    const bed = new ModelBed();
    for (let n = 0; n < 5; n++) bed.vpc(`10.${n}.0.0/16`);
    expect(codeOf(() => bed.vpc("10.9.0.0/16"))).toBe("VpcLimitExceeded");
  });

  test("with a bad tag is not made at all", () => {
    const bed = new ModelBed();
    expect(codeOf(() => createVpc(bed.ctx, { cidr: cidr("10.0.0.0/16"), tags: [["", "x"]] }))).toBe(
      "InvalidParameterValue",
    );
    expect([bed.state.vpcs.size, bed.state.routeTables.size, bed.state.securityGroups.size]).toEqual([
      0, 0, 0,
    ]);
  });
});

describe("secondary blocks follow the table of the VPC user guide", () => {
  const cases: readonly [primary: string, added: string, allowed: boolean][] = [
    ["10.0.0.0/16", "10.1.0.0/16", true],
    ["10.2.0.0/16", "172.16.0.0/16", false],
    ["10.2.0.0/16", "192.168.0.0/16", false],
    ["10.2.0.0/16", "198.19.0.0/16", false],
    ["10.2.0.0/16", "100.64.0.0/16", true],
    ["10.2.0.0/16", "8.8.0.0/16", true],
    ["10.1.0.0/16", "10.0.0.0/24", false],
    ["10.2.0.0/16", "10.0.0.0/24", true],
    ["172.16.0.0/16", "172.17.0.0/16", true],
    ["172.16.0.0/16", "172.31.0.0/16", false],
    ["172.16.0.0/16", "10.0.0.0/16", false],
    ["172.16.0.0/16", "192.168.0.0/16", false],
    ["172.16.0.0/16", "100.64.0.0/16", true],
    ["192.168.0.0/24", "192.168.1.0/24", true],
    ["192.168.0.0/24", "10.0.0.0/16", false],
    ["192.168.0.0/24", "172.16.0.0/16", false],
    ["192.168.0.0/24", "100.64.0.0/16", true],
    ["198.19.0.0/24", "10.0.0.0/16", false],
    ["198.19.0.0/24", "198.19.1.0/24", true],
    ["198.19.0.0/24", "100.64.0.0/16", true],
    ["100.64.0.0/16", "10.0.0.0/16", false],
    ["100.64.0.0/16", "198.19.0.0/16", false],
    ["100.64.0.0/16", "100.65.0.0/16", true],
    ["8.8.0.0/16", "172.16.0.0/16", false],
    ["8.8.0.0/16", "9.9.0.0/16", true],
    ["10.2.0.0/16", "169.254.0.0/16", false],
    ["10.2.0.0/16", "10.3.0.0/29", false],
  ];
  test.each(cases)("%s + %s: %p", (primary, added, allowed) => {
    const bed = new ModelBed();
    const { vpcId } = bed.vpc(primary);
    const code = codeOf(() => associateVpcCidr(bed.ctx, vpcId, cidr(added)));
    expect(code).toBe(allowed ? "no fault" : "InvalidVpcRange");
  });

  test("no overlap with what is there", () => {
    const bed = new ModelBed();
    const { vpcId } = bed.vpc("10.0.0.0/17");
    expect(codeOf(() => associateVpcCidr(bed.ctx, vpcId, cidr("10.0.64.0/18")))).toBe("InvalidVpc.Conflict");
  });

  test("five in all", () => {
    const bed = new ModelBed();
    const { vpcId } = bed.vpc("10.2.0.0/16");
    for (let n = 3; n < 7; n++) associateVpcCidr(bed.ctx, vpcId, cidr(`10.${n}.0.0/16`));
    expect(faultOf(() => associateVpcCidr(bed.ctx, vpcId, cidr("10.9.0.0/16")))).toBe(
      `CidrLimitExceeded: This network '${vpcId}' has met its maximum number of allowed CIDRs: 5`,
    );
  });

  test("not as large as a destination that is routed already", () => {
    const bed = new ModelBed();
    const vpc = bed.vpc("10.2.0.0/16");
    const { gatewayId: id } = createInternetGateway(bed.ctx);
    attachInternetGateway(bed.ctx, id, vpc.vpcId);
    createRoute(bed.ctx, vpc.mainRouteTableId, parseCidr("10.5.0.0/24"), { kind: "internet-gateway", id });
    expect(codeOf(() => associateVpcCidr(bed.ctx, vpc.vpcId, cidr("10.5.0.0/16")))).toBe("InvalidVpcRange");
    expect(codeOf(() => associateVpcCidr(bed.ctx, vpc.vpcId, cidr("10.5.0.0/25")))).toBe("no fault");
  });

  test("the primary one stays, used ones stay, others go", () => {
    const bed = new ModelBed();
    const vpc = bed.vpc("10.2.0.0/16");
    const second = associateVpcCidr(bed.ctx, vpc.vpcId, cidr("100.64.0.0/16"));
    bed.subnet(vpc, "100.64.0.0/24");
    expect(codeOf(() => disassociateVpcCidr(bed.ctx, vpc.cidrs[0]?.associationId ?? ""))).toBe(
      "OperationNotPermitted",
    );
    expect(codeOf(() => disassociateVpcCidr(bed.ctx, second.associationId))).toBe("DependencyViolation");
    expect(codeOf(() => disassociateVpcCidr(bed.ctx, "vpc-cidr-assoc-0"))).toBe(
      "InvalidVpcCidrBlockAssociationID.NotFound",
    );
    const third = associateVpcIpv6(bed.ctx, vpc.vpcId);
    expect(disassociateVpcCidr(bed.ctx, third.associationId).vpc).toBe(vpc);
    expect(vpc.ipv6Cidrs).toEqual([]);
  });
});

describe("deleting a VPC", () => {
  test("takes its default parts along", () => {
    const bed = new ModelBed();
    deleteVpc(bed.ctx, bed.vpc().vpcId);
    const { vpcs, routeTables, securityGroups, networkAcls } = bed.state;
    expect([vpcs.size, routeTables.size, securityGroups.size, networkAcls.size]).toEqual([0, 0, 0, 0]);
  });

  test("is refused while a subnet, a gateway or a group is in it", () => {
    const bed = new ModelBed();
    const withSubnet = bed.vpc("10.1.0.0/16");
    bed.subnet(withSubnet, "10.1.0.0/24");
    const withGateway = bed.vpc("10.2.0.0/16");
    attachInternetGateway(bed.ctx, createInternetGateway(bed.ctx).gatewayId, withGateway.vpcId);
    const withGroup = bed.vpc("10.3.0.0/16");
    createGroup(bed.ctx, { vpcId: withGroup.vpcId, groupName: "web", description: "web" });
    for (const { vpcId } of [withSubnet, withGateway, withGroup]) {
      expect(faultOf(() => deleteVpc(bed.ctx, vpcId))).toBe(
        `DependencyViolation: The vpc '${vpcId}' has dependencies and cannot be deleted.`,
      );
    }
  });

  test("of an unknown id", () => {
    const bed = new ModelBed();
    expect(faultOf(() => deleteVpc(bed.ctx, "vpc-0123"))).toBe(
      "InvalidVpcID.NotFound: The vpc ID 'vpc-0123' does not exist",
    );
  });
});

test("DNS names need DNS support", () => {
  const bed = new ModelBed();
  const vpc = bed.vpc();
  modifyVpc(bed.ctx, vpc.vpcId, { dnsSupport: false });
  expect(codeOf(() => modifyVpc(bed.ctx, vpc.vpcId, { dnsHostnames: true }))).toBe(
    "InvalidParameterCombination",
  );
  modifyVpc(bed.ctx, vpc.vpcId, { dnsSupport: true });
  modifyVpc(bed.ctx, vpc.vpcId, { dnsHostnames: true });
  expect(vpc.dnsHostnames).toBe(true);
});

describe("tags", () => {
  test("fifty, and not one more, all or none", () => {
    const tags = new Map<string, string>(Array.from({ length: 49 }, (_, index) => [`key${index}`, "x"]));
    expect(
      codeOf(() =>
        addTags(tags, [
          ["a", "1"],
          ["b", "2"],
        ]),
      ),
    ).toBe("TagLimitExceeded");
    expect(tags.size).toBe(49);
    addTags(tags, [
      ["a", "1"],
      ["key1", "y"],
    ]);
    expect([tags.size, tags.get("key1")]).toEqual([50, "y"]);
  });

  test.each([
    ["", "x"],
    ["k".repeat(128), "x"],
    ["k", "v".repeat(256)],
  ])("%p is refused", (key, value) => {
    expect(codeOf(() => addTags(new Map(), [[key, value]]))).toBe("InvalidParameterValue");
  });
});
