import {
  type Cidr4,
  cidrContains,
  cidrsOverlap,
  formatCidr,
  parseCidr4,
  tryParseCidr,
} from "../../addr/cidr.ts";
import { spaceOf } from "./address-taking.ts";
import { putServiceAttachment } from "./attachment.ts";
import { createEksAddon, type EksAddonRequest } from "./eks-addon.ts";
import { Ec2Fault } from "./fault.ts";
import { createEni, removeEni } from "./network-interface.ts";
import { authorize, createGroup, deleteGroup } from "./security-group.ts";
import type { CloudState, Context } from "./state.ts";
import type { Subnet } from "./subnet.ts";
import { newTags, type Tags } from "./tags.ts";

export type ClusterStatus = "CREATING" | "ACTIVE" | "DELETING" | "FAILED" | "UPDATING";

export interface EksCluster {
  readonly name: string;
  readonly arn: string;
  readonly createdAt: number;
  readonly version: string;
  readonly platformVersion: string;
  readonly roleArn: string;
  readonly vpcId: string;
  readonly subnetIds: readonly string[];
  /** Groups that the user added. */
  readonly securityGroupIds: readonly string[];
  /** The group that EKS made for the control plane and the nodes. */
  readonly clusterSecurityGroupId: string;
  /** The cross-account interfaces, in different zones. */
  readonly eniIds: string[];
  readonly ipFamily: "ipv4" | "ipv6";
  readonly serviceIpv4Cidr: string | undefined;
  readonly serviceIpv6Cidr: string | undefined;
  readonly endpointPublicAccess: boolean;
  readonly endpointPrivateAccess: boolean;
  readonly oidcIssuer: string;
  status: ClusterStatus;
  endpoint: string;
  /** PEM of the certificate authority. */
  certificateAuthority: string;
  readonly tags: Tags;
}

export interface CreateClusterRequest {
  readonly name: string;
  /** "1.34". */
  readonly version: string;
  readonly subnetIds: readonly string[];
  readonly securityGroupIds?: readonly string[];
  readonly ipFamily: "ipv4" | "ipv6";
  /** IPv4 range of services; chosen as EKS does when absent. */
  readonly serviceCidr?: string;
  readonly endpointPublicAccess?: boolean;
  readonly endpointPrivateAccess?: boolean;
  /** vpc-cni of the version in {@link defaultAddons} when absent. */
  readonly addons?: readonly EksAddonRequest[];
  readonly tags?: Readonly<Record<string, string>>;
}

export const defaultAddons: readonly EksAddonRequest[] = [{ name: "vpc-cni", version: "v1.23.1-eksbuild.1" }];

/** The machine in which the cross-account interfaces end: the control plane's. */
export const controlPlanePlace = "control-plane";

/** EKS asks for so many free addresses in each subnet of a cluster (EKS user guide, network requirements). */
const freeAddressesWanted = 6;

const serviceRanges = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].map(parseCidr4);

/** Zones in which EKS puts no control plane (EKS user guide, network requirements). */
const excludedZoneIds = new Set(["use1-az3", "usw1-az2", "cac1-az3"]);

