import type { Input } from "./rule.ts";

/** The part of a lab (a `lab.yaml` with its defaults, or a plan in that form) that the rules look at. */
export interface LabFacts {
  readonly vpc: {
    readonly subnets: readonly {
      readonly name: string;
      readonly zone: string;
      readonly cidr: string;
      readonly publicAddresses?: boolean;
      readonly tags?: Readonly<Record<string, string>>;
      readonly reservations?: readonly { readonly cidr: string; readonly type: string }[];
    }[];
  };
  readonly cluster: { readonly subnets: readonly string[] };
  readonly nodeGroups: readonly {
    readonly name: string;
    readonly instanceType: string;
    readonly count: number;
    readonly subnets: readonly string[];
    readonly maxPods?: number;
    readonly labels?: Readonly<Record<string, string>>;
  }[];
  readonly awsNode: { readonly env: Readonly<Record<string, string>> };
}

/** The ENIConfigs of a plan; before the subnets are made their place is held by `<id of NAME>`. */
export function eniConfigsOfPlan(
  objects: readonly {
    readonly metadata: { readonly name: string };
    readonly spec: { readonly subnet: string };
  }[],
): Input {
  return {
    eniConfigs: objects.map(({ metadata, spec }) => ({
      name: metadata.name,
      subnetId: /^<id of (.+)>$/.exec(spec.subnet)?.[1] ?? spec.subnet,
    })),
  };
}

/** What a network that is not built yet tells; what is in use in it is not known. */
export function inputOfLab({ vpc, cluster, nodeGroups, awsNode }: LabFacts): Input {
  return {
    subnets: vpc.subnets.map(
      ({ name, zone, cidr, publicAddresses = false, tags = {}, reservations = [] }) => ({
        id: name,
        name,
        zone,
        cidr,
        isPublic: publicAddresses,
        tags,
        prefixReservations: reservations.filter(({ type }) => type === "prefix").map((each) => each.cidr),
      }),
    ),
    clusterSubnets: cluster.subnets,
    nodes: nodeGroups
      .filter(({ count }) => count > 0)
      .map(({ name, instanceType, count, subnets, maxPods, labels }) => ({
        name,
        instanceType,
        zone: vpc.subnets.find((subnet) => subnets.includes(subnet.name))?.zone ?? "",
        subnets,
        count,
        ...(maxPods === undefined ? {} : { maxPods }),
        ...(labels === undefined ? {} : { labels }),
      })),
    env: awsNode.env,
  };
}
