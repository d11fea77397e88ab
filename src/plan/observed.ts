import { cidrContains, parseCidr4 } from "../addr/cidr.ts";
import { badField } from "./field.ts";
import { usableAddresses } from "./free-blocks.ts";
import type { GivenSubnet, NodeGroupInput, SubnetKind } from "./vpc-input.ts";

/** A subnet as `aws ec2 describe-subnets` shows it. */
export interface ObservedSubnet {
  readonly subnetId: string;
  readonly vpcId: string;
  /** The Name tag, or the id. */
  readonly name: string;
  readonly zone: string;
  readonly cidr: string;
  /** AvailableIpAddressCount. */
  readonly free: number;
  readonly tags: Readonly<Record<string, string>>;
}

/** An interface as `aws ec2 describe-network-interfaces` shows it. */
export interface ObservedEni {
  readonly eniId: string;
  readonly subnetId: string;
  /** Absent on interfaces that services hold: load balancers, NAT gateways, the control plane. */
  readonly instanceId?: string;
  /** Device 0 of its instance. */
  readonly primary: boolean;
  readonly description: string;
  readonly addresses: readonly string[];
  /** /28 blocks. */
  readonly prefixes: readonly string[];
}

/** A reservation as `aws ec2 get-subnet-cidr-reservations` shows it. */
export interface ObservedReservation {
  readonly subnetId: string;
  readonly cidr: string;
  readonly kind: "prefix" | "explicit";
}

/** A Node as `kubectl get nodes -o json` shows it. */
export interface ObservedNode {
  readonly name: string;
  readonly instanceId?: string;
  readonly instanceType: string;
  readonly zone: string;
  readonly maxPods?: number;
}

/** A Pod as `kubectl get pods -A -o json` shows it. */
export interface ObservedPod {
  readonly namespace: string;
  readonly name: string;
  readonly node?: string;
  /** Has an address of its own: not on the host network, and not ended. */
  readonly hasAddress: boolean;
}

/** Everything that was read of a cluster; each part may be missing. */
export interface Observed {
  /** The VPC's blocks, the primary first. */
  readonly vpcCidrs?: readonly string[];
  readonly subnets: readonly ObservedSubnet[];
  readonly enis?: readonly ObservedEni[];
  readonly reservations?: readonly ObservedReservation[];
  readonly nodes?: readonly ObservedNode[];
  readonly pods?: readonly ObservedPod[];
  /** Environment of aws-node. */
  readonly awsNodeEnv?: Readonly<Record<string, string>>;
}

type Fields = Readonly<Record<string, unknown>>;

/** Reads the answer of `describe-subnets`, or its bare list; throws `invalid_argument` naming the field. */
export function readSubnets(json: unknown, source = "subnets"): ObservedSubnet[] {
  return listIn(json, "Subnets", source).map((item, index) => {
    const at = `${source}[${index}]`;
    const subnetId = textOf(item, "SubnetId", at);
    const cidr = textOf(item, "CidrBlock", at);
    const tags = tagsOf(item);
    return {
      subnetId,
      vpcId: textOf(item, "VpcId", at, ""),
      name: tags.Name ?? subnetId,
      zone: textOf(item, "AvailabilityZone", at),
      cidr,
      free: numberOf(item, "AvailableIpAddressCount", at),
      tags,
    };
  });
}

/** Reads the blocks of a VPC from the answer of `describe-vpcs`, the primary first; undefined: it is not there. */
export function readVpcCidrs(json: unknown, vpcId: string, source = "vpcs"): string[] | undefined {
  const vpc = listIn(json, "Vpcs", source).find((item) => item.VpcId === vpcId);
  if (vpc === undefined) return undefined;
  const primary = textOf(vpc, "CidrBlock", source);
  const all = subList(vpc.CidrBlockAssociationSet).map((each) => textOf(each, "CidrBlock", source));
  return [primary, ...all.filter((cidr) => cidr !== primary)];
}

/** Reads the answer of `describe-network-interfaces`, or its bare list. */
export function readNetworkInterfaces(json: unknown, source = "enis"): ObservedEni[] {
  return listIn(json, "NetworkInterfaces", source).map((item, index) => {
    const at = `${source}[${index}]`;
    const attachment = fieldsOf(item.Attachment);
    const instanceId = attachment.InstanceId;
    return {
      eniId: textOf(item, "NetworkInterfaceId", at),
      subnetId: textOf(item, "SubnetId", at),
      ...(typeof instanceId === "string" ? { instanceId } : {}),
      primary: typeof instanceId === "string" && attachment.DeviceIndex === 0,
      description: textOf(item, "Description", at, ""),
      addresses: subList(item.PrivateIpAddresses).map((each, n) =>
        textOf(each, "PrivateIpAddress", `${at}.PrivateIpAddresses[${n}]`),
      ),
      prefixes: subList(item.Ipv4Prefixes).map((each, n) =>
        textOf(each, "Ipv4Prefix", `${at}.Ipv4Prefixes[${n}]`),
      ),
    };
  });
}