/** Creates a cluster, its security group and its cross-account interfaces; its status is "CREATING". */
export function createCluster(ctx: Context, request: CreateClusterRequest): EksCluster {
  const { state, account, random } = ctx;
  const { name } = request;
  if (!/^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/.test(name)) {
    throw invalidParameter(
      `The cluster name '${name}' is not valid. Names start with an alphanumeric character and hold alphanumeric characters, dashes and underscores`,
    );
  }
  if (state.clusters.has(name)) {
    throw new Ec2Fault("ResourceInUseException", `Cluster already exists with name: ${name}`, 409);
  }
  if (request.endpointPublicAccess === false && request.endpointPrivateAccess === false) {
    throw invalidParameter("Private and public endpoint access cannot be false");
  }
  const subnets = clusterSubnets(state, request.subnetIds);
  const vpcId = subnets[0]?.vpcId ?? "";
  const services = serviceCidrs(ctx, request, vpcId);
  const tags = newTags(Object.entries(request.tags ?? {}));
  const group = createGroup(ctx, {
    vpcId,
    groupName: `eks-cluster-sg-${name}-${1_000_000_000 + random.int(1_000_000_000)}`,
    description:
      "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as any managed workloads.",
    tags: [
      ["aws:eks:cluster-name", name],
      [`kubernetes.io/cluster/${name}`, "owned"],
      ["Name", `eks-cluster-sg-${name}`],
    ],
  });
  const all = { protocol: "-1", fromPort: -1, toPort: -1 };
  authorize(ctx, group.groupId, false, [{ ...all, peer: { kind: "group", groupId: group.groupId } }]);
  const eniIds = createCrossAccountEnis(ctx, name, subnets, [
    group.groupId,
    ...(request.securityGroupIds ?? []),
  ]);
  const id = random.hex(32).toUpperCase();
  const cluster: EksCluster = {
    name,
    arn: `arn:aws:eks:${account.region}:${account.accountId}:cluster/${name}`,
    createdAt: ctx.now,
    version: request.version,
    platformVersion: "eks.1",
    roleArn: `arn:aws:iam::${account.accountId}:role/${name}-cluster`,
    vpcId,
    subnetIds: [...request.subnetIds],
    securityGroupIds: [...(request.securityGroupIds ?? [])],
    clusterSecurityGroupId: group.groupId,
    eniIds,
    ipFamily: request.ipFamily,
    ...services,
    endpointPublicAccess: request.endpointPublicAccess ?? true,
    endpointPrivateAccess: request.endpointPrivateAccess ?? false,
    oidcIssuer: `https://oidc.eks.${account.region}.amazonaws.com/id/${id}`,
    status: "CREATING",
    endpoint: "",
    certificateAuthority: "",
    tags,
  };
  state.put("cluster", name, cluster);
  for (const addon of request.addons ?? defaultAddons) createEksAddon(ctx, name, addon);
  return cluster;
}

function clusterSubnets(state: CloudState, subnetIds: readonly string[]): Subnet[] {
  const subnets = subnetIds.map((subnetId) => {
    const subnet = state.subnets.get(subnetId);
    if (subnet === undefined) throw invalidParameter(`The subnet ID '${subnetId}' does not exist`);
    if (excludedZoneIds.has(subnet.zoneId)) {
      throw new Ec2Fault(
        "UnsupportedAvailabilityZoneException",
        `Cannot create cluster because ${subnet.zone} does not currently have sufficient capacity to support the cluster`,
      );
    }
    return subnet;
  });
  if (new Set(subnets.map((subnet) => subnet.vpcId)).size > 1) {
    throw invalidParameter("Subnets provided must all be in the same VPC");
  }
  if (new Set(subnets.map((subnet) => subnet.zone)).size < 2) {
    throw invalidParameter("Subnets specified must be in at least two different AZs");
  }
  for (const { subnetId } of subnets) {
    const free = spaceOf(state, subnetId).freeCount;
    if (free < freeAddressesWanted) {
      throw invalidParameter(
        `Subnet ${subnetId} has ${free} free IP addresses, and EKS needs at least ${freeAddressesWanted}`,
      );
    }
  }
  return subnets;
}

/** One interface in each of two zones, as EKS starts with. */
function createCrossAccountEnis(
  ctx: Context,
  name: string,
  subnets: readonly Subnet[],
  groups: readonly string[],
): string[] {
  const { state, account, random } = ctx;
  const zones = [...new Set(subnets.map((subnet) => subnet.zone))].slice(0, 2);
  return zones.map((zone) => {
    const inZone = subnets.filter((subnet) => subnet.zone === zone);
    const subnet = ctx.settings.addressChoice === "lowest" ? inZone[0] : random.pick(inZone);
    const eni = createEni(ctx, {
      subnetId: subnet?.subnetId ?? "",
      description: `Amazon EKS ${name}`,
      groups,
      requesterId: account.serviceAccountId,
      requesterManaged: true,
    });
    putServiceAttachment(ctx, eni, {
      instanceOwnerId: account.serviceAccountId,
      place: controlPlanePlace,
      deviceName: freeControlPlaneDevice(state),
    });
    return eni.eniId;
  });
}

