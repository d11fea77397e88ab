import { type Cidr4, cidr4, tryParseCidr } from "../addr/cidr.ts";

/** How the texts of environment variables become values; the rules are those of the official CNI's Go code. */

export interface Parsed<T> {
  readonly value: T;
  /** What would have been right, when the text was not; `value` is then what is used instead. */
  readonly problem?: string;
  /** True when ipamd must not start with such a text. */
  readonly fatal?: boolean;
}

/** A variable whose text was not usable. */
export interface Complaint {
  readonly variable: string;
  readonly found: string;
  readonly wanted: string;
  /** What holds instead, as JSON. */
  readonly used: string;
  readonly fatal: boolean;
}

export type RandomizeSnat = "prng" | "hashrandom" | "none";

const trueTexts: readonly string[] = ["1", "t", "T", "TRUE", "true", "True"];
const falseTexts: readonly string[] = ["0", "f", "F", "FALSE", "false", "False"];

/** The texts of Go's strconv.ParseBool; a set but empty variable is a bad value, not the default. */
export function flag(fallback: boolean): (text: string | undefined) => Parsed<boolean> {
  return (text) => {
    if (text === undefined) return { value: fallback };
    if (trueTexts.includes(text)) return { value: true };
    if (falseTexts.includes(text)) return { value: false };
    return { value: fallback, problem: "true or false" };
  };
}

/** A decimal integer of `least` or more. */
export function integerFrom<F extends number | undefined>(
  fallback: F,
  least: number,
): (text: string | undefined) => Parsed<number | F> {
  return (text) => {
    if (text === undefined || text === "") return { value: fallback };
    const value = Number(text);
    if (/^[+-]?\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return { value };
    return { value: fallback, problem: `a whole number of ${least} or more` };
  };
}

/** Any text; a set but empty variable is the empty text. */
export function text(fallback: string): (text: string | undefined) => Parsed<string> {
  return (found) => ({ value: found ?? fallback });
}

/** Any text; undefined when unset or empty. */
export function absentOr(found: string | undefined): Parsed<string | undefined> {
  return { value: found === "" ? undefined : found };
}

export function randomFlag(found: string | undefined): Parsed<RandomizeSnat> {
  if (found === undefined || found === "") return { value: "prng" };
  if (found === "prng" || found === "hashrandom" || found === "none") return { value: found };
  return { value: "prng", problem: "prng, hashrandom or none" };
}

/** "" when unset: no policy agent is called. The text goes to the agent as it was written. */
export function policyMode(found: string | undefined): Parsed<string> {
  if (found === undefined) return { value: "" };
  if (["none", "strict", "standard"].includes(found.toLowerCase())) return { value: found };
  return { value: "", problem: "none, strict or standard, or no such variable", fatal: true };
}

/** Blocks in network form; entries that are not IPv4 blocks are left out and complained about. */
export function cidrList(found: string | undefined): Parsed<readonly Cidr4[]> {
  const blocks: Cidr4[] = [];
  const bad: string[] = [];
  for (const entry of (found ?? "").split(",").map((part) => part.trim())) {
    if (entry === "") continue;
    const cidr = tryParseCidr(entry);
    if (cidr?.family === 4) blocks.push(cidr4(cidr.base, cidr.bits));
    else bad.push(entry);
  }
  if (bad.length === 0) return { value: blocks };
  return { value: blocks, problem: `IPv4 CIDR blocks only, not ${bad.join(", ")}` };
}

/** A JSON object whose values are texts. */
export function stringMap(found: string | undefined): Parsed<Readonly<Record<string, string>>> {
  if (found === undefined || found === "") return { value: {} };
  const problem = 'a JSON object of texts, as {"team":"web"}';
  try {
    const value: unknown = JSON.parse(found);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return { value: {}, problem };
    const entries = Object.entries(value);
    if (entries.some((entry) => typeof entry[1] !== "string")) return { value: {}, problem };
    return { value: Object.fromEntries(entries) as Record<string, string> };
  } catch {
    return { value: {}, problem };
  }
}

/** A Go integer literal (0x, 0o or 0, 0b, decimal; underscores between digits) of 1 to 2^32−1. */
export function connmark(fallback: number): (text: string | undefined) => Parsed<number> {
  return (found) => {
    if (found === undefined || found === "") return { value: fallback };
    const value = goInteger(found);
    if (value !== undefined && value >= 1 && value <= 0xffff_ffff) return { value };
    return { value: fallback, problem: "an integer of 1 to 0xffffffff, as 0x80" };
  };
}

function goInteger(found: string): number | undefined {
  const match = /^\+?(?:0[xX]([0-9a-fA-F_]+)|0[bB]([01_]+)|0[oO]?([0-7_]+)|(0|[1-9][\d_]*))$/.exec(found);
  if (match === null) return undefined;
  const [, hex, binary, octal, decimal] = match;
  const radix = hex !== undefined ? 16 : binary !== undefined ? 2 : octal !== undefined ? 8 : 10;
  const value = Number.parseInt((hex ?? binary ?? octal ?? decimal ?? "").replaceAll("_", ""), radix);
  return Number.isNaN(value) ? undefined : value;
}