/** Reads the answer of `get-subnet-cidr-reservations`, or its bare list. */
export function readReservations(json: unknown, source = "reservations"): ObservedReservation[] {
  return listIn(json, "SubnetIpv4CidrReservations", source).map((item, index) => {
    const at = `${source}[${index}]`;
    const kind = textOf(item, "ReservationType", at);
    if (kind !== "prefix" && kind !== "explicit") {
      throw badField(`${at}.ReservationType`, JSON.stringify(kind), "prefix or explicit");
    }
    return { subnetId: textOf(item, "SubnetId", at), cidr: textOf(item, "Cidr", at), kind };
  });
}

/** Reads a list of Nodes. */
export function readNodes(json: unknown, source = "nodes"): ObservedNode[] {
  return listIn(json, "items", source).map((item, index) => {
    const at = `${source}[${index}]`;
    const metadata = fieldsOf(item.metadata);
    const labels = fieldsOf(metadata.labels);
    const label = (...names: string[]): string => {
      const found = names.map((name) => labels[name]).find((value) => typeof value === "string");
      if (typeof found === "string") return found;
      throw badField(`${at}.metadata.labels`, "no such label", `the label ${names[0]}`);
    };
    const instanceId = /i-[0-9a-f]+$/.exec(textOf(fieldsOf(item.spec), "providerID", at, ""))?.[0];
    const pods = Number(fieldsOf(fieldsOf(item.status).capacity).pods);
    return {
      name: textOf(metadata, "name", `${at}.metadata`),
      ...(instanceId === undefined ? {} : { instanceId }),
      instanceType: label("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"),
      zone: label("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"),
      ...(Number.isSafeInteger(pods) && pods > 0 ? { maxPods: pods } : {}),
    };
  });
}

/** Reads a list of Pods. */
export function readPods(json: unknown, source = "pods"): ObservedPod[] {
  return listIn(json, "items", source).map((item, index) => {
    const metadata = fieldsOf(item.metadata);
    const spec = fieldsOf(item.spec);
    const phase = fieldsOf(item.status).phase;
    return {
      namespace: textOf(metadata, "namespace", `${source}[${index}].metadata`, "default"),
      name: textOf(metadata, "name", `${source}[${index}].metadata`),
      ...(typeof spec.nodeName === "string" ? { node: spec.nodeName } : {}),
      hasAddress: spec.hostNetwork !== true && phase !== "Succeeded" && phase !== "Failed",
    };
  });
}

/** Reads the environment of aws-node out of a list of DaemonSets, or out of the one. */
export function readAwsNodeEnv(json: unknown, source = "daemonsets"): Record<string, string> {
  const one = fieldsOf(json).kind === "DaemonSet";
  const sets = one ? [fieldsOf(json)] : listIn(json, "items", source);
  const awsNode = sets.find(({ metadata }) => fieldsOf(metadata).name === "aws-node");
  if (awsNode === undefined) throw badField(source, "no DaemonSet aws-node", "one of that name");
  const { containers } = fieldsOf(fieldsOf(fieldsOf(awsNode.spec).template).spec);
  const main = subList(containers).find(({ name }) => name === "aws-node");
  return Object.fromEntries(
    subList(main?.env).flatMap(({ name, value }) =>
      typeof name === "string" && typeof value === "string" ? [[name, value]] : [],
    ),
  );
}

/** What is in use in a subnet, as far as the interfaces tell: addresses and /28 blocks. */
export function usedIn(observed: Observed, subnet: ObservedSubnet): string[] | undefined {
  if (observed.enis === undefined) return undefined;
  const own = observed.enis.filter(({ subnetId }) => subnetId === subnet.subnetId);
  const prefixes = own.flatMap((eni) => eni.prefixes);
  return [...own.flatMap((eni) => eni.addresses), ...prefixes];
}

/** The reservations of a subnet, as far as they were read. */
export function reservationsIn(observed: Observed, subnet: ObservedSubnet): readonly ObservedReservation[] {
  return (observed.reservations ?? []).filter(({ subnetId }) => subnetId === subnet.subnetId);
}

