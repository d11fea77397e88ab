import { messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import { CniError, errorCode } from "../../cni/error.ts";
import type { PluginCall } from "../../cni/plugin.ts";
import type { PodRoute } from "../../hostnet/pod-network.ts";
import { podRouteTable } from "../../hostnet/route-tables.ts";
import type { DelNetworkReply } from "../rpc/messages.ts";
import { type AwsCniConfig, type PodArgs, readNetconf, readPodArgs } from "./netconf.ts";
import { type HandlerParts, withPolicyAgent, wrapping } from "./parts.ts";
import { branchAddress, decimal, dummyInterface, parseAddress, routesOfResult } from "./pod-result.ts";

/** DEL: gives the address back and takes the wiring away; succeeds whenever nothing can be left to do. */
export async function delNetwork(call: PluginCall, parts: HandlerParts, log: Log): Promise<undefined> {
  const config = await wrapping("del cmd: error loading config from args", () => readNetconf(call));
  const pod = await wrapping("del cmd: failed to load k8s config from args", () => readPodArgs(call.args));
  if (await deletedAsBranch(call, config, pod, parts)) return;
  let reply: DelNetworkReply;
  try {
    reply = await parts.backend.delNetwork({
      K8S_POD_NAME: pod.name,
      K8S_POD_NAMESPACE: pod.namespace,
      K8S_POD_INFRA_CONTAINER_ID: pod.infraContainerId,
      Reason: "PodDeleted",
      IfName: call.ifName,
      NetworkName: call.networkName,
      ContainerID: call.containerId,
      ClientVersion: parts.version,
      K8S_POD_UID: pod.uid,
    });
  } catch (error) {
    // Deleted before, or never added: nothing of it is here.
    if (messageOf(error).includes("datastore: unknown pod")) return;
    log("error", `ipamd did not answer: ${messageOf(error)}`, { pod });
    deleteFromResult(call, config, pod, parts, log);
    return;
  }
  if (!reply.Success) throw new CniError(errorCode.internal, "del cmd: failed to process delete request");
  // The policy agent is another process: it forgets the pod while the kernel does.
  const forgotten = reply.NetworkPolicyMode === "" ? undefined : forgetPolicy(pod, parts, log);
  forgotten?.catch(() => {});
  await unwire(call, parts, log, reply);
  await forgotten;
}

/** A pod with a branch ENI is known by its result alone; ipamd and the policy agent are not asked. */
async function deletedAsBranch(
  call: PluginCall,
  config: AwsCniConfig,
  pod: PodArgs,
  parts: HandlerParts,
): Promise<boolean> {
  const { prevResult } = config;
  const dummy = prevResult === undefined ? undefined : dummyInterface(prevResult, pod);
  if (prevResult === undefined || dummy === undefined) return false;
  return await wrapping("del cmd: failed to delete with prevResult", () => {
    const vlanId = decimal(dummy.mac);
    if (vlanId === undefined)
      throw new CniError(errorCode.internal, `malformed vlanID in prevResult: ${dummy.mac ?? ""}`);
    if (vlanId === 0) return false;
    if (call.netns === "") return true;
    const address = branchAddress(prevResult, call.ifName);
    parts.wiring.tearDownBranch(vlanId, { address, routeTable: vlanId + 100 });
    return true;
  });
}

async function unwire(
  call: PluginCall,
  parts: HandlerParts,
  log: Log,
  reply: DelNetworkReply,
): Promise<void> {
  const routes = routesOf(reply);
  const [first] = routes;
  if (first === undefined) {
    log("warn", "ipamd returned no valid address; nothing is taken down", { reply });
    return;
  }
  await wrapping("del cmd: failed on tear down pod network", () => {
    if (reply.PodVlanId === 0) parts.wiring.tearDown(routes);
    else if (call.netns !== "") parts.wiring.tearDownBranch(reply.PodVlanId, first);
  });
}

function routesOf(reply: DelNetworkReply): PodRoute[] {
  const routes: PodRoute[] = [];
  for (const metadata of reply.IPAllocationMetadata) {
    const text = metadata.IPv4Addr === "" ? metadata.IPv6Addr : metadata.IPv4Addr;
    if (text === "") continue;
    routes.push({ address: parseAddress(text), routeTable: podRouteTable(metadata.RouteTableId) });
  }
  return routes;
}

/**
 * Without ipamd: what the result of ADD says is taken down. Never fails; ipamd frees the address when it starts
 * and finds no device of the pod.
 */
function deleteFromResult(
  call: PluginCall,
  config: AwsCniConfig,
  pod: PodArgs,
  parts: HandlerParts,
  log: Log,
): void {
  try {
    const routes =
      config.prevResult === undefined ? undefined : routesOfResult(config.prevResult, pod, call.ifName);
    if (routes !== undefined) parts.wiring.tearDown(routes);
    else log("warn", "there is no result to take the pod's network down with", { pod });
  } catch (error) {
    log("error", `cannot take the pod's network down: ${messageOf(error)}`, { pod });
  }
}

/** Only an agent that cannot be reached is a failure, as with the official plugin. */
async function forgetPolicy(pod: PodArgs, parts: HandlerParts, log: Log): Promise<void> {
  let reached = false;
  const forget = withPolicyAgent(parts.dialPolicyAgent, async (agent) => {
    reached = true;
    return await agent.deletePodNp({ K8S_POD_NAME: pod.name, K8S_POD_NAMESPACE: pod.namespace });
  });
  try {
    const answer = await forget;
    if (!answer.Success) log("error", "the network policy agent did not forget the pod", { pod });
  } catch (error) {
    if (!reached) {
      throw new CniError(
        errorCode.internal,
        `del cmd: failed to connect to network policy agent: ${messageOf(error)}`,
      );
    }
    log("error", `the network policy agent did not forget the pod: ${messageOf(error)}`, { pod });
  }
}
