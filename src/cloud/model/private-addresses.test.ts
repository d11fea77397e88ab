import { describe, expect, test } from "bun:test";
import { formatIpv4, type Ipv4 } from "../../addr/ipv4.ts";
import { spaceOf } from "./address-taking.ts";
import { checkCloud } from "./invariants.ts";
import { assignIpv6Addresses, unassignIpv6Addresses } from "./ipv6-addresses.ts";
import { cidr, codeOf, faultOf, ip, ModelBed } from "./model-bed.ts";
import { assignPrivateAddresses, unassignPrivateAddresses } from "./private-addresses.ts";

function attached(instanceType = "m5.large", subnetCidr = "10.0.0.0/24") {
  const bed = new ModelBed();
  const subnet = bed.loneSubnet(subnetCidr);
  const eni = bed.primaryOf(bed.instance(subnet, instanceType));
  return { bed, subnet, eni, eniId: eni.eniId };
}

describe("assigning", () => {
  test("returns the new addresses and only those", () => {
    const { bed, eni, eniId } = attached();
    const first = assignPrivateAddresses(bed.ctx, { eniId, addressCount: 3 });
    const second = assignPrivateAddresses(bed.ctx, { eniId, addressCount: 2 });
    expect([first.addresses.length, second.addresses.length]).toEqual([3, 2]);
    expect(eni.addresses).toEqual([...eni.addresses.slice(0, 1), ...first.addresses, ...second.addresses]);
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test.each([
    ["m5.large", 10],
    ["t3.medium", 6],
    ["m5.4xlarge", 30],
    ["t2.micro", 2],
  ])("a %s allows %d addresses an interface", (instanceType, most) => {
    const { bed, eniId } = attached(instanceType);
    expect(faultOf(() => assignPrivateAddresses(bed.ctx, { eniId, addressCount: most }))).toBe(
      "PrivateIpAddressLimitExceeded: Number of private addresses will exceed limit.",
    );
    expect(assignPrivateAddresses(bed.ctx, { eniId, addressCount: most - 1 }).addresses).toHaveLength(
      most - 1,
    );
    expect(codeOf(() => assignPrivateAddresses(bed.ctx, { eniId, addressCount: 1 }))).toBe(
      "PrivateIpAddressLimitExceeded",
    );
  });

  test("a prefix takes one slot, as an address does", () => {
    const { bed, eni, eniId } = attached("m5.large", "10.0.0.0/20");
    assignPrivateAddresses(bed.ctx, { eniId, addressCount: 4 });
    assignPrivateAddresses(bed.ctx, { eniId, prefixCount: 5 });
    expect([eni.addresses.length, eni.prefixes.length]).toEqual([5, 5]);
    expect(codeOf(() => assignPrivateAddresses(bed.ctx, { eniId, prefixCount: 1 }))).toBe(
      "PrivateIpAddressLimitExceeded",
    );
    expect(codeOf(() => assignPrivateAddresses(bed.ctx, { eniId, addressCount: 1 }))).toBe(
      "PrivateIpAddressLimitExceeded",
    );
  });

  test("the limit of the interface comes before what the subnet has", () => {
    const { bed, eniId } = attached("m5.large", "10.0.0.0/28");
    expect(codeOf(() => assignPrivateAddresses(bed.ctx, { eniId, addressCount: 500 }))).toBe(
      "PrivateIpAddressLimitExceeded",
    );
  });

  test("prefixes need Nitro", () => {
    const { bed, eniId } = attached("m4.large");
    expect(codeOf(() => assignPrivateAddresses(bed.ctx, { eniId, prefixCount: 1 }))).toBe(
      "InvalidParameterValue",
    );
  });

  test("a shortage leaves everything as it was", () => {
    const { bed, subnet, eni, eniId } = attached("m5.4xlarge", "10.0.0.0/28");
    bed.eni(subnet, { addressCount: 6 });
    expect(codeOf(() => assignPrivateAddresses(bed.ctx, { eniId, addressCount: 4 }))).toBe(
      "InsufficientFreeAddressesInSubnet",
    );
    expect(eni.addresses).toHaveLength(1);
    expect(assignPrivateAddresses(bed.ctx, { eniId, addressCount: 3 }).addresses).toHaveLength(3);
    expect(codeOf(() => assignPrivateAddresses(bed.ctx, { eniId, addressCount: 1 }))).toBe(
      "InsufficientFreeAddressesInSubnet",
    );
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("a count that the subnet could never serve is a bad value", () => {
    const { bed, eniId } = attached("m5.4xlarge", "10.0.0.0/28");
    expect(faultOf(() => assignPrivateAddresses(bed.ctx, { eniId, addressCount: 12 }))).toBe(
      "InvalidParameterValue: There aren't sufficient free Ipv4 addresses or prefixes",
    );
    expect(codeOf(() => assignPrivateAddresses(bed.ctx, { eniId, prefixCount: 2 }))).toBe(
      "InvalidParameterValue",
    );
    expect(codeOf(() => assignPrivateAddresses(bed.ctx, { eniId, prefixCount: 1 }))).toBe(
      "InsufficientCidrBlocks",
    );
  });

  test("exactly one selector", () => {
    const { bed, eniId } = attached();
    expect(codeOf(() => assignPrivateAddresses(bed.ctx, { eniId }))).toBe("MissingParameter");
    expect(codeOf(() => assignPrivateAddresses(bed.ctx, { eniId, addressCount: 1, prefixCount: 1 }))).toBe(
      "InvalidParameterCombination",
    );
    expect(
      codeOf(() => assignPrivateAddresses(bed.ctx, { eniId, addressCount: 1, addresses: [ip("10.0.0.9")] })),
    ).toBe("InvalidParameterCombination");
    expect(codeOf(() => assignPrivateAddresses(bed.ctx, { eniId, addressCount: 0 }))).toBe(
      "InvalidParameterValue",
    );
  });

  test("named addresses must be free ones of the subnet", () => {
    const { bed, subnet, eniId } = attached();
    const other = bed.eni(subnet, { primaryAddress: ip("10.0.0.50"), addresses: [ip("10.0.0.51")] });
    const named = (text: string) => () => assignPrivateAddresses(bed.ctx, { eniId, addresses: [ip(text)] });
    expect(codeOf(named("10.0.9.9"))).toBe("InvalidParameterValue");
    expect(codeOf(named("10.0.0.1"))).toBe("InvalidParameterValue");
    expect(faultOf(named("10.0.0.51"))).toBe(
      "InvalidParameterValue: [10.0.0.51] assigned, but move is not allowed.",
    );
    expect(other.addresses).toHaveLength(2);
  });

  test("moves a secondary address when that is allowed, and never a primary one", () => {
    const { bed, subnet, eni, eniId } = attached();
    const other = bed.eni(subnet, { primaryAddress: ip("10.0.0.50"), addresses: [ip("10.0.0.51")] });
    const move = (text: string) => () =>
      assignPrivateAddresses(bed.ctx, { eniId, addresses: [ip(text)], allowReassignment: true });
    expect(codeOf(move("10.0.0.50"))).toBe("InvalidParameterValue");
    expect(move("10.0.0.51")().addresses).toEqual([ip("10.0.0.51")]);
    expect(other.addresses).toEqual([ip("10.0.0.50")]);
    expect(eni.addresses).toContain(ip("10.0.0.51"));
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("an address that the interface has already is no news", () => {
    const { bed, eni, eniId } = attached();
    const { addresses } = assignPrivateAddresses(bed.ctx, { eniId, addressCount: 1 });
    expect(assignPrivateAddresses(bed.ctx, { eniId, addresses }).addresses).toEqual([]);
    expect(eni.addresses).toHaveLength(2);
  });

  test("a detached interface has no limit of a type", () => {
    const bed = new ModelBed();
    const eni = bed.eni(bed.loneSubnet("10.0.0.0/24"));
    expect(assignPrivateAddresses(bed.ctx, { eniId: eni.eniId, addressCount: 60 }).addresses).toHaveLength(
      60,
    );
  });

  test("an unknown interface", () => {
    const { bed } = attached();
    expect(
      codeOf(() => assignPrivateAddresses(bed.ctx, { eniId: "eni-0123456789abcdef0", addressCount: 1 })),
    ).toBe("InvalidNetworkInterfaceID.NotFound");
  });
});

describe("unassigning", () => {
  test("frees addresses and prefixes at once", () => {
    const { bed, subnet, eni, eniId } = attached();
    const { addresses } = assignPrivateAddresses(bed.ctx, { eniId, addressCount: 3 });
    const { prefixes } = assignPrivateAddresses(bed.ctx, { eniId, prefixCount: 1 });
    unassignPrivateAddresses(bed.ctx, { eniId, addresses: addresses.slice(0, 2) });
    unassignPrivateAddresses(bed.ctx, {
      eniId,
      prefixes: prefixes.map((base) => cidr(`${formatIpv4(base)}/28`)),
    });
    expect(eni.addresses).toEqual([...eni.addresses.slice(0, 1), ...addresses.slice(2)]);
    expect(eni.prefixes).toEqual([]);
    expect(spaceOf(bed.state, subnet.subnetId).freeCount).toBe(249);
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("of a foreign address or prefix, or of the primary one, changes nothing", () => {
    const { bed, eni, eniId } = attached();
    const { addresses } = assignPrivateAddresses(bed.ctx, { eniId, addressCount: 1 });
    const [own = ip("0.0.0.0")] = addresses;
    const foreign = ip("10.0.0.250") === own ? ip("10.0.0.249") : ip("10.0.0.250");
    expect(faultOf(() => unassignPrivateAddresses(bed.ctx, { eniId, addresses: [own, foreign] }))).toBe(
      `InvalidParameterValue: Some of the specified addresses are not assigned to interface ${eniId}`,
    );
    expect(
      codeOf(() => unassignPrivateAddresses(bed.ctx, { eniId, addresses: [own, eni.addresses[0] as Ipv4] })),
    ).toBe("InvalidParameterValue");
    expect(codeOf(() => unassignPrivateAddresses(bed.ctx, { eniId, prefixes: [cidr("10.0.0.16/28")] }))).toBe(
      "InvalidParameterValue",
    );
    expect(codeOf(() => unassignPrivateAddresses(bed.ctx, { eniId }))).toBe("MissingParameter");
    expect(eni.addresses).toHaveLength(2);
  });
});

describe("IPv6", () => {
  test("addresses and /80 prefixes come and go", () => {
    const bed = new ModelBed();
    const eni = bed.primaryOf(bed.instance(bed.ipv6Subnet()));
    const { eniId } = eni;
    const { addresses } = assignIpv6Addresses(bed.ctx, { eniId, addressCount: 2 });
    const { prefixes } = assignIpv6Addresses(bed.ctx, { eniId, prefixCount: 1 });
    expect(checkCloud(bed.state)).toEqual([]);
    unassignIpv6Addresses(bed.ctx, {
      eniId,
      addresses,
      prefixes: prefixes.map((base) => ({ family: 6, base, bits: 80 })),
    });
    expect([eni.ipv6Addresses, eni.ipv6Prefixes]).toEqual([[], []]);
    expect(codeOf(() => unassignIpv6Addresses(bed.ctx, { eniId, addresses }))).toBe("InvalidParameterValue");
    expect(codeOf(() => unassignIpv6Addresses(bed.ctx, { eniId }))).toBe("MissingParameter");
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("obeys the limit of the type, one selector, and needs a block of the subnet", () => {
    const bed = new ModelBed();
    const { eniId } = bed.primaryOf(bed.instance(bed.ipv6Subnet(), "m5.large"));
    expect(codeOf(() => assignIpv6Addresses(bed.ctx, { eniId, addressCount: 11 }))).toBe(
      "PrivateIpAddressLimitExceeded",
    );
    expect(codeOf(() => assignIpv6Addresses(bed.ctx, { eniId }))).toBe("MissingParameter");
    expect(codeOf(() => assignIpv6Addresses(bed.ctx, { eniId, addressCount: 1, prefixCount: 1 }))).toBe(
      "InvalidParameterCombination",
    );
    const plain = bed.eni(bed.loneSubnet("10.7.0.0/24"));
    expect(codeOf(() => assignIpv6Addresses(bed.ctx, { eniId: plain.eniId, prefixCount: 1 }))).toBe(
      "InvalidParameterValue",
    );
  });
});
