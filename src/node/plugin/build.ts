import { createHash } from "node:crypto";
import { accessSync, mkdirSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runProgram } from "../../linux/program.ts";
import { nodeVersion } from "../version.ts";

/** A program that can be installed: bytes of an executable. */
export interface Executable {
  readonly name: string;
  readonly content: Uint8Array;
}

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** Where compiled relays are kept between runs. */
export const relayCache: string = here("../../../node_modules/.cache/eniverse");

/** The relay brings all it needs; compilers must not call a C library that is not there. */
const flags: readonly string[] = [
  "-O2",
  "-s",
  "-static",
  "-nostdlib",
  "-ffreestanding",
  "-fno-stack-protector",
  "-fno-tree-loop-distribute-patterns",
  "-fno-pie",
  "-no-pie",
];

/**
 * The relay in C, compiled once for each version of its source and kept in `cache` (for this run only when that
 * cannot be written). Undefined when no C compiler makes one.
 */
export function compiledRelay(cache: string = relayCache): Uint8Array | undefined {
  const source = readFileSync(here("./relay.c"));
  const hash = createHash("sha256").update(source).update(nodeVersion).update(process.arch).digest("hex");
  const folder = writableFolder(cache);
  const file = join(folder, `aws-cni-${hash.slice(0, 16)}`);
  const kept = readIfThere(file);
  if (kept !== undefined) return kept;
  const compiling = `${file}.${process.pid}`;
  if (!compile(compiling)) return undefined;
  renameSync(compiling, file);
  return readFileSync(file);
}

function compile(into: string): boolean {
  try {
    const argv = ["cc", ...flags, `-DVERSION="${nodeVersion}"`, "-o", into, here("./relay.c")] as const;
    return runProgram({ attempted: "compile the relay", argv, debianPackage: "gcc" }).status === 0;
  } catch {
    return false;
  }
}

/** The relay: compiled where there is a compiler, otherwise the one in TypeScript. */
export function relayProgram(cache: string = relayCache): Uint8Array {
  return compiledRelay(cache) ?? scriptRelay();
}

/** The relay in TypeScript. */
export function scriptRelay(): Uint8Array {
  return script("./relay.ts");
}

/**
 * Everything that a node has to have in its CNI folder, in the order of installation: both plugins are the relay,
 * and each has a program of its own for when ipamd is away, which must be there first.
 */
export function nodePlugins(cache: string = relayCache): Executable[] {
  const relay = relayProgram(cache);
  return [
    { name: "aws-cni.offline", content: script("./offline.ts") },
    { name: "egress-cni.offline", content: script("../egress/main.ts") },
    { name: "aws-cni", content: relay },
    { name: "egress-cni", content: relay },
  ];
}

/**
 * A shell script that runs a TypeScript program of this checkout with the runtime that runs now; the program gets
 * the script's own path as its first argument.
 */
function script(program: string): Uint8Array {
  const lines = ["#!/bin/sh", `exec ${quoted(process.execPath)} ${quoted(here(program))} "$0" "$@"`, ""];
  return new TextEncoder().encode(lines.join("\n"));
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Puts a file in place in one step, so that a runtime never starts half of it. */
export function installFile(folder: string, name: string, content: Uint8Array, mode: number): void {
  const target = join(folder, name);
  writeFileSync(`${target}.tmp`, content, { mode });
  renameSync(`${target}.tmp`, target);
}

function writableFolder(wanted: string): string {
  try {
    mkdirSync(wanted, { recursive: true });
    accessSync(wanted, 2);
    return wanted;
  } catch {
    // Not a fixed place: whoever could write there first would have his program run by root.
    return mkdtempSync(join(tmpdir(), "eniverse-relay-"));
  }
}

function readIfThere(file: string): Uint8Array | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}
