import { EniverseError } from "../../base/error.ts";
import { isAlive, type ProcessIdentity } from "../../linux/process.ts";

/**
 * Commands in a running container: a program joins the network, host name and mounts of the container's process
 * by its number (nsenter of util-linux).
 */
export function execCommandLine(
  process: ProcessIdentity | undefined,
  command: readonly string[],
  cwd = "/",
): string[] {
  if (process === undefined || !isAlive(process)) {
    throw new EniverseError("not_found", {
      attempted: "run a command in the container",
      found: "it is not running",
    });
  }
  return ["nsenter", "-t", String(process.pid), "-n", "-u", "-m", `--wdns=${cwd}`, "--", ...command];
}

/** Most that is kept of a probe's output (bytes). */
const maxOutput = 10 * 1024;

/** Runs a command to its end and gathers what it printed; kills it after `timeoutMs`. Never rejects. */
export async function runInContainer(
  process: ProcessIdentity | undefined,
  command: readonly string[],
  options: {
    readonly timeoutMs: number;
    readonly cwd: string | undefined;
    readonly env?: Record<string, string>;
  },
): Promise<{ readonly exitCode: number; readonly output: string }> {
  try {
    const child = Bun.spawn(execCommandLine(process, command, options.cwd), {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: options.timeoutMs,
      killSignal: "SIGKILL",
      ...(options.env !== undefined && { env: options.env }),
    });
    const [stdout, stderr, exitCode] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    const output = (stdout + stderr).slice(0, maxOutput);
    if (child.signalCode === "SIGKILL" && exitCode !== 0) {
      return {
        exitCode: 1,
        output: `command timed out: "${command.join(" ")}" timed out after ${options.timeoutMs / 1000}s`,
      };
    }
    return { exitCode, output };
  } catch (error) {
    return { exitCode: 1, output: error instanceof Error ? error.message : String(error) };
  }
}
