import { tryParseIpv4 } from "../../addr/ipv4.ts";
import { type Ipv6, tryParseIpv6 } from "../../addr/ipv6.ts";
import { CniError, errorCode } from "../../cni/error.ts";
import { isObject, text } from "../../cni/json.ts";
import { type PluginCall, prevResultOf } from "../../cni/plugin.ts";
import type { CniResult } from "../../cni/result.ts";
import type { Family, IpAddress } from "../../linux/rtnetlink/values.ts";

/** The network configuration of egress-cni. */
export interface EgressConfig {
  readonly enabled: boolean;
  readonly mtu: number;
  readonly randomizeSnat: string;
  /** Type of the address management plugin. */
  readonly ipamType: string;
  /** Absent when `nodeIP` is not an address. */
  readonly nodeAddress?: IpAddress;
  readonly prevResult?: CniResult;
}

/** Reads the configuration; throws CNI errors. */
export function readEgressConfig(call: PluginCall): EgressConfig {
  const { config } = call;
  const mtu = text(config.mtu, "mtu") ?? "";
  if (!/^[+-]?\d+$/.test(mtu))
    throw new CniError(
      errorCode.internal,
      `failed to parse config: mtu is ${JSON.stringify(mtu)}, not an integer`,
    );
  const prevResult = prevResultOf(call);
  const nodeIp = text(config.nodeIP, "nodeIP") ?? "";
  const nodeAddress = tryParseIpv4(nodeIp) ?? tryParseIpv6(nodeIp);
  return {
    enabled: text(config.enabled, "enabled") === "true",
    mtu: Number(mtu),
    randomizeSnat: text(config.randomizeSNAT, "randomizeSNAT") || "prng",
    ipamType: isObject(config.ipam) ? (text(config.ipam.type, "ipam.type") ?? "") : "",
    ...(nodeAddress === undefined ? {} : { nodeAddress }),
    ...(prevResult === undefined ? {} : { prevResult }),
  };
}

/** The family that packets leave with: that of the node's address; IPv6 when there is none. */
export function egressFamily(config: EgressConfig): Family {
  return typeof config.nodeAddress === "number" ? 4 : 6;
}

/** The address that packets leave with; throws when it cannot be one. */
export function egressNodeAddress(config: EgressConfig): IpAddress {
  const { nodeAddress } = config;
  if (typeof nodeAddress === "number") return nodeAddress;
  if (nodeAddress !== undefined && isGlobalUnicast(nodeAddress)) return nodeAddress;
  throw new CniError(
    errorCode.internal,
    "global unicast IPv6 not found in host primary interface which is mandatory to support IPv6 egress",
  );
}

/** As Go's IsGlobalUnicast: unique local addresses count, link-local, multicast, loopback and :: do not. */
function isGlobalUnicast(address: Ipv6): boolean {
  return address > 1n && address >> 120n !== 0xffn && address >> 118n !== 0xfe80n >> 6n;
}
