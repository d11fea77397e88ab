import { Ajv, type ErrorObject } from "ajv";
import { isMap, LineCounter, parseDocument } from "yaml";
import { parseCidr4 } from "../addr/cidr.ts";
import { EniverseError } from "../base/error.ts";
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
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const syntax = document.errors[0];
  if (syntax !== undefined) {
    const line = lines.linePos(syntax.pos[0]).line;
    throw badFile(
      file,
      line,
      syntax.message.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? "",
      "YAML",
    );
  }
  const content: unknown = document.toJS() ?? {};
  if (!validate(content)) {
    const errors = validate.errors ?? [];
    // With anyOf, the innermost complaint says most.
    const worst = errors.find((error) => error.keyword !== "anyOf") ?? errors[0];
    if (worst !== undefined) throw schemaError(file, worst, lineOf(document, lines, pathOf(worst)));
    throw badFile(file, 1, "an unknown form", "the form of docs/lab-yaml.md");
  }
  return withDefaults(content, name, shape);
}

function withDefaults(content: Partially<LabConfig>, name: string, shape: LabShape): LabConfig {
  const primary = content.vpc?.cidrs?.[0];
  const base = layoutLab(
    name,
    primary === undefined ? shape : { ...shape, vpcCidr: parseCidr4(primary) },
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
      ipv6: content.vpc?.ipv6 ?? base.vpc.ipv6,
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

function pathOf(error: ErrorObject): string[] {
  const path = error.instancePath.split("/").slice(1);
  const extra = (error.params as { additionalProperty?: string }).additionalProperty;
  return extra === undefined ? path : [...path, extra];
}

/** The line of the innermost node on `path` that the document has. */
function lineOf(
  document: ReturnType<typeof parseDocument>,
  lines: LineCounter,
  path: readonly string[],
): number {
  for (let depth = path.length; depth > 0; depth--) {
    const parent: unknown = depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true);
    const key = path[depth - 1];
    if (isMap(parent)) {
      const pair = parent.items.find((item) => String(item.key) === key);
      const range = (pair?.key as { range?: readonly number[] } | undefined)?.range;
      if (range?.[0] !== undefined) return lines.linePos(range[0]).line;
    }
    const node = document.getIn(path.slice(0, depth), true) as { range?: readonly number[] } | undefined;
    if (node?.range?.[0] !== undefined) return lines.linePos(node.range[0]).line;
  }
  return 1;
}

function schemaError(file: string, error: ErrorObject, line: number): EniverseError {
  const path = pathOf(error).join(".") || "the top level";
  const params = error.params as {
    allowedValues?: readonly unknown[];
    additionalProperty?: string;
    type?: string;
  };
  if (params.additionalProperty !== undefined) {
    const known = Object.keys((error.parentSchema as { properties?: object } | undefined)?.properties ?? {});
    return badFile(file, line, `an unknown field ${path}`, `one of ${known.join(", ")}`);
  }
  const found = `${path} = ${JSON.stringify(error.data)}`;
  if (params.allowedValues !== undefined)
    return badFile(file, line, found, `one of ${params.allowedValues.join(", ")}`);
  const pattern = (error.parentSchema as { pattern?: string } | undefined)?.pattern;
  const form = pattern === undefined ? (error.message ?? "another value") : `text of the form ${pattern}`;
  return badFile(file, line, found, form.replace(/^must /, "a value that must "));
}

/** The error of a config file: where, what was found, what is allowed. */
export function badFile(file: string, line: number, found: string, wanted: string): EniverseError {
  return new EniverseError("invalid_argument", {
    attempted: `read ${file}, line ${line}`,
    found,
    wanted,
    facts: { file, line },
  });
}
