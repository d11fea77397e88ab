import { readdirSync, readFileSync } from "node:fs";
import { type Clock, realClock } from "../base/clock.ts";
import { EniverseError } from "../base/error.ts";

/**
 * A process that cannot be mistaken for a later one with the same number: field 22 of /proc/PID/stat, the start
 * time in clock ticks since boot, tells them apart.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: number;
}

interface Stat {
  /** One letter; Z is a zombie, X is dead. */
  readonly state: string;
  readonly parentPid: number;
  readonly startTime: number;
}

/** Reads /proc/PID/stat (proc_pid_stat(5)); undefined when there is no such process. */
function readStat(pid: number): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The second field, the name in parentheses, may hold anything, ")" too; what follows are numbers.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "X", parentPid: Number(fields[1]), startTime: Number(fields[19]) };
}

/** The identity of a running process; undefined when there is none (a zombie counts as none). */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid);
  return stat === undefined || isDead(stat) ? undefined : { pid, startTime: stat.startTime };
}

/** True while exactly this process runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  const stat = readStat(identity.pid);
  return stat !== undefined && stat.startTime === identity.startTime && !isDead(stat);
}

function isDead(stat: Stat): boolean {
  return stat.state === "Z" || stat.state === "X";
}

/** Sends a signal to exactly this process; false when it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}

const pollMs = 5;
/** After SIGKILL only a process stuck in the kernel takes longer. */
const killWaitMs = 10_000;

/**
 * Ends a process: SIGTERM, and SIGKILL when it still runs after `graceMs` (0: SIGKILL at once). Resolves when it
 * is gone, at once when it was; throws `timeout` when it outlives SIGKILL by 10 s.
 */
export async function endProcess(
  identity: ProcessIdentity,
  graceMs: number,
  clock: Clock = realClock,
): Promise<void> {
  if (graceMs > 0) {
    if (!signalProcess(identity, "SIGTERM")) return;
    if (await isGone(identity, graceMs, clock)) return;
  }
  if (!signalProcess(identity, "SIGKILL")) return;
  if (await isGone(identity, killWaitMs, clock)) return;
  throw new EniverseError("timeout", {
    attempted: `end process ${identity.pid}`,
    found: `it still runs ${killWaitMs} ms after SIGKILL`,
  });
}

async function isGone(identity: ProcessIdentity, waitMs: number, clock: Clock): Promise<boolean> {
  const end = clock.now() + waitMs;
  while (isAlive(identity)) {
    if (clock.now() >= end) return false;
    await clock.sleep(pollMs);
  }
  return true;
}

/** Numbers of all processes that /proc shows. */
export function allPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Numbers of the direct children of a process, zombies included; empty when it is gone. */
export function childPids(pid: number): number[] {
  return allPids().filter((candidate) => readStat(candidate)?.parentPid === pid);
}
