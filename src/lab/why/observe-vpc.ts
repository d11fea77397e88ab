import type { EC2Client, NetworkInterface, Subnet, Tag } from "@aws-sdk/client-ec2";
import { cidr4Has, parseCidr4, tryParseCidr } from "../../addr/cidr.ts";
import { ipv4, parseIpv4 } from "../../addr/ipv4.ts";
import { SubnetSpace } from "../../addr/subnet-space.ts";
import type { EniSeen, SubnetSeen } from "./observation.ts";

/** Subnets and interfaces as EC2 tells them. */
export async function observeVpc(
  client: EC2Client,
): Promise<{ readonly subnets: SubnetSeen[]; readonly enis: EniSeen[] }> {
  const { DescribeSubnetsCommand, paginateDescribeNetworkInterfaces } = await import("@aws-sdk/client-ec2");
  const found: NetworkInterface[] = [];
  const [{ Subnets = [] }] = await Promise.all([
    client.send(new DescribeSubnetsCommand({})),
    (async () => {
      for await (const page of paginateDescribeNetworkInterfaces({ client }, { MaxResults: 1000 }))
        found.push(...(page.NetworkInterfaces ?? []));
    })(),
  ]);
  const enis = found.map(eniSeen);
  return { enis, subnets: Subnets.map((subnet) => subnetSeen(subnet, enis)) };
}

function eniSeen(eni: NetworkInterface): EniSeen {
  const { InstanceId: instanceId, DeviceIndex: deviceIndex } = eni.Attachment ?? {};
  return {
    eniId: eni.NetworkInterfaceId ?? "",
    subnetId: eni.SubnetId ?? "",
    description: eni.Description ?? "",
    status: eni.Status ?? "",
    ...(eni.RequesterId === undefined ? {} : { requester: eni.RequesterId }),
    ...(instanceId === undefined ? {} : { instanceId }),
    ...(deviceIndex === undefined ? {} : { deviceIndex }),
    addresses: [...(eni.PrivateIpAddresses ?? [])]
      .sort((a, b) => Number(b.Primary ?? false) - Number(a.Primary ?? false))
      .flatMap(({ PrivateIpAddress }) => PrivateIpAddress ?? [])
      .concat((eni.Ipv6Addresses ?? []).flatMap(({ Ipv6Address }) => Ipv6Address ?? [])),
    prefixes: (eni.Ipv4Prefixes ?? [])
      .flatMap(({ Ipv4Prefix }) => Ipv4Prefix ?? [])
      .concat((eni.Ipv6Prefixes ?? []).flatMap(({ Ipv6Prefix }) => Ipv6Prefix ?? [])),
    tags: tagsOf(eni.TagSet),
  };
}

function subnetSeen(subnet: Subnet, enis: readonly EniSeen[]): SubnetSeen {
  const tags = tagsOf(subnet.Tags);
  const subnetId = subnet.SubnetId ?? "";
  const cidr = subnet.CidrBlock ?? "";
  const ipv6Cidr = subnet.Ipv6CidrBlockAssociationSet?.flatMap(({ Ipv6CidrBlock }) => Ipv6CidrBlock ?? [])[0];
  return {
    subnetId,
    name: tags.Name ?? subnetId,
    zone: subnet.AvailabilityZone ?? "",
    cidr,
    ...(ipv6Cidr === undefined ? {} : { ipv6Cidr }),
    free: subnet.AvailableIpAddressCount ?? 0,
    freeBlocks: freeBlocksOf(
      cidr,
      enis.filter((eni) => eni.subnetId === subnetId),
    ),
    tags,
  };
}

/** Aligned blocks of sixteen in which nothing is in use; what EC2 itself shows to nobody. */
export function freeBlocksOf(cidr: string, enis: readonly Pick<EniSeen, "addresses" | "prefixes">[]): number {
  const block = parseCidr4(cidr);
  const space = new SubnetSpace(block);
  const take = (value: number): void => {
    const address = ipv4(value);
    if (cidr4Has(block, address) && space.isFree(address)) space.take(address);
  };
  for (const { addresses, prefixes } of enis) {
    for (const address of addresses) if (!address.includes(":")) take(parseIpv4(address));
    for (const prefix of prefixes) {
      const parsed = tryParseCidr(prefix);
      if (parsed?.family === 4) for (let n = 0; n < 16; n++) take(parsed.base + n);
    }
  }
  return space.freeBlocks28Count;
}

const tagsOf = (tags: readonly Tag[] | undefined): Record<string, string> =>
  Object.fromEntries((tags ?? []).map(({ Key = "", Value = "" }) => [Key, Value]));
