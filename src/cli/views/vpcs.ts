import type { Vpc } from "@aws-sdk/client-ec2";
import type { Answer } from "../output.ts";
import { nameTag } from "./tags.ts";

/** `get vpcs`, with eksdemo's columns. */
export function vpcsView(vpcs: readonly Vpc[]): Answer {
  const rows = vpcs.map((vpc) => [
    vpc.VpcId ?? "-",
    `${nameTag(vpc.Tags)}${vpc.IsDefault ? "*" : ""}`,
    associated(vpc.CidrBlockAssociationSet?.map((set) => [set.CidrBlock, set.CidrBlockState?.State])),
    associated(
      vpc.Ipv6CidrBlockAssociationSet?.map((set) => [set.Ipv6CidrBlock, set.Ipv6CidrBlockState?.State]),
    ),
  ]);
  const rowLines = vpcs.some(
    (vpc) =>
      (vpc.Ipv6CidrBlockAssociationSet?.length ?? 0) > 0 && (vpc.CidrBlockAssociationSet?.length ?? 0) > 1,
  );
  return {
    value: vpcs,
    table: {
      columns: ["Id", "Name", "IPv4 CIDR(s)", "IPv6 CIDR(s)"],
      rows,
      rowLines,
      footers: ["* Indicates default VPC"],
    },
  };
}

function associated(blocks: readonly (readonly [string | undefined, string | undefined])[] = []): string {
  const live = blocks.filter(([, state]) => state === "associated").map(([block]) => block ?? "-");
  return live.length === 0 ? "-" : live.join("\n");
}
