import { cidr4Size, parseCidr4 } from "../addr/cidr.ts";
import { instanceLimits } from "../limits/instance-types.ts";
import { customNetworking, isSubnet as is, isTaggedForPods, nodesWithPodsIn } from "./pod-homes.ts";
import {
  type Input,
  isOn,
  type NodeInput,
  type Rule,
  rule,
  type SubnetInput,
  sources,
  targetOf,
} from "./rule.ts";

/** AWS keeps five addresses of each subnet. */
const reservedByVpc = 5;
const usableOf = ({ cidr }: SubnetInput): number => cidr4Size(parseCidr4(cidr)) - reservedByVpc;
const words = ({ name, cidr }: SubnetInput): string => `subnet ${name} (${cidr})`;

const nodesIn = (subnet: SubnetInput, nodes: readonly NodeInput[]): NodeInput[] =>
  nodes.filter(({ subnets }) => subnets?.some((name) => is(subnet, name)));

/** No load balancer is looked for in it: ENIConfigs or the tag for pods name it, or custom networking has it for pods. */
function isForPodsAlone(subnet: SubnetInput, { eniConfigs = [], env = {}, nodes }: Input): boolean {
  if (isTaggedForPods(subnet) || eniConfigs.some(({ subnetId }) => is(subnet, subnetId))) return true;
  return isOn(env, customNetworking) && nodes !== undefined && nodesIn(subnet, nodes).length === 0;
}

const elb = "kubernetes.io/role/elb";
const internalElb = "kubernetes.io/role/internal-elb";

/** Below this share of free addresses a subnet is said to run out, and below the other one to be out. */
const lowShare = 0.2;
const emptyShare = 0.05;
/** What EKS asks for to update a cluster: addresses in each of its subnets. */
const clusterRoom = 6;

