import type { Netns } from "./netns.ts";
import { type ProgramRun, programError, runProgram, runProgramOk } from "./program.ts";
import type { Family } from "./rtnetlink/values.ts";

const debianPackage = "iptables";

export type IptablesTable = "filter" | "nat" | "mangle" | "raw" | "security";

/** The rules of one table as `iptables-save` (or `ip6tables-save`) prints them, comments left out. */
export function saveIptables(family: Family, table: IptablesTable, ns?: Netns): string {
  const program = family === 4 ? "iptables-save" : "ip6tables-save";
  const text = runProgramOk({
    attempted: `list the ${program.replace("-save", "")} table ${table}`,
    argv: [program, "-t", table],
    debianPackage,
    ns,
  });
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => `${line}\n`)
    .join("");
}

/**
 * Loads rules in the form of `iptables-save`, each table as one transaction. What the text doesn't mention stays:
 * chains named in it with ":NAME" are made or emptied, unless they are built in. Throws `invalid_argument` with
 * the program's message, which says the line.
 */
export function restoreIptables(family: Family, rules: string, ns?: Netns): void {
  const program = family === 4 ? "iptables-restore" : "ip6tables-restore";
  runProgramOk({
    attempted: `load ${program.replace("-restore", "")} rules`,
    argv: [program, "--noflush"],
    debianPackage,
    ns,
    input: rules,
  });
}

/**
 * The rules of a chain as `iptables -S` prints them ("-N CHAIN" or "-P CHAIN ACCEPT" first); undefined when
 * there is no such chain.
 */
export function listIptablesChain(
  family: Family,
  table: IptablesTable,
  chain: string,
  ns?: Netns,
): string[] | undefined {
  const run = iptables(family, ["-t", table, "-S", chain], `list the chain ${chain} of table ${table}`, ns);
  const result = runProgram(run);
  if (result.status === 0) return result.stdout.split("\n").filter((line) => line !== "");
  // For an absent chain some versions say "No chain/target/match by that name", 1.8.9 calls it incompatible.
  const present = saveIptables(family, table, ns).includes(`:${chain} `);
  if (!present) return undefined;
  throw programError(run, result);
}

/** Runs `iptables` or `ip6tables` with these arguments and returns what it printed. */
export function runIptables(family: Family, args: readonly string[], ns?: Netns): string {
  return runProgramOk(iptables(family, args, `run iptables ${args.join(" ")}`, ns));
}

function iptables(
  family: Family,
  args: readonly string[],
  attempted: string,
  ns: Netns | undefined,
): ProgramRun {
  return {
    attempted,
    argv: [family === 4 ? "iptables" : "ip6tables", "-w", "5", ...args],
    debianPackage,
    ns,
  };
}
