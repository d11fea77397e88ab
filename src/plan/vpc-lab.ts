import type { VpcPlan } from "./vpc.ts";

/** A `lab.yaml` as a value, and what a reader of it must know. */
export interface LabFile {
  readonly comments: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
}

/** A lab takes no more nodes than this in a group. */
const mostLabNodes = 100;

/** The plan as what `eniverse up --config` takes: the same blocks, reservations, routes, nodes and settings. */
export function labFileOf(plan: VpcPlan): LabFile {
  const clipped = plan.nodeGroups.filter(({ nodes }) => nodes > mostLabNodes);
  const homes = (kind: string): string[] =>
    plan.subnets.filter((subnet) => subnet.kind === kind).map(({ name }) => name);
  const clusterSubnets = homes("cluster");
  return {
    comments: [
      `The network of ${plan.clusterName} as a lab: eniverse up --config FILE --detach`,
      ...clipped.map(
        ({ name, nodes }) => `${name} has ${nodes} nodes in the plan; a lab holds ${mostLabNodes} in a group`,
      ),
    ],
    config: {
      region: plan.region,
      vpc: {
        cidrs: plan.vpc.cidrs,
        ipv6: plan.vpc.ipv6,
        subnets: plan.subnets.map((subnet) => ({
          name: subnet.name,
          zone: subnet.zone,
          cidr: subnet.cidr,
          ...(subnet.publicAddresses ? { publicAddresses: true } : {}),
          ...(subnet.routeTable === undefined ? {} : { routeTable: subnet.routeTable }),
          // The lab names its subnets itself.
          tags: Object.fromEntries(Object.entries(subnet.tags).filter(([key]) => key !== "Name")),
          ...(subnet.prefixReservations.length === 0
            ? {}
            : { reservations: subnet.prefixReservations.map((cidr) => ({ cidr, type: "prefix" })) }),
        })),
        routeTables: plan.routeTables,
      },
      cluster: {
        name: plan.clusterName,
        subnets: clusterSubnets.length > 0 ? clusterSubnets : homes("private"),
        // EKS chooses the services' block of an IPv6 cluster.
        ...(plan.vpc.ipv6 ? { ipFamily: "ipv6" } : { serviceCidr: plan.serviceCidr }),
      },
      nodeGroups: plan.nodeGroups.map((group) => ({
        name: group.name,
        instanceType: group.instanceType,
        count: Math.min(group.nodes, mostLabNodes),
        subnets: homes("private"),
        ...(group.maxPods === undefined ? {} : { maxPods: Math.min(group.maxPods, 1000) }),
      })),
      awsNode: {
        env: plan.awsNodeEnv,
        ...(plan.eniConfigs.length === 0
          ? {}
          : {
              eniConfigs: Object.fromEntries(
                plan.eniConfigs.flatMap(({ metadata: { name } }) => {
                  const home = plan.subnets.find(({ kind, zone }) => kind === "pods" && zone === name);
                  return home === undefined ? [] : [[name, home.name]];
                }),
              ),
            }),
      },
    },
  };
}
