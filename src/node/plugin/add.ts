import { messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import { CniError, errorCode } from "../../cni/error.ts";
import type { PluginCall } from "../../cni/plugin.ts";
import type { CniResult } from "../../cni/result.ts";
import { containerVethName, hostVethName } from "../../hostnet/names.ts";
import type { PodInterface, WhenLinked } from "../../hostnet/pod-network.ts";
import { podRouteTable } from "../../hostnet/route-tables.ts";
import type { AddNetworkReply, AddNetworkRequest } from "../rpc/messages.ts";
import { type BegunAdd, settledAdd } from "./backend.ts";
import { type AwsCniConfig, type PodArgs, readNetconf, readPodArgs, wantsMultiNic } from "./netconf.ts";
import { type HandlerParts, wrapping } from "./parts.ts";
import { branchResult, parseAddress, podResult } from "./pod-result.ts";
import { PolicyCall } from "./policy-call.ts";
import { branchOf } from "./wiring.ts";

/**
 * ADD: an address from ipamd, its wiring, the policy agent's word when there is one to ask, and the result. Every
 * pod waits for this, so that what can go side by side does: the agent works while ipamd writes its checkpoint and
 * wires the pod. The result is told when all three have ended well.
 */
export async function addNetwork(call: PluginCall, parts: HandlerParts, log: Log): Promise<CniResult> {
  const config = await wrapping("add cmd: error loading config from args", () => readNetconf(call));
  const pod = await wrapping("add cmd: failed to load k8s config from arg", () => readPodArgs(call.args));
  const begun = await wrapping("add cmd: Error received from AddNetwork gRPC call", () =>
    requestAddress(call, config, pod, parts),
  );
  const { reply, kept } = begun;
  if (!reply.Success) throw notAssigned();
  const interfaces = interfacesOf(call, config, pod, reply);
  const policy = reply.NetworkPolicyMode === "" ? undefined : await PolicyCall.dial(pod, reply, parts);
  if (!begun.isHeld()) return await takenBack(policy);
  try {
    await wire(call, parts, interfaces, reply, () => policy?.begin());
  } catch (error) {
    await Promise.all([kept.then(() => giveBack(call, pod, parts, log)).catch(() => {}), policy?.takeBack()]);
    throw new CniError(errorCode.internal, `add command: failed to setup network: ${messageOf(error)}`);
  }
  try {
    await kept;
  } catch {
    unwire(parts, interfaces, reply, log);
    await policy?.takeBack();
    throw notAssigned();
  }
  if (!begun.isHeld()) {
    unwire(parts, interfaces, reply, log);
    return await takenBack(policy);
  }
  if (policy !== undefined) await enforced(policy, log);
  return resultOf(call, pod, interfaces, reply);
}

/** A runtime that was killed while it waited for this comes back with a DEL, and does not wait for us. */
async function takenBack(policy: PolicyCall | undefined): Promise<never> {
  await policy?.takeBack();
  throw new CniError(errorCode.internal, "add cmd: the pod was deleted while it was added");
}

const notAssigned = (): CniError =>
  new CniError(errorCode.internal, "add cmd: failed to assign an IP address to container");

async function requestAddress(
  call: PluginCall,
  config: AwsCniConfig,
  pod: PodArgs,
  { backend, version }: HandlerParts,
): Promise<BegunAdd> {
  const request: AddNetworkRequest = {
    K8S_POD_NAME: pod.name,
    K8S_POD_NAMESPACE: pod.namespace,
    K8S_POD_INFRA_CONTAINER_ID: pod.infraContainerId,
    Netns: call.netns,
    IfName: call.ifName,
    NetworkName: call.networkName,
    ContainerID: call.containerId,
    ClientVersion: version,
    RequiresMultiNICAttachment: wantsMultiNic(config),
  };
  if (backend.beginAddNetwork !== undefined) return await backend.beginAddNetwork(request);
  return settledAdd(await backend.addNetwork(request));
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
  whenLinked: WhenLinked,
): Promise<void> {
  const [first] = interfaces;
  if (reply.PodVlanId === 0) await parts.wiring.setUp(call.netns, interfaces, whenLinked);
  else if (first !== undefined)
    await parts.wiring.setUpBranch(call.netns, first, branchOf(reply), whenLinked);
}

/** The address did not become the pod's: nothing may lead to it. The runtime's DEL finds no such pod. */
function unwire(
  parts: HandlerParts,
  interfaces: readonly PodInterface[],
  reply: AddNetworkReply,
  log: Log,
): void {
  try {
    const [first] = interfaces;
    if (reply.PodVlanId === 0) parts.wiring.tearDown(interfaces);
    else if (first !== undefined) parts.wiring.tearDownBranch(reply.PodVlanId, first);
  } catch (error) {
    log("error", `the pod's network was not taken down: ${messageOf(error)}`);
  }
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
async function enforced(policy: PolicyCall, log: Log): Promise<void> {
  let success = false;
  try {
    success = await policy.outcome();
  } catch (error) {
    log("error", `the network policy agent failed: ${messageOf(error)}`);
  }
  if (!success) throw new CniError(errorCode.internal, "add cmd: failed to setup network policy");
}
