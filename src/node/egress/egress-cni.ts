import { tryParseCidr } from "../../addr/cidr.ts";
import { ipv4 } from "../../addr/ipv4.ts";
import { ipv6 } from "../../addr/ipv6.ts";
import { messageOf } from "../../base/error.ts";
import { type Log, noLog } from "../../base/log.ts";
import { failureText } from "../../cni/chain.ts";
import { CniError, errorCode } from "../../cni/error.ts";
import { findPlugin, pluginFailure, type RunExecutable, runExecutable } from "../../cni/invoke.ts";
import { parseJson } from "../../cni/json.ts";
import type { Plugin, PluginCall } from "../../cni/plugin.ts";
import { type CniResult, parseResult } from "../../cni/result.ts";
import type { HostNetns } from "../../hostnet/host.ts";
import { iptablesKind } from "../../hostnet/host-network.ts";
import type { IpAddress } from "../../linux/rtnetlink/values.ts";
import { parseAddress } from "../plugin/pod-result.ts";
import { nodeVersion } from "../version.ts";
import { addEgressChain, deleteEgressChain, egressChain } from "./chain.ts";
import { type EgressConfig, egressFamily, egressNodeAddress, readEgressConfig } from "./config.ts";
import { type EgressAddress, type EgressVeth, setUpIpv4Egress, setUpIpv6Egress } from "./network.ts";

/**
 * egress-cni: gives pods of an IPv6 cluster a way out over IPv4, and pods of an IPv4 cluster one over IPv6. It
 * comes after aws-cni in the chain: the pod gets a second device with an address that means something on this
 * node only, and what leaves by it has the node's address.
 */
export interface EgressParts {
  readonly host: HostNetns;
  readonly log?: Log;
  /** Runs the address management plugin. */
  readonly run?: RunExecutable;
}

export function egressCni(parts: EgressParts): Plugin {
  const log = parts.log ?? noLog;
  return {
    about: `egress CNI plugin ${nodeVersion}`,
    add: (call) => add(call, parts, log),
    del: (call) => del(call, parts, log),
  };
}

async function add(call: PluginCall, parts: EgressParts, log: Log): Promise<CniResult> {
  const config = readEgressConfig(call);
  const { prevResult } = config;
  if (prevResult === undefined) throw new CniError(errorCode.internal, "must be called as a chained plugin");
  if (!config.enabled) return prevResult;
  const nodeAddress = egressNodeAddress(config);
  const chain = egressChain(egressFamily(config), call.networkName, call.containerId);
  const given = await ipam("ADD", call, config, parts);
  let made: EgressVeth | undefined;
  try {
    const wanted = readIpamResult(given, call);
    made = await setUp(call, config, parts, wanted);
    addEgressChain(
      chain,
      {
        podAddress: wanted.address,
        nodeAddress,
        randomizeSnat: config.randomizeSnat,
        randomFully: iptablesKind(parts.host).randomFully,
      },
      parts.host.ns,
    );
  } catch (error) {
    const link = made === undefined ? undefined : parts.host.rt.linkByName(made.hostName);
    if (link !== undefined) parts.host.rt.deleteLink(link.index, { tolerate: "absent" });
    await ipam("DEL", call, config, parts).catch((failure: unknown) =>
      log("error", `the egress address is not given back: ${messageOf(failure)}`),
    );
    throw error;
  }
  log("info", "egress is set up", { containerId: call.containerId, ...made });
  return {
    ...prevResult,
    interfaces: [
      ...prevResult.interfaces,
      { name: made.hostName, mac: made.hostMac },
      { name: made.containerName, mac: made.containerMac, sandbox: call.netns },
    ],
  };
}

async function setUp(
  call: PluginCall,
  config: EgressConfig,
  parts: EgressParts,
  wanted: EgressAddress<IpAddress>,
): Promise<EgressVeth> {
  const { address, gateway } = wanted;
  if (typeof address === "number") {
    return await setUpIpv4Egress(parts.host, call.netns, config.mtu, {
      ...wanted,
      address: ipv4(address),
      gateway: typeof gateway === "number" ? gateway : undefined,
    });
  }
  return await setUpIpv6Egress(
    parts.host,
    call.netns,
    config.mtu,
    { ...wanted, address: ipv6(address), gateway: typeof gateway === "bigint" ? gateway : undefined },
    call.ifName,
  );
}

/**
 * Gives the address back and takes the NAT chain away. The chain is found by its name, so that it goes even when
 * the pod's namespace is gone; the devices go with the namespace.
 */
async function del(call: PluginCall, parts: EgressParts, log: Log): Promise<void> {
  const config = readEgressConfig(call);
  if (!config.enabled) return;
  await ipam("DEL", call, config, parts);
  const chain = egressChain(egressFamily(config), call.networkName, call.containerId);
  try {
    deleteEgressChain(chain, parts.host.ns);
  } catch (error) {
    log("error", `failed to remove iptables chain ${chain.name}: ${messageOf(error)}`);
  }
}

/** Runs the address management plugin with this call's own standard input; returns what it printed. */
async function ipam(
  command: "ADD" | "DEL",
  call: PluginCall,
  config: EgressConfig,
  parts: EgressParts,
): Promise<string> {
  const run = parts.run ?? runExecutable;
  try {
    const env: Record<string, string> = { ...call.env, CNI_COMMAND: command };
    if (process.env.PATH !== undefined) env.PATH = process.env.PATH;
    const exit = await run(findPlugin(config.ipamType, call.path), env, call.stdin);
    if (exit.exitCode !== 0) throw pluginFailure(`${command} with ${config.ipamType}`, exit);
    return exit.stdout;
  } catch (error) {
    throw new CniError(errorCode.internal, `running IPAM plugin failed: ${failureText(error)}`);
  }
}

function readIpamResult(stdout: string, call: PluginCall): EgressAddress<IpAddress> {
  const result = parseResult(parseJson(stdout, "IPAM result"), call.version);
  const [ip] = result.ips;
  if (ip === undefined || result.ips.length !== 1) {
    throw new CniError(errorCode.internal, `IPAM plugin returned ${result.ips.length} IPs, 1 is wanted`);
  }
  const [address = "", bits = ""] = ip.address.split("/");
  return {
    address: parseAddress(address),
    bits: Number(bits),
    gateway: ip.gateway === undefined ? undefined : parseAddress(ip.gateway),
    routes: result.routes.map((route) => tryParseCidr(route.dst)).filter((cidr) => cidr !== undefined),
  };
}
