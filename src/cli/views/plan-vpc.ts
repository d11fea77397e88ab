import { thousands } from "../../plan/field.ts";
import type { PlannedSubnet, VpcPlan } from "../../plan/vpc.ts";
import { labFileOf } from "../../plan/vpc-lab.ts";
import { commentedYaml, type PlanAnswer } from "../plan-flags.ts";

/** The forms of `plan vpc` beside the usual ones. */
export const vpcForms: readonly string[] = ["tree", "lab", "eniconfig", "env"];

/** A row a subnet; `tree` has the account of each, `lab` is a lab.yaml, `eniconfig` and `env` are to be applied. */
export function vpcView(plan: VpcPlan): PlanAnswer {
  const columns = [
    "Subnet",
    "Zone",
    "IPv4 CIDR",
    "Usable",
    "Used now",
    "Free now",
    "Used at peak",
    "% at peak",
    "Room for nodes",
  ];
  const row = (subnet: PlannedSubnet): string[] => [
    subnet.name,
    subnet.zone,
    subnet.cidr,
    String(subnet.usable),
    String(subnet.usedNow),
    String(subnet.freeNow),
    String(subnet.usedPeak),
    `${Math.round((subnet.usedPeak / subnet.usable) * 100)}%`,
    subnet.roomForNodes === undefined ? "-" : String(subnet.roomForNodes),
  ];
  return {
    value: plan,
    explain: plan.explain,
    table: { columns, rows: plan.subnets.map(row), footers: footers(plan) },
    wide: {
      columns: [...columns, "Prefix reservations", "Route table", "Tags"],
      rows: plan.subnets.map((subnet) => [
        ...row(subnet),
        subnet.prefixReservations.join(" ") || "-",
        subnet.routeTable ?? "-",
        Object.entries(subnet.tags)
          .map(([key, value]) => `${key}=${value}`)
          .join(" "),
      ]),
      footers: footers(plan),
    },
    forms: {
      tree: () => treeOf(plan),
      lab: () => {
        const { comments, config } = labFileOf(plan);
        return commentedYaml(comments, config);
      },
      eniconfig: () =>
        plan.eniConfigs.length > 0
          ? commentedYaml([], ...plan.eniConfigs)
          : `# ${plan.mode} needs no ENIConfig: ${
              plan.subnets.some(({ kind }) => kind === "pods")
                ? "aws-node finds the pods' subnets by their tag kubernetes.io/role/cni=1"
                : "pods live in the nodes' subnets"
            }\n`,
      env: () =>
        Object.entries(plan.awsNodeEnv)
          .map(([key, value]) => `${key}=${value}\n`)
          .join(""),
    },
  };
}

function footers(plan: VpcPlan): string[] {
  const env = Object.entries(plan.awsNodeEnv).map(([key, value]) => `${key}=${value}`);
  return [
    `VPC ${plan.vpc.cidrs.join(" and ")}; left over: ${plan.vpc.unallocated.join(", ") || "nothing"}`,
    ...plan.nodeGroups.map(
      (group) =>
        `${group.name}: ${thousands(group.nodes)} × ${group.instanceType}, ${thousands(group.nodesAtHorizon)} in ${plan.horizonDays} days; ${group.addressesPerNode} addresses a node (${group.podsPerNode} pods, ${group.warmPerNode} warm)${group.maxPods === undefined ? "" : `; --max-pods=${group.maxPods}`}`,
    ),
    ...(env.length > 0 ? [`aws-node: ${env.join(" ")}`] : []),
    "Peak: at the horizon, with an upgrade under way",
    exhaustionText(plan),
    ...plan.problems.map(({ severity, text }) => `${severity === "error" ? "ERROR" : "Warning"}: ${text}`),
  ];
}

function exhaustionText({ exhaustion, growth }: VpcPlan): string {
  if (exhaustion === undefined && growth === undefined)
    return "Nothing runs out: no growth was given (--growth, --growth-nodes)";
  if (exhaustion === undefined) return "Nothing runs out within ten years of the growth given";
  const when =
    exhaustion.date === undefined ? `day ${exhaustion.day}` : `${exhaustion.date} (day ${exhaustion.day})`;
  return `First to run out: ${exhaustion.subnets.join(", ")} on ${when}, with ${thousands(exhaustion.nodes)} nodes`;
}

function treeOf(plan: VpcPlan): string {
  const zones = [...new Set(plan.subnets.map(({ zone }) => zone))];
  const lines = [`${plan.clusterName}  ${plan.vpc.cidrs.join(", ")}  ${plan.region}`];
  for (const [zoneIndex, zone] of zones.entries()) {
    const lastZone = zoneIndex === zones.length - 1;
    lines.push(`${lastZone ? "└──" : "├──"} ${zone}`);
    const indent = lastZone ? "    " : "│   ";
    const subnets = plan.subnets.filter((subnet) => subnet.zone === zone);
    for (const [index, subnet] of subnets.entries()) {
      const last = index === subnets.length - 1;
      lines.push(
        `${indent}${last ? "└──" : "├──"} ${subnet.name}  ${subnet.cidr}  ${thousands(subnet.freeNow)} free`,
      );
      lines.push(...accountOf(subnet).map((line) => `${indent}${last ? "    " : "│   "}${line}`));
    }
  }
  return `${[...lines, "", ...footers(plan)].join("\n")}\n`;
}

function accountOf(subnet: PlannedSubnet): string[] {
  const rows = subnet.budget.map(({ item, now, peak }) => [thousands(now), thousands(peak), item]);
  rows.push([thousands(subnet.freeNow), thousands(subnet.freePeak), "free"]);
  const widths = [0, 1].map((column) => Math.max(4, ...rows.map((row) => (row[column] ?? "").length)));
  const line = ([now = "", peak = "", item = ""]: readonly string[]): string =>
    `${now.padStart(widths[0] ?? 0)} ${peak.padStart(widths[1] ?? 0)}  ${item}`.trimEnd();
  const reserved =
    subnet.prefixReservations.length === 0
      ? []
      : [`reserved for prefixes: ${subnet.prefixReservations.join(", ")}`];
  return [line(["now", "peak", ""]), ...rows.map(line), ...reserved];
}
