import { spawn } from "node:child_process";
import { EniverseError } from "../base/error.ts";
import { systemPath } from "../linux/program.ts";

/** A program of this room, to be run in other namespaces; paths of this checkout are the same in every node. */
export const programOf = (url: string): readonly [string, string] => [
  process.execPath,
  new URL(url, import.meta.url).pathname,
];

/**
 * Runs a program to its end and reads what it printed as JSON; its standard error goes through. Throws `internal`
 * when it fails.
 */
export async function runForJson<T>(argv: readonly string[], input?: unknown): Promise<T> {
  const [command = "", ...args] = argv;
  const child = spawn(command, args, {
    stdio: ["pipe", "pipe", "inherit"],
    env: { PATH: systemPath(), HOME: "/root" },
  });
  child.stdin.on("error", () => {});
  child.stdin.end(input === undefined ? "" : JSON.stringify(input));
  let printed = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text: string) => {
    printed += text;
  });
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
  return JSON.parse(printed) as T;
}

/** The words before a command that put it into all namespaces of a process. */
export function inNode(initPid: number): string[] {
  return ["nsenter", "--target", String(initPid), "--all", "--"];
}

/** The words before a command that put it into a network namespace, and into nothing else. */
export function inNetworkOf(netnsPath: string): string[] {
  return ["nsenter", `--net=${netnsPath}`, "--"];
}
