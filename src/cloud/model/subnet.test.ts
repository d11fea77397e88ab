import { describe, expect, test } from "bun:test";
import { formatCidr, parseCidr6 } from "../../addr/cidr.ts";
import { spaceOf } from "./address-taking.ts";
import { checkCloud } from "./invariants.ts";
import { cidr, codeOf, faultOf, ip, ModelBed } from "./model-bed.ts";
import { assignPrivateAddresses } from "./private-addresses.ts";
import { associateRouteTable, createRouteTable } from "./route-table.ts";
import { associateSubnetIpv6, deleteSubnet, disassociateSubnetIpv6, modifySubnet } from "./subnet.ts";
import { createReservation, deleteReservation } from "./subnet-reservation.ts";
import { associateVpcCidr } from "./vpc.ts";

describe("a new subnet", () => {
  test.each([
    ["10.0.0.0/28", 11],
    ["10.0.0.0/24", 251],
    ["10.0.0.0/20", 4091],
    ["10.0.0.0/16", 65531],
  ])("of %s has %d free addresses", (text, free) => {
    const bed = new ModelBed();
    expect(spaceOf(bed.state, bed.loneSubnet(text).subnetId).freeCount).toBe(free);
  });

  test("is in the zone asked for by name or by id, else in the first", () => {
    const bed = new ModelBed();
    const vpc = bed.vpc();
    expect(bed.subnet(vpc, "10.0.0.0/24", { zone: "us-west-2b" }).zoneId).toBe("usw2-az2");
    expect(bed.subnet(vpc, "10.0.1.0/24", { zone: "usw2-az2" }).zone).toBe("us-west-2b");
    expect(bed.subnet(vpc, "10.0.2.0/24").zone).toBe("us-west-2a");
    expect(codeOf(() => bed.subnet(vpc, "10.0.3.0/24", { zone: "us-west-2q" }))).toBe(
      "InvalidParameterValue",
    );
  });

  test.each(["10.1.0.0/24", "10.0.0.0/15", "10.0.0.0/29", "192.168.0.0/24"])("cannot be %s", (text) => {
    const bed = new ModelBed();
    const vpc = bed.vpc("10.0.0.0/16");
    expect(faultOf(() => bed.subnet(vpc, text))).toBe(
      `InvalidSubnet.Range: The CIDR '${formatCidr(cidr(text))}' is invalid.`,
    );
  });

  test("does not overlap another, and does not span two blocks of the VPC", () => {
    const bed = new ModelBed();
    const vpc = bed.vpc("10.2.0.0/17");
    bed.subnet(vpc, "10.2.0.0/24");
    expect(faultOf(() => bed.subnet(vpc, "10.2.0.128/25"))).toBe(
      "InvalidSubnet.Conflict: The CIDR '10.2.0.128/25' conflicts with another subnet",
    );
    associateVpcCidr(bed.ctx, vpc.vpcId, cidr("10.2.128.0/17"));
    expect(codeOf(() => bed.subnet(vpc, "10.2.0.0/16"))).toBe("InvalidSubnet.Range");
    expect(codeOf(() => bed.subnet(vpc, "10.2.128.0/24"))).toBe("no fault");
  });

  test("two VPCs may use the same blocks", () => {
    const bed = new ModelBed();
    for (const vpc of [bed.vpc(), bed.vpc()])
      bed.eni(bed.subnet(vpc, "10.0.0.0/28"), { primaryAddress: ip("10.0.0.4") });
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("is refused beyond the quota", () => {
    const bed = new ModelBed();
    bed.settings = { ...bed.settings, limits: { ...bed.settings.limits, subnetsPerVpc: 1 } };
    const vpc = bed.vpc();
    bed.subnet(vpc, "10.0.0.0/24");
    expect(codeOf(() => bed.subnet(vpc, "10.0.1.0/24"))).toBe("SubnetLimitExceeded");
  });
});

describe("deleting a subnet", () => {
  test("is refused while an interface is in it; frees its block and its route table", () => {
    const bed = new ModelBed();
    const vpc = bed.vpc();
    const subnet = bed.subnet(vpc, "10.0.0.0/24");
    const eni = bed.eni(bed.subnet(vpc, "10.0.1.0/24"));
    const table = createRouteTable(bed.ctx, vpc.vpcId);
    associateRouteTable(bed.ctx, table.routeTableId, subnet.subnetId);
    expect(codeOf(() => deleteSubnet(bed.ctx, eni.subnetId))).toBe("DependencyViolation");
    deleteSubnet(bed.ctx, subnet.subnetId);
    expect(table.associations).toEqual([]);
    expect(codeOf(() => bed.subnet(vpc, "10.0.0.0/24"))).toBe("no fault");
  });
});

describe("IPv6 of a subnet", () => {
  test("is a /64 of the VPC's block, once", () => {
    const bed = new ModelBed();
    const subnet = bed.ipv6Subnet();
    const vpc = bed.state.vpcs.get(subnet.vpcId);
    const other = vpc === undefined ? subnet : bed.subnet(vpc, "10.0.9.0/24");
    const block = subnet.ipv6Cidrs[0]?.cidr ?? parseCidr6("::/64");
    expect(codeOf(() => associateSubnetIpv6(bed.ctx, other.subnetId, block))).toBe("InvalidSubnet.Conflict");
    expect(codeOf(() => associateSubnetIpv6(bed.ctx, other.subnetId, parseCidr6("2001:db8::/64")))).toBe(
      "InvalidSubnet.Range",
    );
    expect(codeOf(() => associateSubnetIpv6(bed.ctx, subnet.subnetId, block))).toBe("InvalidSubnet.Conflict");
  });

  test("goes when no interface has addresses of it", () => {
    const bed = new ModelBed();
    const subnet = bed.ipv6Subnet();
    const { associationId } = subnet.ipv6Cidrs[0] ?? { associationId: "" };
    const eni = bed.eni(subnet, { ipv6AddressCount: 1 });
    expect(codeOf(() => disassociateSubnetIpv6(bed.ctx, associationId))).toBe("DependencyViolation");
    eni.ipv6Addresses.length = 0;
    disassociateSubnetIpv6(bed.ctx, associationId);
    expect(subnet.ipv6Cidrs).toEqual([]);
  });

  test("can be given to every new interface, but only where there is a block", () => {
    const bed = new ModelBed();
    const subnet = bed.ipv6Subnet();
    modifySubnet(bed.ctx, subnet.subnetId, { assignIpv6OnCreation: true });
    expect(bed.eni(subnet).ipv6Addresses).toHaveLength(1);
    const plain = bed.loneSubnet("10.7.0.0/24");
    expect(codeOf(() => modifySubnet(bed.ctx, plain.subnetId, { assignIpv6OnCreation: true }))).toBe(
      "InvalidParameterValue",
    );
  });
});

describe("reservations", () => {
  test("for prefixes leave the free count and serve prefixes first", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    const { subnetId } = subnet;
    const reservation = createReservation(bed.ctx, { subnetId, cidr: cidr("10.0.0.128/25"), type: "prefix" });
    expect(spaceOf(bed.state, subnetId).freeCount).toBe(124);
    const eni = bed.eni(subnet, { prefixCount: 4 });
    expect(eni.prefixes.every((base) => base >= ip("10.0.0.128"))).toBe(true);
    expect(eni.addresses.every((address) => address < ip("10.0.0.128"))).toBe(true);
    deleteReservation(bed.ctx, reservation.reservationId);
    expect(spaceOf(bed.state, subnetId).freeCount).toBe(251 - 1 - 64);
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("of the whole subnet show 0 free addresses, and prefixes can still be had", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    const eni = bed.eni(subnet);
    createReservation(bed.ctx, { subnetId: subnet.subnetId, cidr: subnet.cidr, type: "prefix" });
    expect(spaceOf(bed.state, subnet.subnetId).freeCount).toBe(0);
    expect(codeOf(() => bed.eni(subnet))).toBe("InsufficientFreeAddressesInSubnet");
    expect(assignPrivateAddresses(bed.ctx, { eniId: eni.eniId, prefixCount: 1 }).prefixes).toHaveLength(1);
  });

  test("for explicit use give only what is named", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/28");
    createReservation(bed.ctx, { subnetId: subnet.subnetId, cidr: cidr("10.0.0.8/29"), type: "explicit" });
    for (let n = 0; n < 4; n++) bed.eni(subnet);
    expect(codeOf(() => bed.eni(subnet))).toBe("InsufficientFreeAddressesInSubnet");
    expect(bed.eni(subnet, { primaryAddress: ip("10.0.0.9") }).addresses).toEqual([ip("10.0.0.9")]);
  });

  test("lie in the subnet and do not overlap", () => {
    const bed = new ModelBed();
    const { subnetId } = bed.loneSubnet("10.0.0.0/24");
    const reserve = (text: string) => () =>
      createReservation(bed.ctx, { subnetId, cidr: cidr(text), type: "prefix" });
    reserve("10.0.0.64/26")();
    expect(codeOf(reserve("10.0.0.64/28"))).toBe("InvalidParameterValue");
    expect(codeOf(reserve("10.0.1.0/28"))).toBe("InvalidParameterValue");
    expect(codeOf(() => deleteReservation(bed.ctx, "scr-0"))).toBe("InvalidSubnetCidrReservationId.NotFound");
    expect(
      codeOf(() =>
        createReservation(bed.ctx, { subnetId, cidr: parseCidr6("2001:db8::/80"), type: "prefix" }),
      ),
    ).toBe("UnsupportedOperation");
  });

  test("what is in use stays in use", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    const eni = bed.eni(subnet, { primaryAddress: ip("10.0.0.70") });
    createReservation(bed.ctx, { subnetId: subnet.subnetId, cidr: cidr("10.0.0.64/28"), type: "prefix" });
    expect(eni.addresses).toEqual([ip("10.0.0.70")]);
    expect(checkCloud(bed.state)).toEqual([]);
  });
});
