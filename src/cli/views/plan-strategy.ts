import { thousands } from "../../plan/field.ts";
import type { StrategyAnswer } from "../../plan/strategy.ts";
import type { StrategyOption } from "../../plan/strategy-option.ts";
import type { PlanAnswer } from "../plan-flags.ts";

/** `steps` is the recommended option in full, `all-steps` every option that can be done. */
export const strategyForms: readonly string[] = ["steps", "all-steps"];

export function strategyView(answer: StrategyAnswer): PlanAnswer {
  const number = (value: number | "unlimited"): string => (value === "unlimited" ? value : String(value));
  const columns = ["Option", "Gains", "Nodes then", "Enough", "Max pods", "To be replaced"];
  const row = (option: StrategyOption): string[] => [
    `${option.id === answer.recommended ? "* " : ""}${option.title}`,
    option.possible ? number(option.gained) : "-",
    option.possible ? number(option.nodesAfter) : "-",
    option.possible ? (option.fits ? "yes" : "no") : "not here",
    option.maxPods === undefined ? "-" : String(option.maxPods),
    option.possible ? option.replace : (option.why ?? "-"),
  ];
  const footers = [
    `${thousands(answer.usable)} addresses, ${thousands(answer.held)} held by ${thousands(answer.nodes)} nodes, ${thousands(answer.free)} free; for ${thousands(answer.nodesWanted)} nodes ${thousands(answer.missing)} are missing`,
    `* ${answer.rule}`,
  ];
  return {
    value: answer,
    explain: answer.explain,
    table: { columns, rows: answer.options.map(row), footers, rowLines: true },
    wide: {
      columns: [...columns, "What breaks", "Working"],
      rows: answer.options.map((option) => [...row(option), option.breaks.join("\n"), option.working]),
      footers,
      rowLines: true,
    },
    forms: {
      steps: () => {
        const chosen = answer.options.filter(({ id }) => id === answer.recommended);
        return chosen.length === 0 ? `${answer.rule}\n` : chosen.map(stepsOf).join("\n");
      },
      "all-steps": () =>
        answer.options
          .filter(({ possible }) => possible)
          .map(stepsOf)
          .join("\n"),
    },
  };
}

function stepsOf(option: StrategyOption): string {
  const lines = [
    `${option.title}: ${option.working}`,
    `  to be replaced: ${option.replace}`,
    ...option.breaks.map((each) => `  mind: ${each}`),
    ...option.steps.map((step, index) => `  ${index + 1}. ${step}`),
  ];
  return `${lines.join("\n")}\n`;
}
