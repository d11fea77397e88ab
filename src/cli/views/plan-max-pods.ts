import type { MaxPodsRow } from "../../plan/max-pods.ts";
import type { PlanAnswer } from "../plan-flags.ts";

/** One row a type; wide adds what the number was made from. */
export function maxPodsView(
  rows: readonly MaxPodsRow[],
  explain: readonly string[],
  footer: string,
): PlanAnswer {
  const text = (value: number | undefined): string => (value === undefined ? "-" : String(value));
  const row = (each: MaxPodsRow): string[] => [
    each.instanceType,
    text(each.maxPods),
    text(each.maxAllowed),
    text(each.vcpus),
    String(each.enis),
    String(each.ipv4PerEni),
  ];
  const columns = ["Instance Type", "Max Pods", "Uncapped", "vCPUs", "ENIs", "IPs per ENI"];
  const unknown = rows.some(({ maxPods }) => maxPods === undefined);
  const footers = [
    ...(footer === "" ? [] : [footer]),
    ...(unknown ? ['"-" where the number is not known or the mode is not possible; -o wide says why'] : []),
  ];
  return {
    value: rows,
    explain,
    table: { columns, rows: rows.map(row), footers },
    wide: {
      columns: [...columns, "Cards", "Branch ENIs", "Default mode", "Notes"],
      rows: rows.map((each) => [
        ...row(each),
        String(each.networkCards),
        String(each.branchEnis),
        String(each.eniMaxPods),
        each.notes.join("; ") || "-",
      ]),
      footers,
    },
  };
}
