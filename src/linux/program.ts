import { spawnSync } from "node:child_process";
import { EniverseError } from "../base/error.ts";
import { foreignSystemError } from "./errno.ts";
import { inNetns, type Netns } from "./netns.ts";

/** A program of the distribution that is run to its end. */
export interface ProgramRun {
  /** For error messages: "load nftables rules". */
  readonly attempted: string;
  readonly argv: readonly [string, ...string[]];
  /** The Debian package that has the program. */
  readonly debianPackage: string;
  readonly input?: string;
  readonly ns?: Netns | undefined;
  readonly timeoutMs?: number;
}

/** What a program left behind. */
export interface ProgramResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const mostOutput = 256 * 1024 * 1024;

/** The system programs are in /usr/sbin, which ordinary users' PATH may lack. */
export function systemPath(): string {
  return `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`;
}

/**
 * Runs a program synchronously, in the network namespace `ns` when given, and returns whatever its status is.
 * Throws `unsupported` when the program is not installed and `timeout` when it takes longer than 30 s (or
 * `timeoutMs`).
 */
export function runProgram(run: ProgramRun): ProgramResult {
  const [program, ...args] = run.argv;
  const start = () =>
    spawnSync(program, args, {
      input: run.input ?? "",
      encoding: "utf8",
      maxBuffer: mostOutput,
      timeout: run.timeoutMs ?? 30_000,
      killSignal: "SIGKILL",
      env: { ...process.env, PATH: systemPath(), LC_ALL: "C" },
    });
  const child = run.ns === undefined ? start() : inNetns(run.ns, start);
  if (child.error !== undefined) {
    const code = "code" in child.error ? child.error.code : undefined;
    if (code === "ENOENT") {
      throw new EniverseError("unsupported", {
        attempted: run.attempted,
        found: `the program ${program} is not installed`,
        fix: `Install it: apt-get install -y ${run.debianPackage}`,
        facts: { debianPackage: run.debianPackage },
      });
    }
    if (code === "ETIMEDOUT") {
      throw new EniverseError("timeout", {
        attempted: run.attempted,
        found: `${program} did not end within ${run.timeoutMs ?? 30_000} ms`,
      });
    }
    throw foreignSystemError(run.attempted, child.error);
  }
  return { status: child.status ?? -1, stdout: child.stdout, stderr: child.stderr };
}

/** As {@link runProgram}, and throws `invalid_argument` with the program's own text unless it succeeds. */
export function runProgramOk(run: ProgramRun): string {
  const result = runProgram(run);
  if (result.status === 0) return result.stdout;
  throw programError(run, result);
}

/** The error of a program that ended badly, with its first lines. */
export function programError(run: ProgramRun, result: ProgramResult): EniverseError {
  const said = (result.stderr.trim() || result.stdout.trim()).split("\n").slice(0, 12).join("\n");
  const denied = /Operation not permitted|Permission denied/.test(said);
  return new EniverseError(denied ? "permission_denied" : "invalid_argument", {
    attempted: run.attempted,
    found: `${run.argv[0]} ended with status ${result.status}: ${said || "(it said nothing)"}`,
    facts: { status: result.status },
  });
}