/** One group for each instance type, with the most pods that a node of it has; undefined without Nodes. */
export function observedGroups(observed: Observed): NodeGroupInput[] | undefined {
  const { nodes, pods = [] } = observed;
  if (nodes === undefined || nodes.length === 0) return undefined;
  const types = [...new Set(nodes.map(({ instanceType }) => instanceType))].sort();
  return types.map((instanceType) => {
    const own = nodes.filter((node) => node.instanceType === instanceType);
    const counts = own.map(({ name }) => pods.filter((pod) => pod.hasAddress && pod.node === name).length);
    const maxPods = own.map((node) => node.maxPods).find((each) => each !== undefined);
    return {
      name: instanceType.replaceAll(".", "-"),
      instanceType,
      nodes: own.length,
      podsPerNode: Math.max(0, ...counts),
      ...(maxPods === undefined ? {} : { maxPods }),
    };
  });
}

/**
 * Observed subnets as a plan takes them: their kind by role tags and by what is in them, and what others than
 * nodes and the control plane take. A kind that nothing tells is "private".
 */
export function givenSubnets(observed: Observed): GivenSubnet[] {
  return observed.subnets.map((subnet) => {
    const kind = kindOf(observed, subnet);
    return {
      name: subnet.name,
      zone: subnet.zone,
      cidr: subnet.cidr,
      kind,
      usedByOthers: usedByOthers(observed, subnet),
      reservations: reservationsIn(observed, subnet)
        .filter((each) => each.kind === "prefix")
        .map((each) => each.cidr),
    };
  });
}

/** The names that a plan gives its subnets start with their kind. */
const kindsByName: readonly SubnetKind[] = ["cluster", "public", "private", "pods"];

/** Ranges that VPCs take for pods alone: shared address space, and the one for benchmarks. */
const podRanges = ["100.64.0.0/10", "198.19.0.0/16"].map(parseCidr4);

function kindOf(observed: Observed, subnet: ObservedSubnet): SubnetKind {
  if (subnet.tags["kubernetes.io/role/elb"] !== undefined) return "public";
  if (subnet.tags["kubernetes.io/role/internal-elb"] !== undefined) return "private";
  if (!["", "0"].includes(subnet.tags["kubernetes.io/role/cni"] ?? "")) return "pods";
  const own = (observed.enis ?? []).filter(({ subnetId }) => subnetId === subnet.subnetId);
  const ofInstances = own.filter(({ instanceId }) => instanceId !== undefined);
  if (ofInstances.some(({ primary }) => primary)) return "private";
  if (ofInstances.length > 0) return "pods";
  if (own.some(isControlPlane)) return "cluster";
  if (own.some(({ description }) => /NAT Gateway/i.test(description))) return "public";
  const named = kindsByName.find((kind) => subnet.name.startsWith(kind));
  if (named !== undefined) return named;
  const cidr = parseCidr4(subnet.cidr);
  if (podRanges.some((range) => cidrContains(range, cidr))) return "pods";
  return cidr.bits === 28 ? "cluster" : "private";
}

function usedByOthers(observed: Observed, subnet: ObservedSubnet): number {
  if (observed.enis === undefined) {
    // Without interfaces nobody can tell whose addresses these are; with Nodes, theirs are planned for.
    const used = usableAddresses(parseCidr4(subnet.cidr).bits) - subnet.free;
    return observed.nodes === undefined ? used : 0;
  }
  return observed.enis
    .filter((eni) => eni.subnetId === subnet.subnetId && eni.instanceId === undefined && !isControlPlane(eni))
    .reduce((sum, eni) => sum + eni.addresses.length + eni.prefixes.length * 16, 0);
}

function isControlPlane({ description }: ObservedEni): boolean {
  return description.startsWith("Amazon EKS ");
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function subList(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}

function listIn(json: unknown, key: string, source: string): Fields[] {
  const list: unknown = Array.isArray(json) ? json : fieldsOf(json)[key];
  if (Array.isArray(list)) return list.map(fieldsOf);
  const keys = Object.keys(fieldsOf(json)).slice(0, 5).join(", ") || typeof json;
  throw badField(source, `JSON with ${keys}`, `JSON with the list ${key}`);
}

function textOf(item: Fields, key: string, at: string, otherwise?: string): string {
  const value = item[key];
  if (typeof value === "string") return value;
  if (otherwise !== undefined && value === undefined) return otherwise;
  throw badField(`${at}.${key}`, JSON.stringify(value) ?? "nothing", "text");
}

function numberOf(item: Fields, key: string, at: string): number {
  const value = item[key];
  if (typeof value === "number" && value >= 0) return value;
  throw badField(`${at}.${key}`, JSON.stringify(value) ?? "nothing", "a number of 0 or more");
}

function tagsOf(item: Fields): Record<string, string> {
  return Object.fromEntries(
    subList(item.Tags).flatMap(({ Key, Value }) =>
      typeof Key === "string" ? [[Key, String(Value ?? "")]] : [],
    ),
  );
}
