import { type Command, InvalidArgumentError } from "commander";
import { stringify } from "yaml";
import { EniverseError } from "../base/error.ts";
import type { NodeGroupInput } from "../plan/vpc-input.ts";
import { type Answer, formatAnswer, type OutputFormat, printLine } from "./output.ts";

export function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("wanted: a number.");
  return value;
}

/** Values that may be given several times or with commas between. */
export function list(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), ...text.split(",").map((part) => part.trim())].filter((part) => part !== "");
}

/** Numbers with commas between. */
export function decimals(text: string, before: readonly number[] | undefined): readonly number[] {
  return [...(before ?? []), ...text.split(",").map((part) => decimal(part.trim()))];
}

/** Refuses flags that would be read for nothing. `flags` are named as Commander names them. */
export function refuseFlags<F extends object>(
  flags: F,
  names: readonly (keyof F & string)[],
  wanted: string,
): void {
  for (const name of names) {
    const value = flags[name];
    if (value === undefined || value === false || (Array.isArray(value) && value.length === 0)) continue;
    throw new EniverseError("invalid_argument", {
      attempted: `use --${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
      found: "it has no effect here",
      wanted,
    });
  }
}

/** "8..32", "8.." or "..32". */
export function range(text: string): { readonly min?: number; readonly max?: number } {
  const match = /^(\d*)\.\.(\d*)$/.exec(text);
  if (match === null || text === "..")
    throw new InvalidArgumentError("wanted: a range as 8..32, 8.. or ..32.");
  return {
    ...(match[1] === "" ? {} : { min: Number(match[1]) }),
    ...(match[2] === "" ? {} : { max: Number(match[2]) }),
  };
}

/** "NAME=VALUE"; without a name the value names itself. */
export function named(text: string): { readonly name: string; readonly cidr: string } {
  const equals = text.indexOf("=");
  return equals < 0
    ? { name: text, cidr: text }
    : { name: text.slice(0, equals), cidr: text.slice(equals + 1) };
}

/** "NAME=TYPE:NODES:PODS". */
export function nodeGroup(text: string): NodeGroupInput & { readonly name: string } {
  const match = /^([^=]+)=([^:]+):(\d+):(\d+)$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new EniverseError("invalid_argument", {
      attempted: "use --group",
      found: JSON.stringify(text),
      wanted: "NAME=TYPE:NODES:PODS, as web=m5.large:30:20",
    });
  }
  return { name: match[1], instanceType: match[2], nodes: Number(match[3]), podsPerNode: Number(match[4]) };
}

/** An answer that can be shown in forms of its own beside the usual ones, and with its working. */
export interface PlanAnswer extends Answer {
  readonly explain: readonly string[];
  /** Text by the name that `-o` takes. */
  readonly forms?: Readonly<Record<string, () => string>>;
}

export interface PlanOutputFlags {
  readonly output: string;
  readonly explain?: boolean;
}

const usualForms = ["table", "wide", "json", "yaml"];

/** Adds `-o` with the usual forms and `more`, and `--explain`. */
export function withPlanOutput(command: Command, more: readonly string[] = []): Command {
  const forms = [...usualForms, ...more];
  const form = (text: string): string => {
    if (forms.includes(text)) return text;
    throw new EniverseError("invalid_argument", {
      attempted: "use --output",
      found: JSON.stringify(text),
      wanted: `one of ${forms.join(", ")}`,
    });
  };
  return command
    .option("-o, --output <format>", forms.join(", "), form, "table")
    .option("--explain", "show the working, with the numbers put in");
}

export function printPlan(answer: PlanAnswer, flags: PlanOutputFlags): void {
  const own = answer.forms?.[flags.output];
  process.stdout.write(own?.() ?? formatAnswer(answer, flags.output as OutputFormat));
  // The value has the working in it already.
  const isText = ["table", "wide", "tree"].includes(flags.output);
  if (!flags.explain || !isText) return;
  printLine();
  for (const line of answer.explain) printLine(line);
}

/** YAML with comment lines above it. */
export function commentedYaml(comments: readonly string[], ...documents: readonly unknown[]): string {
  const head = comments.map((line) => `# ${line}\n`).join("");
  return head + documents.map((document) => stringify(document)).join("---\n");
}