export const subnetRules: readonly Rule[] = [
  rule(
    ["subnets"],
    {
      id: "subnets-two-zones",
      severity: "error",
      title: "The cluster has subnets in two zones at least",
      why: "EKS refuses a cluster with subnets in one zone only, and the loss of that zone would be the loss of everything.",
      fix: "Add subnets in a second zone, better a third.",
      source: sources.subnets,
    },
    ({ subnets }) => {
      const zones = [...new Set(subnets.map(({ zone }) => zone))];
      return zones.length >= 2
        ? []
        : [{ about: "the VPC", seen: `${subnets.length} subnets in ${zones.join(", ") || "no zone"}` }];
    },
  ),
  rule(
    ["subnets", "clusterSubnets", "nodes"],
    {
      id: "cluster-subnets-apart",
      severity: "warning",
      title: "The control plane's interfaces have subnets of their own",
      why: "Nodes and pods that fill a subnet leave no address for the control plane's interfaces, and then the cluster cannot be updated.",
      fix: "Give the cluster a /28 in each of two or three zones, with no nodes in them.",
      source: sources.subnets,
    },
    ({ subnets, clusterSubnets, nodes }) =>
      subnets
        .filter(
          (subnet) => clusterSubnets.some((name) => is(subnet, name)) && nodesIn(subnet, nodes).length > 0,
        )
        .map((subnet) => ({
          about: words(subnet),
          seen: "both the control plane's interfaces and nodes are in it",
        })),
  ),
  rule(
    ["subnets", "clusterSubnets"],
    {
      id: "cluster-subnet-room",
      severity: "error",
      title: "Each subnet of the control plane has six free addresses",
      why: "EKS makes new interfaces before it removes the old ones when it updates a cluster; without room the update fails.",
      fix: "Free addresses in it, or move the control plane's interfaces to another subnet (aws eks update-cluster-config).",
      source: sources.subnets,
    },
    ({ subnets, clusterSubnets }) =>
      subnets
        .filter(
          (subnet) =>
            clusterSubnets.some((name) => is(subnet, name)) &&
            (subnet.free ?? usableOf(subnet)) < clusterRoom,
        )
        .map((subnet) => ({
          about: words(subnet),
          seen: `${subnet.free ?? usableOf(subnet)} free addresses`,
        })),
  ),
  rule(
    ["subnets"],
    {
      id: "subnet-headroom",
      severity: "warning",
      title: "A fifth of each subnet is free",
      why: "When it is full, new nodes come up without addresses for their pods, and pods stay in ContainerCreating.",
      fix: "Hold fewer idle addresses, use prefixes where blocks are free, or add a secondary CIDR with subnets for pods (eniverse plan strategy).",
      source: "GKE Network Analyzer's thresholds; EKS Best Practices Guide: IP address utilization",
    },
    ({ subnets }) =>
      subnets.flatMap((subnet) => {
        const share = (subnet.free ?? Number.POSITIVE_INFINITY) / usableOf(subnet);
        // A /28 for the control plane's interfaces is small on purpose.
        if (share >= lowShare || parseCidr4(subnet.cidr).bits >= 28) return [];
        const seen = `${subnet.free} of ${usableOf(subnet)} addresses are free (${Math.round(share * 100)} %)`;
        return [
          { about: words(subnet), seen, ...(share < emptyShare ? { severity: "error" as const } : {}) },
        ];
      }),
  ),
  rule(
    ["subnets", "env", "nodes"],
    {
      id: "prefix-fragmented",
      severity: "warning",
      title: "Prefix mode has whole free /28 blocks, or a reservation for them",
      why: "A prefix is an aligned block of 16 addresses of which none is in use. Single addresses land anywhere, so a subnet is out of blocks long before it is full, and EC2 answers InsufficientCidrBlocks.",
      fix: "Reserve part of the subnet (aws ec2 create-subnet-cidr-reservation --reservation-type prefix), or put pods into a fresh subnet.",
      source: sources.prefixes,
    },
    (input) => {
      const { subnets, env } = input;
      if (!isOn(env, "ENABLE_PREFIX_DELEGATION") || isOn(env, "ENABLE_IPv6")) return [];
      return subnets.flatMap((subnet) => {
        const { freeBlocks, prefixReservations = [] } = subnet;
        const here = Math.ceil(nodesWithPodsIn(subnet, input).reduce((sum, { count }) => sum + count, 0));
        if (freeBlocks === undefined || prefixReservations.length > 0 || here === 0) return [];
        if (freeBlocks >= 2 * here) return [];
        const seen = `${freeBlocks} whole free /28 blocks for ${here} nodes, and no reservation`;
        return [{ about: words(subnet), seen, ...(freeBlocks === 0 ? { severity: "error" as const } : {}) }];
      });
    },
  ),
  rule(
    ["subnets", "nodes", "env"],
    {
      id: "idle-addresses",
      severity: "warning",
      title: "Idle warm addresses take up less than half of a subnet",
      why: "WARM_ENI_TARGET=1 keeps a whole ENI of addresses idle on every node; many nodes empty a subnet without a pod.",
      fix: "Set WARM_IP_TARGET (2 to 5) and MINIMUM_IP_TARGET (the pods a node usually runs); see eniverse plan warm.",
      source: sources.targets,
    },
    (input) => {
      const { subnets, env } = input;
      const isCounted =
        targetOf(env, "WARM_IP_TARGET") !== undefined || targetOf(env, "MINIMUM_IP_TARGET") !== undefined;
      const wantsEnis = Number(env.WARM_ENI_TARGET ?? 1);
      if (isCounted || wantsEnis < 1 || isOn(env, "ENABLE_PREFIX_DELEGATION")) return [];
      return subnets.flatMap((subnet) => {
        const idle = nodesWithPodsIn(subnet, input).reduce(
          (sum, { node, count }) =>
            sum + count * (instanceLimits(node.instanceType)?.ipv4PerEni ?? 0) * wantsEnis,
          0,
        );
        const share = idle / usableOf(subnet);
        if (share < 0.5) return [];
        return [
          {
            about: words(subnet),
            seen: `about ${Math.round(idle)} of its ${usableOf(subnet)} addresses idle with WARM_ENI_TARGET=${wantsEnis}`,
          },
        ];
      });
    },
  ),
  rule(
    ["subnets"],
    {
      id: "subnet-role-tags",
      severity: "warning",
      title: "Public and private subnets carry the tags by which load balancers find them",
      why: `Without ${elb} or ${internalElb} the load balancer controller has no subnet to put a balancer into.`,
      fix: `Tag public subnets ${elb}=1 and private ones ${internalElb}=1.`,
      source: "AWS Load Balancer Controller: subnet discovery",
    },
    (input) =>
      input.subnets
        .filter(({ isPublic, cidr }) => isPublic !== undefined && parseCidr4(cidr).bits < 28)
        .filter(({ isPublic, tags }) => tags[isPublic ? elb : internalElb] === undefined)
        .filter((subnet) => !isForPodsAlone(subnet, input))
        .map((subnet) => ({ about: words(subnet), seen: `no tag ${subnet.isPublic ? elb : internalElb}` })),
  ),
  rule(
    ["subnets", "env"],
    {
      id: "dns64-ipv6",
      severity: "warning",
      title: "DNS64 is off where IPv6 pods run",
      why: "Pods reach IPv4 by a translation on the node. DNS64 makes up IPv6 addresses for IPv4 names, and the traffic goes through NAT64 of the NAT gateway, which is paid by the gigabyte.",
      fix: "aws ec2 modify-subnet-attribute --no-enable-dns64 on the subnets of the pods.",
      source: sources.ipv6,
    },
    ({ subnets, env }) =>
      isOn(env, "ENABLE_IPv6")
        ? subnets
            .filter(({ dns64 }) => dns64 === true)
            .map((subnet) => ({ about: words(subnet), seen: "EnableDns64 is true" }))
        : [],
  ),
];