function freeControlPlaneDevice(state: CloudState): string {
  const used = new Set<string>();
  for (const { attachment } of state.enis.values()) {
    if (attachment?.place === controlPlanePlace) used.add(attachment.deviceName);
  }
  for (let n = 0; ; n++) if (!used.has(`eth${n}`)) return `eth${n}`;
}

function serviceCidrs(
  ctx: Context,
  request: CreateClusterRequest,
  vpcId: string,
): Pick<EksCluster, "serviceIpv4Cidr" | "serviceIpv6Cidr"> {
  if (request.ipFamily === "ipv6") {
    // EKS chooses the range of services of an IPv6 cluster, a ULA.
    return {
      serviceIpv4Cidr: undefined,
      serviceIpv6Cidr: `fd${ctx.random.hex(2)}:${ctx.random.hex(4)}:${ctx.random.hex(4)}::/108`,
    };
  }
  const blocks = ctx.state.vpcs.get(vpcId)?.cidrs.map((one) => one.cidr) ?? [];
  const clashes = (cidr: Cidr4): boolean => blocks.some((other) => cidrsOverlap(other, cidr));
  if (request.serviceCidr === undefined) {
    const usual = parseCidr4("10.100.0.0/16");
    return {
      serviceIpv4Cidr: formatCidr(clashes(usual) ? parseCidr4("172.20.0.0/16") : usual),
      serviceIpv6Cidr: undefined,
    };
  }
  const cidr = tryParseCidr(request.serviceCidr);
  const fits =
    cidr?.family === 4 &&
    cidr.bits >= 12 &&
    cidr.bits <= 24 &&
    serviceRanges.some((range) => cidrContains(range, cidr));
  if (!fits) {
    throw invalidParameter(
      `The specified service CIDR ${request.serviceCidr} is invalid: it must be a /24 to /12 within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16`,
    );
  }
  if (clashes(cidr)) {
    throw invalidParameter(
      `The specified service CIDR ${request.serviceCidr} overlaps with a CIDR of the VPC`,
    );
  }
  return { serviceIpv4Cidr: formatCidr(cidr), serviceIpv6Cidr: undefined };
}

/** What becomes known after the control plane has started. */
export interface ClusterChange {
  readonly endpoint?: string;
  /** PEM of the certificate authority. */
  readonly certificateAuthority?: string;
  readonly status?: ClusterStatus;
}

export function updateCluster(ctx: Context, name: string, change: ClusterChange): EksCluster {
  const cluster = findCluster(ctx.state, name);
  Object.assign(cluster, change);
  ctx.state.touch("cluster", name);
  return cluster;
}

/** Deletes a cluster with its interfaces, add-ons and, when nothing uses it, its security group. */
export function deleteCluster(ctx: Context, name: string): void {
  const { state } = ctx;
  const cluster = findCluster(state, name);
  if (state.nodegroups.values().some((one) => one.clusterName === name)) {
    throw new Ec2Fault("ResourceInUseException", "Cluster has nodegroups attached", 409);
  }
  for (const eniId of cluster.eniIds) {
    const eni = state.enis.get(eniId);
    if (eni !== undefined) removeEni(ctx, eni);
  }
  for (const [key, addon] of [...state.addons]) if (addon.clusterName === name) state.drop("addon", key);
  state.drop("cluster", name);
  const { clusterSecurityGroupId: groupId } = cluster;
  if (!state.enis.values().some((eni) => eni.groups.includes(groupId))) deleteGroup(ctx, groupId);
}

export function findCluster(state: CloudState, name: string): EksCluster {
  const cluster = state.clusters.get(name);
  if (cluster === undefined) {
    throw new Ec2Fault("ResourceNotFoundException", `No cluster found for name: ${name}.`, 404);
  }
  return cluster;
}

/** EKS's InvalidParameterException. */
export function invalidParameter(message: string): Ec2Fault {
  return new Ec2Fault("InvalidParameterException", message);
}
