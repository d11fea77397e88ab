import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { EniverseError } from "../base/error.ts";
import { systemPath } from "../linux/program.ts";

/** A program of this room, to be run in other namespaces; paths of this checkout are the same in every node. */
export const programOf = (url: string): readonly [string, string] => [
  process.execPath,
  new URL(url, import.meta.url).pathname,
];

/** Runs a program to its end, standard output and error to our standard error. Throws `internal` when it fails. */
export async function run(argv: readonly string[]): Promise<void> {
  await finish(argv, start(argv, ["ignore", 2, 2]));
}

/**
 * Runs a program to its end and reads what it printed as JSON; its standard error goes through. Throws `internal`
 * when it fails.
 */
export async function runForJson<T>(argv: readonly string[], input?: unknown): Promise<T> {
  const child = start(argv, ["pipe", "pipe", 2]);
  child.stdin?.on("error", () => {});
  child.stdin?.end(input === undefined ? "" : JSON.stringify(input));
  let printed = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
  });
  await finish(argv, child);
  return JSON.parse(printed) as T;
}

function start(argv: readonly string[], stdio: StdioOptions): ChildProcess {
  const [command = "", ...args] = argv;
  return spawn(command, args, { stdio, env: { PATH: systemPath(), HOME: "/root" } });
}

async function finish(argv: readonly string[], child: ChildProcess): Promise<void> {
  const code = await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve(status ?? -1));
  });
  if (code !== 0) {
    throw new EniverseError("internal", {
      attempted: `run ${argv.join(" ")}`,
      found: `it ended with status ${code}`,
    });
  }
}

/** The words before a command that put it into all namespaces of a process. */
export function inNode(initPid: number): string[] {
  return ["nsenter", "--target", String(initPid), "--all", "--"];
}

/** The words before a command that put it into a network namespace, and into nothing else. */
export function inNetworkOf(netnsPath: string): string[] {
  return ["nsenter", `--net=${netnsPath}`, "--"];
}
