import { EniverseError } from "../base/error.ts";
import type { Netns } from "./netns.ts";
import { type ProgramRun, runProgramOk } from "./program.ts";

const debianPackage = "nftables";

/** One entry of nft's JSON: an object with a single key, "table", "chain", "rule" …, or "add", "flush" … */
export type NftObject = Readonly<Record<string, unknown>>;

/**
 * Loads a script in nft's own language into `ns`, all of it or nothing (nft makes one transaction of a file).
 * Throws `invalid_argument` with nft's message.
 */
export function runNft(script: string, ns?: Netns): void {
  runProgramOk(nft(["-f", "-"], "load nftables rules", ns, script));
}

/** As {@link runNft}, with commands in the schema of libnftables-json(5). */
export function runNftJson(commands: readonly NftObject[], ns?: Netns): void {
  runProgramOk(nft(["-j", "-f", "-"], "load nftables rules", ns, JSON.stringify({ nftables: commands })));
}

/** The ruleset of `ns` as nft's JSON objects, without the entry about nft itself. */
export function listNftRuleset(ns?: Netns): NftObject[] {
  const run = nft(["-j", "list", "ruleset"], "list the nftables rules", ns);
  const text = runProgramOk(run);
  const listed: unknown = JSON.parse(text);
  if (typeof listed === "object" && listed !== null && "nftables" in listed && Array.isArray(listed.nftables))
    return listed.nftables.filter((entry) => !("metainfo" in entry));
  throw new EniverseError("corrupted", { attempted: run.attempted, found: text.slice(0, 200) });
}

/** The ruleset of `ns` in nft's own language; empty when there is none. */
export function listNftText(ns?: Netns): string {
  return runProgramOk(nft(["list", "ruleset"], "list the nftables rules", ns));
}

function nft(args: readonly string[], attempted: string, ns: Netns | undefined, input?: string): ProgramRun {
  return {
    attempted,
    argv: ["nft", ...args],
    debianPackage,
    ns,
    ...(input === undefined ? {} : { input }),
  };
}
