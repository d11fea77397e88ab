import { describe, expect, test } from "bun:test";
import { cidr4Has } from "../../addr/cidr.ts";
import { spaceOf } from "./address-taking.ts";
import { checkCloud } from "./invariants.ts";
import { cidr, codeOf, faultOf, ip, ModelBed } from "./model-bed.ts";
import { deleteEni, modifyEni } from "./network-interface.ts";
import { createGroup } from "./security-group.ts";

const lowest = { addressChoice: "lowest" } as const;

describe("a new interface", () => {
  test("is available, has a primary address of the subnet and the default group", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    const eni = bed.eni(subnet);
    expect(eni.status).toBe("available");
    expect(eni.groups).toEqual([bed.state.vpcs.get(subnet.vpcId)?.defaultGroupId ?? ""]);
    expect(eni.sourceDestCheck).toBe(true);
    const [primary] = eni.addresses;
    expect(primary !== undefined && cidr4Has(subnet.cidr, primary)).toBe(true);
    expect(eni.eniId).toMatch(/^eni-0[0-9a-f]{16}$/);
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("takes the lowest address after the reserved four, when set to", () => {
    const bed = new ModelBed(lowest);
    const subnet = bed.loneSubnet("10.0.0.0/24");
    expect(bed.eni(subnet, { addressCount: 2 }).addresses).toEqual([
      ip("10.0.0.4"),
      ip("10.0.0.5"),
      ip("10.0.0.6"),
    ]);
  });

  test("spreads over the whole subnet by default", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    const sixteenths = new Set<number>();
    for (let n = 0; n < 40; n++)
      sixteenths.add(Math.floor(((bed.eni(subnet).addresses[0] ?? 0) - ip("10.0.0.0")) / 16));
    expect(sixteenths.size).toBeGreaterThan(12);
  });

  test("has the primary address asked for, first", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    const eni = bed.eni(subnet, { primaryAddress: ip("10.0.0.9"), addresses: [ip("10.0.0.20")] });
    expect(eni.addresses).toEqual([ip("10.0.0.9"), ip("10.0.0.20")]);
    const chosen = bed.eni(subnet, { addresses: [ip("10.0.0.21")] });
    expect(chosen.addresses).toHaveLength(2);
    expect(chosen.addresses[1]).toBe(ip("10.0.0.21"));
  });

  test("with prefixes has a primary address outside of them", () => {
    const bed = new ModelBed();
    const eni = bed.eni(bed.loneSubnet("10.0.0.0/24"), { prefixCount: 3 });
    expect(eni.prefixes).toHaveLength(3);
    expect(eni.prefixes.every((base) => base % 16 === 0)).toBe(true);
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("may have IPv6 addresses and a /80", () => {
    const bed = new ModelBed();
    const eni = bed.eni(bed.ipv6Subnet(), { ipv6AddressCount: 2, ipv6PrefixCount: 1 });
    expect([eni.ipv6Addresses.length, eni.ipv6Prefixes.length]).toEqual([2, 1]);
    expect((eni.ipv6Prefixes[0] ?? 1n) % (1n << 48n)).toBe(0n);
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test.each([
    ["10.0.1.9", "InvalidParameterValue: Address does not fall within the subnet's address range"],
    ["10.0.0.0", "InvalidParameterValue: Address is in subnet's reserved address range"],
    ["10.0.0.3", "InvalidParameterValue: Address is in subnet's reserved address range"],
    ["10.0.0.255", "InvalidParameterValue: Address is in subnet's reserved address range"],
    ["10.0.0.77", "InvalidIPAddress.InUse: Address 10.0.0.77 is in use."],
  ])("cannot have %s", (address, fault) => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    bed.eni(subnet, { primaryAddress: ip("10.0.0.77") });
    expect(faultOf(() => bed.eni(subnet, { primaryAddress: ip(address) }))).toBe(fault);
    expect(bed.state.enis.size).toBe(1);
  });

  test("is refused when the subnet is full", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/28");
    for (let n = 0; n < 11; n++) bed.eni(subnet);
    expect(spaceOf(bed.state, subnet.subnetId).freeCount).toBe(0);
    expect(faultOf(() => bed.eni(subnet))).toBe(
      "InsufficientFreeAddressesInSubnet: The specified subnet does not have enough free addresses to satisfy the request.",
    );
  });

  test("takes all that it asks for or nothing", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/28");
    bed.eni(subnet, { addressCount: 5 });
    const before = spaceOf(bed.state, subnet.subnetId).freeCount;
    expect(codeOf(() => bed.eni(subnet, { addressCount: 7 }))).toBe("InsufficientFreeAddressesInSubnet");
    expect(codeOf(() => bed.eni(subnet, { prefixCount: 1 }))).toBe("InsufficientCidrBlocks");
    expect(codeOf(() => bed.eni(subnet, { ipv6AddressCount: 1 }))).toBe("InvalidParameterValue");
    expect(spaceOf(bed.state, subnet.subnetId).freeCount).toBe(before);
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("of more addresses than the subnet has in total is a bad value", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/28");
    expect(faultOf(() => bed.eni(subnet, { addressCount: 11 }))).toBe(
      "InvalidParameterValue: There aren't sufficient free Ipv4 addresses or prefixes",
    );
    expect(codeOf(() => bed.eni(subnet, { addressCount: 10 }))).toBe("no fault");
  });

  test("names groups that exist, in its VPC, five at the most", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    const other = bed.vpc("10.9.0.0/16");
    const group = (vpcId: string, groupName: string) =>
      createGroup(bed.ctx, { vpcId, groupName, description: "d" }).groupId;
    const mine = Array.from({ length: 6 }, (_, index) => group(subnet.vpcId, `g${index}`));
    expect(faultOf(() => bed.eni(subnet, { groups: ["sg-0123"] }))).toBe(
      "InvalidGroup.NotFound: The security group 'sg-0123' does not exist",
    );
    expect(codeOf(() => bed.eni(subnet, { groups: [group(other.vpcId, "x")] }))).toBe("InvalidParameter");
    expect(codeOf(() => bed.eni(subnet, { groups: mine }))).toBe("SecurityGroupsPerInterfaceLimitExceeded");
    expect(bed.eni(subnet, { groups: mine.slice(0, 5) }).groups).toHaveLength(5);
  });

  test("is refused beyond the quota, and in an unknown subnet", () => {
    const bed = new ModelBed();
    bed.settings = { ...bed.settings, limits: { ...bed.settings.limits, networkInterfaces: 1 } };
    const subnet = bed.loneSubnet("10.0.0.0/24");
    expect(faultOf(() => bed.eni({ ...subnet, subnetId: "subnet-0123" }))).toBe(
      "InvalidSubnetID.NotFound: The subnet ID 'subnet-0123' does not exist",
    );
    bed.eni(subnet);
    expect(codeOf(() => bed.eni(subnet))).toBe("NetworkInterfaceLimitExceeded");
  });

  test.each([
    [{ tcpEstablishedTimeout: 59 }, false],
    [{ tcpEstablishedTimeout: 60 }, true],
    [{ tcpEstablishedTimeout: 432_001 }, false],
    [{ udpStreamTimeout: 180 }, true],
    [{ udpStreamTimeout: 181 }, false],
    [{ udpTimeout: 29 }, false],
    [{ udpTimeout: 60 }, true],
  ])("connection tracking %p is allowed: %p", (connectionTracking, allowed) => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    expect(codeOf(() => bed.eni(subnet, { connectionTracking }))).toBe(
      allowed ? "no fault" : "InvalidParameterValue",
    );
  });
});

