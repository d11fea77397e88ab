import { messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import { CniError, errorCode } from "../../cni/error.ts";
import type { PluginCall } from "../../cni/plugin.ts";
import type { CniResult } from "../../cni/result.ts";
import { containerVethName, hostVethName } from "../../hostnet/names.ts";
import type { PodInterface } from "../../hostnet/pod-network.ts";
import { podRouteTable } from "../../hostnet/route-tables.ts";
import type { AddNetworkReply } from "../rpc/messages.ts";
import type { PolicyAgent } from "./backend.ts";
import { type AwsCniConfig, type PodArgs, readNetconf, readPodArgs, wantsMultiNic } from "./netconf.ts";
import { type HandlerParts, withPolicyAgent, wrapping } from "./parts.ts";
import { branchResult, parseAddress, podResult } from "./pod-result.ts";
import { branchOf } from "./wiring.ts";

/** ADD: an address from ipamd, its wiring, the result, and the policy agent's word when there is one to ask. */
export async function addNetwork(call: PluginCall, parts: HandlerParts, log: Log): Promise<CniResult> {
  const announced = parts.asksPolicyAgent === true ? announce(parts) : undefined;
  try {
    return await addWith(call, parts, log, announced);
  } catch (error) {
    announced?.then((begun) => begun?.cancel()).catch(() => {});
    throw error;
  }
}

/** A call of the policy agent that is announced; undefined for an agent that takes no announcements. */
type Announced = Promise<ReturnType<NonNullable<PolicyAgent["beginEnforce"]>> | undefined>;

/** The agent can get ready for the call while the pod is wired; a failure shows when the call is made. */
function announce(parts: HandlerParts): Announced {
  const announced = parts.dialPolicyAgent().then((agent) => agent.beginEnforce?.());
  announced.catch(() => {});
  return announced;
}

async function addWith(
  call: PluginCall,
  parts: HandlerParts,
  log: Log,
  announced: Announced | undefined,
): Promise<CniResult> {
  const config = await wrapping("add cmd: error loading config from args", () => readNetconf(call));
  const pod = await wrapping("add cmd: failed to load k8s config from arg", () => readPodArgs(call.args));
  const reply = await wrapping("add cmd: Error received from AddNetwork gRPC call", () =>
    parts.backend.addNetwork({
      K8S_POD_NAME: pod.name,
      K8S_POD_NAMESPACE: pod.namespace,
      K8S_POD_INFRA_CONTAINER_ID: pod.infraContainerId,
      Netns: call.netns,
      IfName: call.ifName,
      NetworkName: call.networkName,
      ContainerID: call.containerId,
      ClientVersion: parts.version,
      RequiresMultiNICAttachment: wantsMultiNic(config),
    }),
  );
  if (!reply.Success) {
    throw new CniError(errorCode.internal, "add cmd: failed to assign an IP address to container");
  }
  const interfaces = interfacesOf(call, config, pod, reply);
  try {
    await wire(call, parts, interfaces, reply);
  } catch (error) {
    await giveBack(call, pod, parts, log);
    throw new CniError(errorCode.internal, `add command: failed to setup network: ${messageOf(error)}`);
  }
  const result = resultOf(call, pod, interfaces, reply);
  if (reply.NetworkPolicyMode !== "") await enforcePolicy(pod, reply, parts, log, announced);
  return result;
}

function interfacesOf(
  call: PluginCall,
  config: AwsCniConfig,
  pod: PodArgs,
  reply: AddNetworkReply,
): PodInterface[] {
  const branch = reply.PodVlanId !== 0;
  // Anything but "standard" is wired strictly.
  const prefix = branch && config.podSecurityGroupMode !== "standard" ? "vlan" : config.vethPrefix;
  const allocated = branch ? reply.IPAllocationMetadata.slice(0, 1) : reply.IPAllocationMetadata;
  return allocated.map((metadata, index) => ({
    index,
    hostName: hostVethName(prefix, pod.namespace, pod.name, index),
    containerName: containerVethName(call.ifName, index),
    address: parseAddress(metadata.IPv4Addr === "" ? metadata.IPv6Addr : metadata.IPv4Addr),
    routeTable: podRouteTable(metadata.RouteTableId),
    mtu: config.mtu,
  }));
}

async function wire(
  call: PluginCall,
  parts: HandlerParts,
  interfaces: readonly PodInterface[],
  reply: AddNetworkReply,
): Promise<void> {
  const [first] = interfaces;
  if (reply.PodVlanId === 0) await parts.wiring.setUp(call.netns, interfaces);
  else if (first !== undefined) await parts.wiring.setUpBranch(call.netns, first, branchOf(reply));
}

function resultOf(
  call: PluginCall,
  pod: PodArgs,
  interfaces: readonly PodInterface[],
  reply: AddNetworkReply,
): CniResult {
  const tables = reply.IPAllocationMetadata.map((metadata) => metadata.RouteTableId);
  return reply.PodVlanId === 0
    ? podResult(pod, call.netns, interfaces, tables, reply.IPAllocationMetadata[0]?.DeviceNumber ?? 0)
    : branchResult(pod, call.netns, interfaces, tables, reply.PodVlanId, reply.PodENISubnetGW);
}

/** Frees the address of a pod whose wiring failed; the runtime's DEL does it again if this does not work. */
async function giveBack(call: PluginCall, pod: PodArgs, parts: HandlerParts, log: Log): Promise<void> {
  try {
    const reply = await parts.backend.delNetwork({
      K8S_POD_NAME: pod.name,
      K8S_POD_NAMESPACE: pod.namespace,
      K8S_POD_INFRA_CONTAINER_ID: pod.infraContainerId,
      Reason: "SetupNSFailed",
      IfName: call.ifName,
      NetworkName: call.networkName,
      ContainerID: call.containerId,
      ClientVersion: parts.version,
      K8S_POD_UID: "",
    });
    if (!reply.Success) log("error", "ipamd did not take the address back", { pod });
  } catch (error) {
    log("error", `ipamd did not take the address back: ${messageOf(error)}`, { pod });
  }
}

/** The network stays when this fails: the runtime answers a failed ADD with DEL. */
async function enforcePolicy(
  pod: PodArgs,
  reply: AddNetworkReply,
  parts: HandlerParts,
  log: Log,
  announced: Announced | undefined,
): Promise<void> {
  const request = {
    K8S_POD_NAME: pod.name,
    K8S_POD_NAMESPACE: pod.namespace,
    NETWORK_POLICY_MODE: reply.NetworkPolicyMode,
    InterfaceCount: reply.IPAllocationMetadata.length,
  };
  let enforced = false;
  try {
    const begun = await announced;
    const answer =
      begun === undefined
        ? await withPolicyAgent(parts.dialPolicyAgent, (agent) => agent.enforceNpToPod(request))
        : await begun.finish(request);
    enforced = answer.Success;
  } catch (error) {
    log("error", `the network policy agent failed: ${messageOf(error)}`, { pod });
  }
  if (!enforced) throw new CniError(errorCode.internal, "add cmd: failed to setup network policy");
}
