import type { Subnet } from "@aws-sdk/client-ec2";
import type { Answer } from "../output.ts";
import { nameTag } from "./tags.ts";

/** `get subnets`, with eksdemo's columns; wide adds the name, the VPC and whether public addresses are given. */
export function subnetsView(subnets: readonly Subnet[]): Answer {
  const ipv6 = (subnet: Subnet): string =>
    subnet.Ipv6CidrBlockAssociationSet?.map((set) => set.Ipv6CidrBlock ?? "-").join("\n") || "-";
  const row = (subnet: Subnet): string[] => [
    subnet.SubnetId ?? "-",
    subnet.AvailabilityZone ?? "-",
    subnet.CidrBlock ?? "-",
    String(subnet.AvailableIpAddressCount ?? "-"),
    ipv6(subnet),
  ];
  const columns = ["Id", "Zone", "IPv4 CIDR", "Free", "IPv6 CIDR"];
  const rowLines = subnets.some((subnet) => ipv6(subnet) !== "-");
  return {
    value: subnets,
    table: { columns, rows: subnets.map(row), rowLines },
    wide: {
      columns: [...columns, "Name", "VPC Id", "Public IPs"],
      rows: subnets.map((subnet) => [
        ...row(subnet),
        nameTag(subnet.Tags),
        subnet.VpcId ?? "-",
        subnet.MapPublicIpOnLaunch ? "Yes" : "No",
      ]),
      rowLines,
    },
  };
}
