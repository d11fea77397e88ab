import { formatCidr } from "../addr/cidr.ts";
import type { SubnetKind, VpcQuestion } from "./vpc-input.ts";
import type { LaidSubnet } from "./vpc-layout.ts";
import { isCustom, isDiscovery, leavesPrimaryEmpty, type PlanMode } from "./warm-settings.ts";

/** The object that tells aws-node where the pods of a zone live. */
export interface EniConfigObject {
  readonly apiVersion: "crd.k8s.amazonaws.com/v1alpha1";
  readonly kind: "ENIConfig";
  readonly metadata: { readonly name: string };
  readonly spec: { readonly subnet: string; readonly securityGroups?: readonly string[] };
}

const roleTags: Readonly<Partial<Record<SubnetKind, string>>> = {
  public: "kubernetes.io/role/elb",
  private: "kubernetes.io/role/internal-elb",
};

/** The tags that EKS, the load balancer controller and people look for. */
export function tagsOf(question: VpcQuestion, subnet: LaidSubnet): Record<string, string> {
  const { kind } = subnet.place;
  const role = roleTags[kind];
  const cni = cniRole(question.mode, kind);
  return {
    Name: `${question.clusterName}-${subnet.name}`,
    ...(role === undefined ? {} : { [role]: "1" }),
    ...(cni === undefined ? {} : { "kubernetes.io/role/cni": cni }),
    [`kubernetes.io/cluster/${question.clusterName}`]: "shared",
  };
}

/** By this tag aws-node finds subnets for pods; "0" keeps pods off a subnet. */
function cniRole(mode: PlanMode, kind: SubnetKind): "0" | "1" | undefined {
  if (!isDiscovery(mode)) return undefined;
  if (kind === "pods") return "1";
  return kind === "private" && leavesPrimaryEmpty(mode) ? "0" : undefined;
}

/**
 * One ENIConfig a zone, named after it, so that the zone label of the nodes finds it. Subnet ids are not known
 * before the subnets are made; without `subnetIds` their place is held by the subnet's name in angle brackets.
 */
export function eniConfigs(question: VpcQuestion, subnets: readonly LaidSubnet[]): EniConfigObject[] {
  if (!isCustom(question.mode)) return [];
  return subnets
    .filter(({ place }) => place.kind === "pods" && place.index === 0)
    .map((subnet) => ({
      apiVersion: "crd.k8s.amazonaws.com/v1alpha1",
      kind: "ENIConfig",
      metadata: { name: subnet.place.zone },
      spec: { subnet: idOf(question, subnet) },
    }));
}

function idOf(question: VpcQuestion, subnet: LaidSubnet): string {
  return question.subnetIds[subnet.name] ?? `<id of ${subnet.name}>`;
}

/** The route table of a subnet by name, or none where only the VPC is reached. */
export function routeTableOf(question: VpcQuestion, subnet: LaidSubnet): string | undefined {
  if (subnet.place.kind === "public") return "public";
  if (question.natGateways === "none" && question.mode !== "ipv6") return undefined;
  return `private-${subnet.place.zone.slice(-1)}`;
}

export interface RouteTablePlan {
  readonly name: string;
  readonly routes: readonly { readonly destination: string; readonly target: string }[];
}

/** Route tables with the targets that `lab.yaml` knows: "internet-gateway", "nat-gateway:SUBNET" and so on. */
export function routeTables(question: VpcQuestion, subnets: readonly LaidSubnet[]): RouteTablePlan[] {
  const everywhere = "0.0.0.0/0";
  const isIpv6 = question.mode === "ipv6";
  const publicSubnets = subnets.filter(({ place }) => place.kind === "public");
  const tables: RouteTablePlan[] = [];
  if (publicSubnets.length > 0) {
    const ipv6 = isIpv6 ? [{ destination: "::/0", target: "internet-gateway" }] : [];
    tables.push({
      name: "public",
      routes: [{ destination: everywhere, target: "internet-gateway" }, ...ipv6],
    });
  }
  if (question.natGateways === "none" && !isIpv6) return tables;
  for (const zone of question.zones) {
    const own = publicSubnets.find(({ place }) => place.zone === zone);
    const nat = question.natGateways === "single" ? publicSubnets[0] : own;
    const hasNat = question.natGateways !== "none" && nat !== undefined;
    const ipv4 = hasNat ? [{ destination: everywhere, target: `nat-gateway:${nat.name}` }] : [];
    const ipv6 = isIpv6 ? [{ destination: "::/0", target: "egress-only-internet-gateway" }] : [];
    tables.push({ name: `private-${zone.slice(-1)}`, routes: [...ipv4, ...ipv6] });
  }
  return tables;
}

/** `aws ec2` lines that make a subnet's prefix reservations. */
export function reservationCommands(question: VpcQuestion, subnet: LaidSubnet): string[] {
  return subnet.reservations.map(
    (cidr) =>
      `aws ec2 create-subnet-cidr-reservation --subnet-id ${idOf(question, subnet)} --reservation-type prefix --cidr ${formatCidr(cidr)}`,
  );
}
