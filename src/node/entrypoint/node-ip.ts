import type { Imds } from "../../aws/imds.ts";
import { messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import type { NodeEnvironment } from "../environment.ts";

/**
 * The address that egress packets leave with, of the family that pods do not have. In an IPv6 cluster it must be
 * there (throws); in an IPv4 one with IPv6 egress its absence only turns the egress off ("").
 */
export async function egressNodeIp(
  imds: Imds,
  settings: Pick<NodeEnvironment, "enableIpv6" | "enableV6Egress">,
  log: Log,
): Promise<string> {
  if (settings.enableIpv6) return (await imds.get("meta-data/local-ipv4")).trim();
  if (!settings.enableV6Egress) return "";
  try {
    return (await imds.get("meta-data/ipv6")).trim();
  } catch (error) {
    log("warn", `IPv6 egress is off: the node has no IPv6 address: ${messageOf(error)}`);
    return "";
  }
}
