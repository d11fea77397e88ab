import { formatCidr } from "../../addr/cidr.ts";
import { messageOf } from "../../base/error.ts";
import type { Assignment } from "../../ipam/types.ts";
import { type BegunAdd, settledAdd } from "../plugin/backend.ts";
import type { AddNetworkReply, AddNetworkRequest, IpAllocationMetadata } from "../rpc/messages.ts";
import { nodeVersion } from "../version.ts";
import type { AddressDesk } from "./address-desk.ts";
import type { Context } from "./context.ts";
import { annotatePod } from "./pod-annotation.ts";
import { branchReply } from "./pod-eni.ts";
import { RpcError } from "./rpc-error.ts";

/**
 * Only a plugin of the same build is spoken to, or one of the version that VPC_CNI_VERSION names; the text is the
 * official one.
 */
export function checkVersion(ctx: Context, client: string): void {
  if (client === nodeVersion || (client !== "" && client === ctx.env.vpcCniVersion)) return;
  throw new RpcError("FailedPrecondition", `wrong client version "${client}" (!= "${nodeVersion}")`);
}

/**
 * Gives a pod its addresses, and replies when they are in the checkpoint. A refusal is a reply without success;
 * only a wrong version is an RPC error.
 */
export async function addNetwork(
  ctx: Context,
  desk: AddressDesk,
  request: AddNetworkRequest,
): Promise<AddNetworkReply> {
  const { reply, kept } = await beginAddNetwork(ctx, desk, request);
  return await kept.then(
    () => reply,
    () => refusedReply(ctx),
  );
}

/** As {@link addNetwork}, while the checkpoint is still being written. */
export async function beginAddNetwork(
  ctx: Context,
  desk: AddressDesk,
  request: AddNetworkRequest,
): Promise<BegunAdd> {
  ctx.metrics.addRequest();
  checkVersion(ctx, request.ClientVersion);
  if (ctx.settings.podEni) {
    const branch = await branchReply(ctx, request);
    if (branch !== undefined) return settledAdd(branch);
  }
  const { ContainerID: containerId, IfName: ifName, NetworkName: networkName } = request;
  const wantsMore = request.RequiresMultiNICAttachment;
  if (containerId === "" || ifName === "" || networkName === "" || (wantsMore && !ctx.settings.multiNic)) {
    ctx.log("error", "AddNetwork refused", { request });
    return settledAdd(refusedReply(ctx));
  }
  const refuse = (thrown: unknown): void => {
    const pod = `${request.K8S_POD_NAMESPACE}/${request.K8S_POD_NAME}`;
    ctx.log("error", "no address for pod", { pod, containerId, error: messageOf(thrown) });
    ctx.events()?.noAddresses(`${pod}: ${messageOf(thrown)}`);
  };
  try {
    const interfaces = wantsMore ? ctx.cardCount() : 1;
    const { assignments, kept } = await desk.assign(
      { networkName, containerId, ifName },
      { namespace: request.K8S_POD_NAMESPACE, name: request.K8S_POD_NAME, interfaces },
      { everyCard: wantsMore },
    );
    if (ctx.env.annotatePodIp) {
      await kept;
      await annotate(ctx, request, assignments);
    } else kept.catch(refuse);
    const reply = { ...refusedReply(ctx), Success: true, IPAllocationMetadata: assignments.map(allocation) };
    const isHeld = (): boolean => desk.holds(assignments);
    return { reply, kept, isHeld };
  } catch (thrown) {
    refuse(thrown);
    return settledAdd(refusedReply(ctx));
  }
}

async function annotate(
  ctx: Context,
  request: AddNetworkRequest,
  given: readonly Assignment[],
): Promise<void> {
  const kube = ctx.kube();
  const [first] = given;
  if (kube === undefined || first === undefined) return;
  const pod = { namespace: request.K8S_POD_NAMESPACE, name: request.K8S_POD_NAME };
  await annotatePod(kube, pod, first.address, ctx.clock);
}

export function allocation(assignment: Assignment): IpAllocationMetadata {
  return {
    IPv4Addr: assignment.family === 4 ? assignment.address : "",
    IPv6Addr: assignment.family === 6 ? assignment.address : "",
    DeviceNumber: assignment.deviceNumber,
    RouteTableId: assignment.routeTable,
  };
}

/** What every reply says of the node, and no success. */
export function refusedReply(ctx: Context): AddNetworkReply {
  const ipv6 = ctx.settings.mode === "ipv6";
  const excluded = ctx.env.externalSnat ? [] : ctx.env.excludeSnatCidrs.map(formatCidr);
  return {
    Success: false,
    IPAllocationMetadata: [],
    UseExternalSNAT: ctx.env.externalSnat,
    VPCv4CIDRs: ipv6 ? [] : [...ctx.known.vpcCidrs, ...excluded],
    PodVlanId: 0,
    PodENIMAC: "",
    PodENISubnetGW: "",
    ParentIfIndex: 0,
    VPCv6CIDRs: ipv6 ? ctx.known.vpcCidrs : [],
    NetworkPolicyMode: ctx.env.networkPolicyMode ?? "",
  };
}
