import type { Command } from "commander";

/** The lab that a command is for: `--name` on the command, before it, or the default. */
export function labName(command: Command): string {
  const all = command.optsWithGlobals() as { readonly name?: string };
  const own = command.opts() as { readonly name?: string };
  return own.name ?? all.name ?? "eniverse";
}
