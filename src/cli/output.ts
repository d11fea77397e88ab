import { stringify } from "yaml";
import { EniverseError } from "../base/error.ts";
import { renderTable, type Table } from "./table.ts";

export type OutputFormat = "table" | "wide" | "json" | "yaml";

const formats: readonly string[] = ["table", "wide", "json", "yaml"];

/** Reads the value of `-o`. */
export function outputFormat(text: string): OutputFormat {
  if (!formats.includes(text)) {
    throw new EniverseError("invalid_argument", {
      attempted: "use --output",
      found: JSON.stringify(text),
      wanted: `one of ${formats.join(", ")}`,
    });
  }
  return text as OutputFormat;
}

/** One answer in every form: tables for people, the value itself for programs. */
export interface Answer {
  readonly value: unknown;
  readonly table: Table;
  /** With more columns; the plain table when absent. */
  readonly wide?: Table;
}

/** The text of `answer` in `format`; JSON with four spaces, as eksdemo prints it. */
export function formatAnswer(answer: Answer, format: OutputFormat): string {
  switch (format) {
    case "json":
      return `${JSON.stringify(answer.value, null, 4)}\n`;
    case "yaml":
      return stringify(answer.value);
    case "wide":
      return renderTable(answer.wide ?? answer.table, { wrap: false });
    case "table":
      return renderTable(answer.table);
  }
}

export function printAnswer(answer: Answer, format: OutputFormat): void {
  process.stdout.write(formatAnswer(answer, format));
}

export function printLine(line = ""): void {
  process.stdout.write(`${line}\n`);
}
