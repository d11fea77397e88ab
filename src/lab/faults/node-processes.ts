import { readFileSync, readlinkSync } from "node:fs";
import { allPids } from "../../linux/process.ts";

/** Numbers of the processes in the pid namespace of `initPid` whose command line has all of `words`. */
export function processesIn(initPid: number, ...words: readonly string[]): number[] {
  const namespace = pidNamespace(initPid);
  if (namespace === undefined) return [];
  return allPids().filter((pid) => {
    if (pidNamespace(pid) !== namespace) return false;
    const line = commandLine(pid);
    return words.every((word) => line.includes(word));
  });
}

function pidNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

/** Sends SIGKILL to each; one that has ended meanwhile is fine. */
export function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
    }
  }
}
