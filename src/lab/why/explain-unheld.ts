import { cidr4Size, tryParseCidr } from "../../addr/cidr.ts";
import { tryParseIpv4 } from "../../addr/ipv4.ts";
import { tryParseIpv6 } from "../../addr/ipv6.ts";
import { type Chain, chainOf } from "./chain.ts";
import type { SubnetSeen } from "./observation.ts";

/** What AWS keeps of each subnet, by the place from its begin. */
const reserved = ["the network address", "the VPC's router", "the VPC's DNS resolver", "kept for future use"];

function reservedFor(block: string, address: string): string | undefined {
  const cidr = tryParseCidr(block);
  if (cidr?.family === 4) {
    const place = (tryParseIpv4(address) ?? 0) - cidr.base;
    return place === cidr4Size(cidr) - 1 ? "the broadcast address" : reserved[place];
  }
  const ip = tryParseIpv6(address);
  if (cidr === undefined || ip === undefined) return undefined;
  const place = ip - cidr.base;
  return place === (1n << BigInt(128 - cidr.bits)) - 1n ? "the last one" : reserved[Number(place)];
}

/** An address of a subnet that no ENI has: free, or one that AWS keeps. */
export function explainUnheld(subject: string, subnet: SubnetSeen, address: string): Chain {
  const { name, free, freeBlocks, ipv6Cidr } = subnet;
  const cidr = address.includes(":") ? (ipv6Cidr ?? "") : subnet.cidr;
  const use = reservedFor(cidr, address);
  if (use !== undefined) {
    return chainOf(subject, [], {
      cause: "none",
      summary: `${address} is one of AWS's five addresses of subnet ${name} (${cidr}): ${use}`,
      links: [
        {
          what: `nobody can have ${address}`,
          evidence: `its place in ${cidr}`,
          rule: "AWS keeps the first four addresses and the last one of each subnet",
        },
      ],
      change: [],
    });
  }
  return chainOf(subject, [], {
    cause: "none",
    summary: `nobody holds ${address}: it is free in subnet ${name} (${cidr})`,
    links: [
      {
        what: address.includes(":")
          ? `no ENI of ${name} has ${address}`
          : `no ENI of ${name} has ${address}; ${free} addresses and ${freeBlocks} whole /28 blocks are free there`,
        evidence: "EC2 DescribeNetworkInterfaces, DescribeSubnets",
        rule: "EC2 picks single addresses of a subnet at random and prefixes from its whole free /28 blocks",
      },
    ],
    change: [],
  });
}
