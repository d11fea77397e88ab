import { type CheckResult, matrixOf, summarize } from "../../lab/verify/checks.ts";
import type { Answer } from "../output.ts";
import { renderTable } from "../table.ts";

/** What `verify` found: a line per rule; wide adds the matrix. Evidence of failures follows the table. */
export function verificationView(results: readonly CheckResult[]): Answer {
  const failures = results.filter(({ ok }) => !ok);
  const shown = failures.slice(0, 20).map(({ evidence = "" }) => `✗ ${evidence}`);
  const more =
    failures.length > shown.length ? [`… and ${failures.length - shown.length} more failures`] : [];
  const table = {
    columns: ["Rule", "Passed", "Failed", ""],
    rows: summarize(results).map(({ text, passed, failed }) => [
      text,
      String(passed),
      String(failed),
      passed + failed === 0 ? "nothing to check" : failed === 0 ? "✓" : "✗",
    ]),
    footers: [...shown, ...more],
  };
  return {
    value: {
      rules: summarize(results),
      results: results.map(({ check, ...result }) => ({
        rule: check.rule,
        from: { name: check.from.name, address: check.from.address },
        to: { name: check.to.name, address: check.to.address },
        protocol: check.protocol,
        ...result,
      })),
    },
    table,
  };
}

/** The matrix of senders and receivers; columns are numbered when there are many. */
export function verificationMatrix(results: readonly CheckResult[]): string {
  const { columns, rows } = matrixOf(results);
  const receivers = columns.slice(1);
  const legend = receivers.map((name, index) => `  ${index + 1} = ${name}`);
  const numbered = { columns: ["from \\ to", ...receivers.map((_, index) => String(index + 1))], rows };
  return [
    renderTable(numbered, { wrap: false }).trimEnd(),
    "t u i: TCP, UDP and ICMP passed; T U I: failed",
    ...legend,
    "",
  ].join("\n");
}
