import { portDevice } from "../../cloud/fabric/names.ts";
import { Netns } from "../../linux/netns.ts";
import { runNft } from "../../linux/nft.ts";

const table = "inet eniverse_faults";

/**
 * Makes the VPC's router drop every packet from and to these ENIs, and from and to no others. A table of its own, which
 * the packet plane takes no notice of.
 */
export function dropTrafficOf(routerNetns: string, eniIds: readonly string[]): void {
  using router = Netns.open(routerNetns);
  runNft(dropScript(eniIds), router);
}

/** Pure part of {@link dropTrafficOf}: one transaction that replaces the table. */
export function dropScript(eniIds: readonly string[]): string {
  const empty = `table ${table} {}\ndelete table ${table}\n`;
  if (eniIds.length === 0) return empty;
  const devices = eniIds.map((eniId) => `"${portDevice(eniId)}"`).join(", ");
  return `${empty}table ${table} {
  chain from-eni { type filter hook prerouting priority -500; iifname { ${devices} } drop; }
  chain through { type filter hook forward priority -500; oifname { ${devices} } drop; }
  chain own { type filter hook output priority -500; oifname { ${devices} } drop; }
}
`;
}
