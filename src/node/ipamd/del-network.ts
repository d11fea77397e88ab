import type { DelNetworkReply, DelNetworkRequest } from "../rpc/messages.ts";
import { allocation, checkVersion } from "./add-network.ts";
import type { AddressDesk } from "./address-desk.ts";
import type { Context } from "./context.ts";
import { clearPodAnnotation } from "./pod-annotation.ts";
import { branchRelease } from "./pod-eni.ts";
import { RpcError, rpcErrorOf } from "./rpc-error.ts";

/** The text that the plugin takes for "nothing to undo". */
export const unknownPod = "datastore: unknown pod";

/** Takes a pod's addresses back; an unknown pod is an RPC error with that text. */
export async function delNetwork(
  ctx: Context,
  desk: AddressDesk,
  request: DelNetworkRequest,
): Promise<DelNetworkReply> {
  ctx.metrics.delRequest(request.Reason);
  checkVersion(ctx, request.ClientVersion);
  const mode = ctx.env.networkPolicyMode ?? "";
  const released = await desk.release({
    networkName: request.NetworkName,
    containerId: request.ContainerID,
    ifName: request.IfName,
  });
  const [first] = released;
  if (first === undefined) {
    const branch = ctx.settings.podEni ? await branchRelease(ctx, request) : undefined;
    if (branch !== undefined) return { ...branch, NetworkPolicyMode: mode };
    throw new RpcError("Unknown", unknownPod);
  }
  const kube = ctx.kube();
  if (ctx.env.annotatePodIp && kube !== undefined) {
    const pod = { namespace: request.K8S_POD_NAMESPACE, name: request.K8S_POD_NAME };
    await clearPodAnnotation(kube, pod, first.address, ctx.clock).catch((thrown: unknown) => {
      throw rpcErrorOf(thrown);
    });
  }
  return {
    Success: true,
    IPAllocationMetadata: released.map(allocation),
    PodVlanId: 0,
    NetworkPolicyMode: mode,
  };
}
