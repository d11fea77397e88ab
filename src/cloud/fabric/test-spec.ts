import { parseCidr, parseCidr4, parseCidr6 } from "../../addr/cidr.ts";
import { parseIpv4 } from "../../addr/ipv4.ts";
import { parseIpv6 } from "../../addr/ipv6.ts";
import { parseMac } from "../../addr/mac.ts";
import type { FabricEni, FabricSpec } from "./spec.ts";

/**
 * The VPC that the tests of this folder share: A stands in the public subnet with a public address, D without;
 * B and C in the private one, which goes out through a NAT gateway; each in the place of its letter.
 */
export const publicSubnet = parseCidr4("10.0.0.0/24");
export const privateSubnet = parseCidr4("10.0.1.0/24");
export const everywhere = parseCidr("0.0.0.0/0");
export const everywhere6 = parseCidr("::/0");

const plain = { prefixes: [], ipv6Addresses: [], ipv6Prefixes: [], sourceDestCheck: true };

export const eniA: FabricEni = {
  ...plain,
  eniId: "eni-0aaaaaaaaaaaaaaaa",
  subnetId: "subnet-public",
  mac: parseMac("02:00:00:00:00:0a"),
  addresses: [parseIpv4("10.0.0.10"), parseIpv4("10.0.0.20")],
  prefixes: [parseCidr4("10.0.0.64/28")],
  publicAddresses: [
    { privateAddress: parseIpv4("10.0.0.10"), publicAddress: parseIpv4("203.0.113.10") },
    { privateAddress: parseIpv4("10.0.0.20"), publicAddress: parseIpv4("203.0.113.20") },
  ],
  place: { place: "a", device: "eth0" },
};

export const eniB: FabricEni = {
  ...plain,
  eniId: "eni-0bbbbbbbbbbbbbbbb",
  subnetId: "subnet-private",
  mac: parseMac("02:00:00:00:00:0b"),
  addresses: [parseIpv4("10.0.1.10"), parseIpv4("10.0.1.20")],
  prefixes: [parseCidr4("10.0.1.64/28")],
  ipv6Addresses: [parseIpv6("2001:db8:1:1::b")],
  ipv6Prefixes: [parseCidr6("2001:db8:1:1:b::/80")],
  place: { place: "b", device: "eth0" },
};

export const eniC: FabricEni = {
  ...plain,
  eniId: "eni-0cccccccccccccccc",
  subnetId: "subnet-private",
  mac: parseMac("02:00:00:00:00:0c"),
  addresses: [parseIpv4("10.0.1.11")],
  ipv6Addresses: [parseIpv6("2001:db8:1:1::c")],
  place: { place: "c", device: "eth0" },
};

export const eniD: FabricEni = {
  ...plain,
  eniId: "eni-0dddddddddddddddd",
  subnetId: "subnet-public",
  mac: parseMac("02:00:00:00:00:0d"),
  addresses: [parseIpv4("10.0.0.13")],
  place: { place: "d", device: "eth0" },
};

export const eniNat: FabricEni = {
  ...plain,
  eniId: "eni-0eeeeeeeeeeeeeeee",
  subnetId: "subnet-public",
  mac: parseMac("02:00:00:00:00:0e"),
  addresses: [parseIpv4("10.0.0.14")],
  publicAddresses: [{ privateAddress: parseIpv4("10.0.0.14"), publicAddress: parseIpv4("203.0.113.14") }],
};

export const spec: FabricSpec = {
  vpcCidrs: [parseCidr("10.0.0.0/16"), parseCidr("2001:db8:1::/56")],
  subnets: [
    {
      subnetId: "subnet-public",
      cidr: publicSubnet,
      routes: [{ destination: everywhere, target: { kind: "internet-gateway" } }],
    },
    {
      subnetId: "subnet-private",
      cidr: privateSubnet,
      ipv6: parseCidr6("2001:db8:1:1::/64"),
      routes: [
        { destination: everywhere, target: { kind: "nat-gateway", natGatewayId: "nat-1" } },
        { destination: everywhere6, target: { kind: "egress-only-internet-gateway" } },
        { destination: parseCidr("192.0.2.0/24"), target: { kind: "blackhole" } },
      ],
    },
  ],
  enis: [eniA, eniB, eniC, eniD, eniNat],
  natGateways: [{ natGatewayId: "nat-1", eniId: eniNat.eniId }],
  internetGateway: true,
  egressOnlyInternetGateway: true,
};
