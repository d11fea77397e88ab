import type { Table } from "../cli/table.ts";

/** Something that the project promises, and what came out. */
export interface Goal {
  /** "CNI ADD, one at a time: aws-cni / ptp (p50)". */
  readonly name: string;
  readonly value: number;
  readonly goal: number;
  /** Which side of the goal is good. */
  readonly wanted: "at most" | "at least";
  /** "×", "s", "MB". */
  readonly unit: string;
  readonly met: boolean;
}

export function atMost(name: string, value: number, goal: number, unit: string): Goal {
  return { name, value, goal, wanted: "at most", unit, met: value <= goal };
}

export function atLeast(name: string, value: number, goal: number, unit: string): Goal {
  return { name, value, goal, wanted: "at least", unit, met: value >= goal };
}

/** What one section measured. */
export interface SectionReport {
  /** What was run, in a sentence or two: a reader must be able to judge the numbers by it. */
  readonly about: string;
  readonly table: Table;
  readonly goals: readonly Goal[];
  /** Everything behind the table, for the JSON file. */
  readonly raw: unknown;
}

/** One subject that can be measured on its own. */
export interface Section {
  /** What `--only` calls it. */
  readonly name: string;
  readonly title: string;
  /** Measures, and takes everything away that it made. */
  readonly run: (effort: Effort) => Promise<SectionReport>;
}

/** How much is measured. */
export interface Effort {
  /** True for a look at whether everything works; the numbers are rough then. */
  readonly quick: boolean;
}

/** The table at the end; `failed` names the sections that were not measured. */
export function goalsTable(goals: readonly Goal[], failed: readonly string[]): Table {
  return {
    columns: ["Goal", "Measured", "Wanted", "Met"],
    rows: [
      ...goals.map(({ name, value, goal, wanted, unit, met }) => [
        name,
        `${rounded(value)} ${unit}`,
        `${wanted} ${rounded(goal)} ${unit}`,
        met ? "yes" : "NO",
      ]),
      ...failed.map((section) => [`section ${section}`, "not measured", "an end without an error", "NO"]),
    ],
  };
}

/** Three significant digits, without exponents. */
export function rounded(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  if (value === 0) return "0";
  return Number(value.toPrecision(3)).toString();
}
