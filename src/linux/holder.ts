import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { realClock } from "../base/clock.ts";
import { EniverseError } from "../base/error.ts";
import { foreignSystemError } from "./errno.ts";
import { Netns } from "./netns.ts";
import { allPids, childPids, endProcess, identityOf, type ProcessIdentity } from "./process.ts";
import { systemPath } from "./program.ts";
import { Rtnetlink } from "./rtnetlink/rtnetlink.ts";

/** Which namespaces of its own a holder gets; the others it shares with its maker. */
export interface HeldNamespaces {
  readonly net?: boolean;
  /** Mounts made inside are not seen outside, and the other way round. */
  readonly mount?: boolean;
  /** The holder is process 1 inside: when it ends, the kernel ends all processes of the namespace. */
  readonly pid?: boolean;
  readonly uts?: boolean;
  readonly ipc?: boolean;
  readonly cgroup?: boolean;
}

export interface HolderOptions {
  /** Marks the holder, so that {@link findHolders} finds it: "LAB/node/i-0123" … */
  readonly label: string;
  /** Host name inside; needs `uts`. */
  readonly hostname?: string;
  /** Brings the loopback device up; needs `net`. */
  readonly loopback?: boolean;
  /**
   * Run inside all the namespaces before the holder counts as started; its failure is the holder's. It may
   * pivot_root: the holder and what is spawned in it later follow.
   */
  readonly setup?: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** Path of a mount namespace whose mounts the holder gets a copy of; its maker's when absent. Needs `mount`. */
  readonly mountsOf?: string;
}

/** A small process that keeps namespaces alive; it outlives its maker. */
export interface Holder {
  readonly label: string;
  readonly identity: ProcessIdentity;
  /** /proc/PID/ns/net */
  readonly netnsPath: string;
}

const markVariable = "ENIVERSE_HOLDER";
const startTimeoutMs = 30_000;

const unshareFlags: Readonly<Record<keyof HeldNamespaces, readonly string[]>> = {
  net: ["--net"],
  mount: ["--mount", "--propagation", "private"],
  pid: ["--pid", "--fork"],
  uts: ["--uts"],
  ipc: ["--ipc"],
  cgroup: ["--cgroup"],
};

/**
 * What the holder runs; $1 host name or nothing, $2 "pid" when it is process 1, $3 "proc" when it has mounts and
 * processes of its own, the rest the set-up command. A process 1 must reap orphans, which dash does while it waits;
 * without a process namespace the shell turns into `sleep`, so that there is a single process to end.
 */
const holderScript = `
hostname=$1 first=$2 proc=$3
shift 3
if [ -n "$proc" ]; then mount -t proc proc /proc || exit 1; fi
if [ -n "$hostname" ]; then echo "$hostname" >/proc/sys/kernel/hostname || exit 1; fi
if [ $# -gt 0 ]; then "$@" >&2 </dev/null || exit 1; fi
trap '' HUP
trap 'exit 0' TERM INT
echo ready
exec >/dev/null 2>&1
if [ -z "$first" ]; then exec sleep infinity; fi
unset ${markVariable}
while :; do
  sleep infinity &
  wait $!
done
`;

/**
 * Starts a holder. It is in a session of its own, with / as its directory and no open files, and survives its
 * maker; end it with {@link endHolder}. Throws with what the failing step printed.
 */
export async function startNamespaceHolder(
  namespaces: HeldNamespaces,
  options: HolderOptions,
): Promise<Holder> {
  const attempted = `start the namespace holder ${options.label}`;
  const kinds = (Object.keys(unshareFlags) as (keyof HeldNamespaces)[]).filter((kind) => namespaces[kind]);
  const [program, ...before] =
    options.mountsOf === undefined ? ["unshare"] : ["nsenter", `--mount=${options.mountsOf}`, "unshare"];
  const child = spawn(
    program,
    [
      ...before,
      ...kinds.flatMap((kind) => unshareFlags[kind]),
      "sh",
      "-c",
      holderScript,
      "eniverse-holder",
      options.hostname ?? "",
      namespaces.pid ? "pid" : "",
      namespaces.pid && namespaces.mount ? "proc" : "",
      ...(options.setup ?? []),
    ],
    {
      cwd: "/",
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, PATH: systemPath(), ...options.env, [markVariable]: options.label },
    },
  );
  await isReady(child, attempted);
  // `unshare` becomes the program, but for a process namespace, in which its child is the first.
  const pid = namespaces.pid ? insidePid(child) : child.pid;
  if (pid === undefined) throw new EniverseError("internal", { attempted, found: "it is gone again" });
  const identity = identityOf(pid);
  // With a process namespace `unshare` stays as the parent that waits; the holder must not depend on it.
  if (namespaces.pid) {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  } else await becameSleep(pid);
  child.unref();
  if (identity === undefined)
    throw new EniverseError("internal", { attempted, found: `process ${pid} is gone again` });
  if (options.loopback) {
    using ns = Netns.open(netnsPathOf(identity));
    using rtnetlink = Rtnetlink.open(ns);
    rtnetlink.setLink(rtnetlink.indexOf("lo"), { up: true });
  }
  return { label: options.label, identity, netnsPath: netnsPathOf(identity) };
}

