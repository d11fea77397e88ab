import { accessSync, closeSync, constants, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { EniverseError, messageOf } from "../../base/error.ts";
import { check, cloneFlag, closeFd, O_CLOEXEC, O_RDONLY, raw } from "../../linux/libc.ts";
import { inNetns, type Netns } from "../../linux/netns.ts";
import { identityOf, isAlive, type ProcessIdentity, signalProcess } from "../../linux/process.ts";

/**
 * A container's process. Between the kubelet and the program stands a shell that keeps the exit code: it goes on
 * when the kubelet is killed, as containerd's shim does, and its own end tells a new kubelet what happened.
 */
export interface ProcessSpec {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Standard output and error are appended to it. */
  readonly logFile: string;
  /** The shell writes its process number to "<exitFile>.pid" and the exit code to the file. */
  readonly exitFile: string;
  /** Absent: the kubelet's own network. */
  readonly netns?: Netns;
  /** Host name of a UTS namespace of its own; absent: the kubelet's. */
  readonly hostname?: string;
  /** Bind mounts in a mount namespace of its own; none: the kubelet's. */
  readonly mounts: readonly {
    readonly source: string;
    readonly target: string;
    readonly readOnly: boolean;
  }[];
}

/**
 * $0 exit file, the rest the program. Signals go to the whole process group: the shell outlives them, and the
 * traps are reset in the program. "exec 3>&2 2>/dev/null" keeps the shell's remarks on killed children out of
 * the log.
 */
const shim = `trap : TERM INT HUP QUIT USR1 USR2
echo $$ >"$0.pid"
exec 3>&2 2>/dev/null
"$@" 2>&3 3>&-
echo $? >"$0"`;

/** Before the shim, in a mount namespace of its own: pairs of SOURCE and TARGET up to "--". */
const mountsFirst = `exit_file=$0
while [ "$1" != -- ]; do
  mount --bind "$1" "$2" || exit 125
  if [ "$3" = ro ]; then mount -o remount,bind,ro "$2" || exit 125; fi
  shift 3
done
shift
shim=$ENIVERSE_SHIM
unset ENIVERSE_SHIM
exec sh -c "$shim" "$exit_file" "$@"`;

export interface StartedProcess {
  readonly identity: ProcessIdentity;
  /** Resolves when the shell has ended; only for processes that this kubelet started. */
  readonly exited: Promise<unknown>;
}

/** Starts the program. Throws `not_found` with runc's words when there is no such executable. */
export function startProcess(spec: ProcessSpec): StartedProcess {
  const [command = "", ...args] = spec.argv;
  const program = findExecutable(command, spec.env.PATH ?? "", spec.cwd);
  mkdirSync(dirname(spec.logFile), { recursive: true });
  mkdirSync(dirname(spec.exitFile), { recursive: true });
  rmSync(spec.exitFile, { force: true });
  const log = openSync(spec.logFile, "a", 0o640);
  try {
    const argv = commandLine(spec, [program, ...args]);
    const spawn = () =>
      Bun.spawn(argv, {
        env: spec.mounts.length > 0 ? { ...spec.env, ENIVERSE_SHIM: shim } : { ...spec.env },
        cwd: spec.cwd,
        stdin: "ignore",
        stdout: log,
        stderr: log,
        // A session of its own: signals reach the program and its children as one group.
        detached: true,
      });
    const named = spec.hostname === undefined ? spawn : () => withHostname(spec.hostname ?? "", spawn);
    const child = spec.netns === undefined ? named() : inNetns(spec.netns, named);
    child.unref();
    // A process that has ended already still has its number until it is waited for.
    const identity = identityOf(child.pid) ?? { pid: child.pid, startTime: 0 };
    return { identity, exited: child.exited };
  } finally {
    closeSync(log);
  }
}

function commandLine(spec: ProcessSpec, argv: readonly string[]): string[] {
  if (spec.mounts.length === 0) return ["sh", "-c", shim, spec.exitFile, ...argv];
  // Slave: namespaces of pods that are mounted later appear inside, and go when they are unmounted.
  const enter = [
    "unshare",
    "--mount",
    "--propagation",
    "slave",
    "--",
    "sh",
    "-c",
    mountsFirst,
    spec.exitFile,
  ];
  const mounts = spec.mounts.flatMap(({ source, target, readOnly }) => [
    source,
    target,
    readOnly ? "ro" : "rw",
  ]);
  return [...enter, ...mounts, "--", ...argv];
}

/** Runs `work` with the thread in a new UTS namespace of that name; what it starts stays there. */
function withHostname<T>(hostname: string, work: () => T): T {
  const before = check(raw.open("/proc/thread-self/ns/uts", O_RDONLY | O_CLOEXEC), "open the UTS namespace");
  try {
    check(raw.unshare(cloneFlag.newUts), "make a UTS namespace");
    try {
      check(raw.sethostname(hostname, Buffer.byteLength(hostname)), `name the host ${hostname}`);
      return work();
    } finally {
      check(raw.setns(before, cloneFlag.newUts), "go back to the UTS namespace");
    }
  } finally {
    closeFd(before);
  }
}

/** As exec(3) looks: a path as it is, from the working folder; a name in the folders of PATH. */
function findExecutable(command: string, path: string, cwd: string): string {
  const candidates = command.includes("/")
    ? [isAbsolute(command) ? command : join(cwd, command)]
    : path.split(":").map((folder) => join(folder, command));
  for (const candidate of candidates) {
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {}
  }
  const why = command.includes("/")
    ? `stat ${command}: no such file or directory`
    : "executable file not found in $PATH";
  throw new EniverseError("not_found", {
    attempted: `start ${command}`,
    found: `exec: ${JSON.stringify(command)}: ${why}`,
    wanted: "a program of the node's file system",
  });
}

/** What the shell left behind: the exit code, or undefined when it was killed before it could write one. */
export function readExitCode(exitFile: string): number | undefined {
  try {
    const text = readFileSync(exitFile, "utf8").trim();
    return /^\d+$/.test(text) ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}

/** The process of a start that a killed kubelet did not come to write down. */
export function findStarted(exitFile: string): ProcessIdentity | undefined {
  try {
    return identityOf(Number(readFileSync(`${exitFile}.pid`, "utf8").trim()));
  } catch {
    return undefined;
  }
}

/** Signals the program with all its children; nothing happens when it is gone. */
export function signalGroup(identity: ProcessIdentity, signal: "SIGTERM" | "SIGKILL"): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(-identity.pid, signal);
  } catch (error) {
    // Between fork and setsid there is no group of that number yet.
    if (!signalProcess(identity, signal)) return;
    if (!messageOf(error).includes("ESRCH")) throw error;
  }
}

/** Kills what is left of a group whose leader has ended. */
export function signalLeftovers({ pid }: ProcessIdentity): void {
  if (pid <= 1) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // ESRCH: nobody is left.
  }
}
