import type { Examination, Finding } from "../../doctor/examine.ts";
import { partSources } from "../../doctor/page.ts";
import { count } from "../../plan/field.ts";

/** What a person reads: each rule's findings once with why and fix, then what was fine and what was not checked. */
export function printExamination({ findings, fine, notChecked }: Examination, wide: boolean): string {
  const ids = [...new Set(findings.map(({ id }) => id))];
  const lines = ids.flatMap((id) => ruleLines(findings.filter((finding) => finding.id === id)));
  const errors = findings.filter(({ severity }) => severity === "error").length;
  lines.push(
    `${count(errors, "error")}, ${count(findings.length - errors, "warning")}; ${count(fine.length, "rule")} found nothing`,
  );
  if (wide && fine.length > 0) lines.push(`fine: ${fine.join(", ")}`);
  for (const { id, missing } of notChecked)
    lines.push(
      `not checked: ${id} (wants ${[...new Set(missing.map((part) => partSources[part]))].join("; ")})`,
    );
  return `${lines.join("\n")}\n`;
}

function ruleLines(found: readonly Finding[]): string[] {
  const [first] = found;
  if (first === undefined) return [];
  return [
    `${first.severity === "error" ? "✗" : "!"} ${first.id}`,
    ...found.map(({ severity, about, seen }) => `    ${severity}: ${about}: ${seen}`),
    `    why: ${first.why}`,
    `    fix: ${first.fix}`,
    `    source: ${first.source}`,
    "",
  ];
}