/** Waits until the shell has turned into `sleep`: while it does, its environment cannot be read. */
async function becameSleep(pid: number): Promise<void> {
  for (let turn = 0; turn < 2000 && identityOf(pid) !== undefined; turn++) {
    if (readOrNothing(`/proc/${pid}/comm`) === "sleep\n" && markOf(pid) !== undefined) return;
    await realClock.sleep(1);
  }
}

function netnsPathOf(identity: ProcessIdentity): string {
  return `/proc/${identity.pid}/ns/net`;
}

/** Waits for the line that the holder prints when it is set up. */
function isReady(child: ChildProcess, attempted: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let out = "";
    let said = "";
    const fail = (found: string): void =>
      reject(new EniverseError("internal", { attempted, found: said.trim() || found }));
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      fail(`it was not ready after ${startTimeoutMs} ms`);
    }, startTimeoutMs);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(foreignSystemError(attempted, error));
    });
    child.stderr?.on("data", (chunk) => {
      said += String(chunk);
    });
    child.stdout?.on("data", (chunk) => {
      out += String(chunk);
      if (!out.includes("\n")) return;
      clearTimeout(timer);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve();
    });
    child.on("close", (status) => {
      clearTimeout(timer);
      fail(`unshare ended with status ${status}`);
    });
  });
}

/** Ends a holder and, when it is process 1 of a namespace, all processes in there. May be called again. */
export async function endHolder(holder: Holder, graceMs = 0): Promise<void> {
  await endProcess(holder.identity, graceMs);
}

/**
 * All running holders whose label starts with `labelPrefix`, whoever made them; one that is just being started
 * may show up twice.
 */
export function findHolders(labelPrefix: string): Holder[] {
  const found: Holder[] = [];
  for (const pid of allPids()) {
    const label = markOf(pid);
    if (label === undefined || !label.startsWith(labelPrefix) || isForkOfHolder(pid, label)) continue;
    const identity = identityOf(pid);
    if (identity !== undefined) found.push({ label, identity, netnsPath: netnsPathOf(identity) });
  }
  return found;
}

/** A child that the holder's shell has forked shows the shell's environment until it has become `sleep`. */
function isForkOfHolder(pid: number, label: string): boolean {
  const status = readOrNothing(`/proc/${pid}/status`);
  const parent = Number(/^PPid:\t(\d+)$/m.exec(status)?.[1]);
  // Numbers in all process namespaces from the outermost in; the holder itself is 1 in its own.
  const innermost = /^NSpid:.*\t(\d+)$/m.exec(status)?.[1];
  return innermost !== "1" && parent > 0 && markOf(parent) === label;
}

function markOf(pid: number): string | undefined {
  const environment = readOrNothing(`/proc/${pid}/environ`);
  const mark = environment.split("\0").find((entry) => entry.startsWith(`${markVariable}=`));
  return mark?.slice(markVariable.length + 1);
}

/** Empty when the process is gone or another user's. */
function readOrNothing(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

export interface SpawnInOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** A path inside the holder's mounts; "/" when absent. */
  readonly cwd?: string;
  readonly stdio?: StdioOptions;
  /** A session of its own: the process survives its maker. */
  readonly detached?: boolean;
}

/**
 * Starts a program in all namespaces of a holder. The returned child is `nsenter`, which waits for the program
 * and ends with its status; its `pid` is not the program's (see {@link insidePid}), but its `kill` signals the
 * program: were `nsenter` ended instead, the program would fall to the machine's init, and a holder cannot end
 * before that has reaped it (zap_pid_ns_processes), which not every init does.
 */
export function spawnIn(
  holder: Holder,
  argv: readonly [string, ...string[]],
  options: SpawnInOptions = {},
): ChildProcess {
  const workingDirectory = options.cwd === undefined ? [] : [`--wdns=${options.cwd}`];
  const target = String(holder.identity.pid);
  const child = spawn("nsenter", ["--target", target, "--all", ...workingDirectory, "--", ...argv], {
    env: { ...(options.env ?? process.env), PATH: options.env?.PATH ?? systemPath() },
    stdio: options.stdio ?? "pipe",
    detached: options.detached ?? false,
    cwd: "/",
  });
  const killNsenter = child.kill.bind(child);
  child.kill = (signal) => {
    const inside = insidePid(child);
    return inside === undefined ? killNsenter(signal) : process.kill(inside, signal);
  };
  return child;
}

/** The number, as seen from here, of the program that {@link spawnIn} started; undefined before and after. */
export function insidePid(child: ChildProcess): number | undefined {
  return child.pid === undefined ? undefined : childPids(child.pid)[0];
}