describe("fragmentation", () => {
  test("an empty /24 yields 14 prefixes, not 16", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    // The primary address lies in the first block, which can be no prefix anyway.
    expect(bed.eni(subnet, { primaryAddress: ip("10.0.0.4"), prefixCount: 14 }).prefixes).toHaveLength(14);
    expect(codeOf(() => bed.eni(subnet, { primaryAddress: ip("10.0.0.5"), prefixCount: 1 }))).toBe(
      "InsufficientCidrBlocks",
    );
    expect(spaceOf(bed.state, subnet.subnetId).freeCount).toBe(251 - 1 - 14 * 16);
  });

  test("a /28 subnet yields none", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/28");
    expect(faultOf(() => bed.eni(subnet, { prefixCount: 1 }))).toBe(
      "InsufficientCidrBlocks: The specified subnet does not have enough free cidr blocks to satisfy the request.",
    );
  });

  test("one address in each /28 leaves hundreds of addresses and no prefix", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/23");
    for (let block = 1; block < 31; block++) {
      bed.eni(subnet, { primaryAddress: ip(`10.0.${block >> 4}.${((block & 15) << 4) + 7}`) });
    }
    expect(spaceOf(bed.state, subnet.subnetId).freeCount).toBe(507 - 30);
    expect(codeOf(() => bed.eni(subnet, { prefixCount: 1 }))).toBe("InsufficientCidrBlocks");
    expect(codeOf(() => bed.eni(subnet, { addressCount: 20 }))).toBe("no fault");
  });

  test("comes by itself when addresses are chosen at random, and hardly when the lowest is taken", () => {
    const blocksLeft = (addressChoice: "random" | "lowest"): number => {
      const bed = new ModelBed({ addressChoice });
      const subnet = bed.loneSubnet("10.0.0.0/24");
      for (let n = 0; n < 30; n++) bed.eni(subnet);
      return spaceOf(bed.state, subnet.subnetId).freeBlocks28Count;
    };
    expect(blocksLeft("lowest")).toBe(12);
    expect(blocksLeft("random")).toBeLessThan(6);
  });

  test("named prefixes must be /28s, aligned, of the subnet, and free", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    bed.eni(subnet, { primaryAddress: ip("10.0.0.33") });
    const named = (text: string) => () => bed.eni(subnet, { prefixes: [cidr(text)] });
    expect(codeOf(named("10.0.0.16/27"))).toBe("InvalidParameterValue");
    expect(codeOf(named("10.0.1.16/28"))).toBe("InvalidParameterValue");
    expect(codeOf(named("10.0.0.32/28"))).toBe("InvalidIPAddress.InUse");
    expect(codeOf(named("10.0.0.0/28"))).toBe("InvalidIPAddress.InUse");
    expect(codeOf(named("10.0.0.48/28"))).toBe("no fault");
  });
});

