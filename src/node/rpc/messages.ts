/**
 * The messages of `rpc.proto` as TypeScript sees them: field names as in the proto file, every field present
 * (proto3 defaults filled in). {@link loadRpc} makes @grpc/grpc-js use exactly these objects.
 */

export interface AddNetworkRequest {
  readonly K8S_POD_NAME: string;
  readonly K8S_POD_NAMESPACE: string;
  readonly K8S_POD_INFRA_CONTAINER_ID: string;
  readonly Netns: string;
  readonly IfName: string;
  readonly NetworkName: string;
  readonly ContainerID: string;
  readonly ClientVersion: string;
  readonly RequiresMultiNICAttachment: boolean;
}

export interface IpAllocationMetadata {
  /** Without a prefix length; "" when the pod has none of this family. */
  readonly IPv4Addr: string;
  readonly IPv6Addr: string;
  /** Device index of the ENI; −1 for a branch ENI. */
  readonly DeviceNumber: number;
  /** Routing table of the ENI; 0 and 1 stand for main. */
  readonly RouteTableId: number;
}

export interface AddNetworkReply {
  readonly Success: boolean;
  readonly IPAllocationMetadata: readonly IpAllocationMetadata[];
  readonly UseExternalSNAT: boolean;
  readonly VPCv4CIDRs: readonly string[];
  /** 0 for an ordinary pod. */
  readonly PodVlanId: number;
  readonly PodENIMAC: string;
  readonly PodENISubnetGW: string;
  readonly ParentIfIndex: number;
  readonly VPCv6CIDRs: readonly string[];
  /** "" when no policy agent is to be called. */
  readonly NetworkPolicyMode: string;
}

export interface DelNetworkRequest {
  readonly K8S_POD_NAME: string;
  readonly K8S_POD_NAMESPACE: string;
  readonly K8S_POD_INFRA_CONTAINER_ID: string;
  readonly Reason: string;
  readonly IfName: string;
  readonly NetworkName: string;
  readonly ContainerID: string;
  readonly ClientVersion: string;
  readonly K8S_POD_UID: string;
}

export interface DelNetworkReply {
  readonly Success: boolean;
  readonly IPAllocationMetadata: readonly IpAllocationMetadata[];
  readonly PodVlanId: number;
  readonly NetworkPolicyMode: string;
}

export interface EnforceNpRequest {
  readonly K8S_POD_NAME: string;
  readonly K8S_POD_NAMESPACE: string;
  readonly NETWORK_POLICY_MODE: string;
  readonly InterfaceCount: number;
}

export interface DeleteNpRequest {
  readonly K8S_POD_NAME: string;
  readonly K8S_POD_NAMESPACE: string;
}

export interface SuccessReply {
  readonly Success: boolean;
}

export interface NetworkPolicyAgentConfigReply {
  readonly NetworkPolicyMode: string;
  readonly MultiNICEnabled: boolean;
  readonly NodeIPv4: string;
  readonly NodeIPv6: string;
  readonly InstanceID: string;
  readonly Region: string;
}

/** Where the services listen by default. */
export const ipamdSocket = "/var/run/aws-node/ipamd.sock";
export const policyAgentSocket = "/var/run/aws-node/npa.sock";
