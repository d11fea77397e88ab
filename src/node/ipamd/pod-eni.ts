import { cidr4, tryParseCidr } from "../../addr/cidr.ts";
import { formatIpv4, ipv4 } from "../../addr/ipv4.ts";
import { hasCode, messageOf } from "../../base/error.ts";
import { type Pod, pods } from "../../kube/resources.ts";
import type {
  AddNetworkReply,
  AddNetworkRequest,
  DelNetworkReply,
  DelNetworkRequest,
} from "../rpc/messages.ts";
import { refusedReply } from "./add-network.ts";
import type { Context } from "./context.ts";
import { RpcError } from "./rpc-error.ts";

/** What the VPC resource controller writes on a pod that has a branch ENI of its own. */
export const podEniAnnotation = "vpc.amazonaws.com/pod-eni";
const podEniResource = "vpc.amazonaws.com/pod-eni";
const ipv6Gateway = "fe80:ec2::1";

/** One branch ENI of the annotation; empty texts where it is silent. */
export interface BranchEni {
  readonly macAddress: string;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly vlanId: number;
  readonly subnetCidr: string;
  readonly subnetV6Cidr: string;
}

/** Reads the first entry. Go matches keys whatever their case, so `vlanId` and `vlanID` both count. */
export function readPodEni(text: string): BranchEni {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (thrown) {
    throw new RpcError("Unknown", `failed to unmarshal PodENIData JSON: ${messageOf(thrown)}`);
  }
  const first: unknown = Array.isArray(list) ? list[0] : undefined;
  if (typeof first !== "object" || first === null)
    throw new RpcError("Unknown", "parsed PodENIData is empty");
  const fields = new Map(Object.entries(first).map(([key, value]) => [key.toLowerCase(), value as unknown]));
  const textOf = (key: string): string => {
    const value = fields.get(key);
    return typeof value === "string" ? value : "";
  };
  const vlanId = fields.get("vlanid");
  return {
    macAddress: textOf("ifaddress"),
    ipv4: textOf("privateip"),
    ipv6: textOf("ipv6addr"),
    vlanId: typeof vlanId === "number" ? vlanId : 0,
    subnetCidr: textOf("subnetcidr"),
    subnetV6Cidr: textOf("subnetv6cidr"),
  };
}

/** The reply for a pod with a branch ENI; undefined for an ordinary one. Anything that is amiss is no success. */
export async function branchReply(
  ctx: Context,
  request: AddNetworkRequest,
): Promise<AddNetworkReply | undefined> {
  const refused = refusedReply(ctx);
  const refuse = (why: string): AddNetworkReply => {
    ctx.log("error", "no branch ENI for pod", {
      pod: `${request.K8S_POD_NAMESPACE}/${request.K8S_POD_NAME}`,
      why,
    });
    return refused;
  };
  let pod: Pod;
  try {
    const kube = ctx.kube();
    if (kube === undefined) return refuse("the API server is not reachable");
    pod = await kube.get(pods, request.K8S_POD_NAME, request.K8S_POD_NAMESPACE);
  } catch (thrown) {
    return refuse(messageOf(thrown));
  }
  if (!wantsBranch(pod)) return undefined;
  const trunk = ctx.trunkMac();
  if (trunk === undefined) return refuse("the node has no trunk ENI");
  const parentIndex = ctx.host.linkIndex(trunk);
  if (parentIndex === undefined) return refuse(`no link with the trunk's MAC address ${trunk}`);
  let branch: BranchEni;
  try {
    branch = readPodEni(pod.metadata.annotations?.[podEniAnnotation] ?? "");
  } catch (thrown) {
    return refuse(messageOf(thrown));
  }
  const ipv6 = ctx.settings.mode === "ipv6";
  const gateway = ipv6 ? ipv6Gateway : gatewayOf(branch.subnetCidr);
  const address = ipv6 ? branch.ipv6 : branch.ipv4;
  const subnet = tryParseCidr(ipv6 ? branch.subnetV6Cidr : branch.subnetCidr);
  if (address === "" || branch.macAddress === "" || branch.vlanId === 0)
    return refuse("the annotation lacks the address, MAC address or VLAN id");
  if (gateway === undefined || subnet === undefined) return refuse("the annotation's subnet is not a block");
  return {
    ...refused,
    Success: true,
    IPAllocationMetadata: [
      { IPv4Addr: ipv6 ? "" : address, IPv6Addr: ipv6 ? address : "", DeviceNumber: -1, RouteTableId: 0 },
    ],
    PodVlanId: branch.vlanId,
    PodENIMAC: branch.macAddress,
    PodENISubnetGW: gateway,
    ParentIfIndex: parentIndex,
  };
}

/** The release of a pod that the pools do not know: the branch that its annotation names, if it has one. */
export async function branchRelease(
  ctx: Context,
  request: DelNetworkRequest,
): Promise<Omit<DelNetworkReply, "NetworkPolicyMode"> | undefined> {
  const kube = ctx.kube();
  if (kube === undefined) return undefined;
  let pod: Pod;
  try {
    pod = await kube.get(pods, request.K8S_POD_NAME, request.K8S_POD_NAMESPACE);
  } catch (thrown) {
    // The pod is gone with its branch; there is nothing left to undo here.
    if (hasCode(thrown, "not_found")) return { Success: true, IPAllocationMetadata: [], PodVlanId: 0 };
    throw new RpcError("Unknown", messageOf(thrown));
  }
  if (request.K8S_POD_UID !== "" && request.K8S_POD_UID !== pod.metadata.uid) {
    throw new RpcError(
      "Unknown",
      `pod UID mismatch: got ${pod.metadata.uid ?? ""} expected ${request.K8S_POD_UID}`,
    );
  }
  const annotation = pod.metadata.annotations?.[podEniAnnotation];
  if (annotation === undefined) return undefined;
  const branch = readPodEni(annotation);
  return {
    Success: true,
    IPAllocationMetadata: [{ IPv4Addr: branch.ipv4, IPv6Addr: "", DeviceNumber: 0, RouteTableId: 0 }],
    PodVlanId: branch.vlanId,
  };
}

/** The controller puts the resource into the first container's limits. */
function wantsBranch(pod: Pod): boolean {
  const limits = pod.spec?.containers[0]?.resources?.limits ?? {};
  return Object.keys(limits).some((name) => name.startsWith(podEniResource));
}

/** The first address after the subnet's base. */
function gatewayOf(cidr: string): string | undefined {
  const block = tryParseCidr(cidr);
  if (block?.family !== 4) return undefined;
  return formatIpv4(ipv4(cidr4(block.base, block.bits).base + 1));
}
