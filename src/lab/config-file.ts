import { Ajv } from "ajv";
import { parseCidr4 } from "../addr/cidr.ts";
import { readYamlForm } from "../base/yaml-form.ts";
import type { LabConfig, LabShape, NodeGroupConfig, SubnetConfig } from "./config.ts";
import { labSchema } from "./config-schema.ts";
import { layoutLab } from "./layout.ts";

/** The file's form: everything may be left out. */
type Partially<T> = T extends readonly (infer E)[]
  ? readonly Partially<E>[]
  : T extends object
    ? { readonly [K in keyof T]?: Partially<T[K]> }
    : T;

const validate = new Ajv({ allErrors: true, verbose: true }).compile<Partially<LabConfig>>(labSchema);

/**
 * Reads a `lab.yaml`. What the file leaves out comes from the short form: the default layout of subnets in the
 * file's VPC block, one node group, and so on.
 *
 * Throws `invalid_argument` naming the file, the line, what was found there and what is allowed.
 */
export function readLabConfig(text: string, file: string, name: string, shape: LabShape): LabConfig {
  const content = readYamlForm(text, file, validate, "docs/lab-yaml.md");
  return withDefaults(content, name, shape);
}

function withDefaults(content: Partially<LabConfig>, name: string, shape: LabShape): LabConfig {
  const primary = content.vpc?.cidrs?.[0];
  const vpcIpv6 = content.vpc?.ipv6 ?? shape.vpcIpv6;
  const base = layoutLab(
    name,
    {
      ...shape,
      ipFamily: content.cluster?.ipFamily ?? shape.ipFamily ?? "ipv4",
      ...(vpcIpv6 === undefined ? {} : { vpcIpv6 }),
      ...(primary === undefined ? {} : { vpcCidr: parseCidr4(primary) }),
    },
    content.region,
  );
  const subnets = (content.vpc?.subnets as readonly Partial<SubnetConfig>[] | undefined)?.map(completeSubnet);
  const nodeSubnets =
    subnets === undefined ? base.nodeGroups[0]?.subnets : subnets.map((subnet) => subnet.name);
  const groups = content.nodeGroups as readonly Partial<NodeGroupConfig>[] | undefined;
  return {
    region: base.region,
    seed: content.seed ?? base.seed,
    vpc: {
      cidrs: (content.vpc?.cidrs as readonly string[] | undefined) ?? base.vpc.cidrs,
      ipv6: base.vpc.ipv6,
      subnets: subnets ?? base.vpc.subnets,
      routeTables:
        (content.vpc?.routeTables as LabConfig["vpc"]["routeTables"] | undefined) ??
        (subnets === undefined ? base.vpc.routeTables : []),
    },
    cluster: {
      ...base.cluster,
      ...(subnets === undefined ? {} : { subnets: subnets.map((subnet) => subnet.name) }),
      ...(content.cluster as Partial<LabConfig["cluster"]> | undefined),
    },
    nodeGroups:
      groups?.map((group) => ({
        name: group.name ?? "workers",
        instanceType: group.instanceType ?? shape.instanceType,
        count: group.count ?? shape.nodes,
        subnets: group.subnets ?? nodeSubnets ?? [],
        labels: group.labels ?? {},
        taints: (group.taints ?? []).map((taint) => ({ ...taint, value: taint.value ?? "" })),
        ...(group.maxPods === undefined ? {} : { maxPods: group.maxPods }),
      })) ?? base.nodeGroups.map((group) => ({ ...group, subnets: nodeSubnets ?? group.subnets })),
    // The command line wins over the file, as it does everywhere.
    awsNode: {
      env: { ...(content.awsNode?.env as Record<string, string> | undefined), ...shape.awsNodeEnv },
      ...(content.awsNode?.eniConfigs === undefined
        ? {}
        : { eniConfigs: content.awsNode.eniConfigs as Record<string, string> }),
    },
    ec2: { ...base.ec2, ...(content.ec2 as Partial<LabConfig["ec2"]> | undefined) },
  };
}

function completeSubnet(subnet: Partial<SubnetConfig>): SubnetConfig {
  return {
    name: subnet.name ?? "",
    zone: subnet.zone ?? "",
    cidr: subnet.cidr ?? "",
    publicAddresses: subnet.publicAddresses ?? false,
    tags: subnet.tags ?? {},
    reservations: subnet.reservations ?? [],
    ...(subnet.routeTable === undefined ? {} : { routeTable: subnet.routeTable }),
  };
}