describe("changing and deleting", () => {
  test("deleting frees every address", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    const eni = bed.eni(subnet, { addressCount: 3, prefixCount: 2 });
    deleteEni(bed.ctx, eni.eniId);
    expect(spaceOf(bed.state, subnet.subnetId).freeCount).toBe(251);
    expect(bed.state.owners.of(subnet.vpcId).prefixes.size).toBe(0);
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("an attached interface is not deleted", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    const eni = bed.eni(subnet);
    bed.attach(eni, bed.instance(subnet));
    expect(faultOf(() => deleteEni(bed.ctx, eni.eniId))).toBe(
      `InvalidParameterValue: Network interface '${eni.eniId}' is currently in use.`,
    );
  });

  test.each([
    [
      "eni-0123456789abcdef0",
      "InvalidNetworkInterfaceID.NotFound: The networkInterface ID 'eni-0123456789abcdef0' does not exist",
    ],
    ["eni-x", 'InvalidNetworkInterfaceId.Malformed: Invalid id: "eni-x" (expecting "eni-...")'],
    [
      "i-0123456789abcdef0",
      'InvalidNetworkInterfaceId.Malformed: Invalid id: "i-0123456789abcdef0" (expecting "eni-...")',
    ],
  ])("of %s", (eniId, fault) => {
    expect(faultOf(() => deleteEni(new ModelBed().ctx, eniId))).toBe(fault);
  });

  test("attributes change one at a time", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    const eni = bed.eni(subnet);
    const instance = bed.instance(subnet);
    const { groupId } = createGroup(bed.ctx, { vpcId: subnet.vpcId, groupName: "g", description: "d" });
    modifyEni(bed.ctx, eni.eniId, { description: "new" });
    modifyEni(bed.ctx, eni.eniId, { groups: [groupId] });
    modifyEni(bed.ctx, eni.eniId, { sourceDestCheck: false });
    modifyEni(bed.ctx, eni.eniId, { connectionTracking: { udpTimeout: 45 } });
    const { attachmentId } = bed.attach(eni, instance);
    modifyEni(bed.ctx, eni.eniId, { deleteOnTermination: { attachmentId, value: true } });
    expect(eni).toMatchObject({ description: "new", groups: [groupId], sourceDestCheck: false });
    expect(eni.connectionTracking).toEqual({ udpTimeout: 45 });
    expect(eni.attachment?.deleteOnTermination).toBe(true);
    const foreign = bed.primaryOf(instance).attachment?.attachmentId ?? "";
    expect(
      codeOf(() =>
        modifyEni(bed.ctx, eni.eniId, { deleteOnTermination: { attachmentId: foreign, value: true } }),
      ),
    ).toBe("InvalidParameterValue");
    expect(codeOf(() => modifyEni(bed.ctx, eni.eniId, { groups: [] }))).toBe("MissingParameter");
  });

  test("what belongs to a service is left alone", () => {
    const bed = new ModelBed();
    const eni = bed.eni(bed.loneSubnet("10.0.0.0/24"), { requesterManaged: true });
    expect(codeOf(() => deleteEni(bed.ctx, eni.eniId))).toBe("OperationNotPermitted");
    expect(codeOf(() => modifyEni(bed.ctx, eni.eniId, { description: "x" }))).toBe("OperationNotPermitted");
  });
});
