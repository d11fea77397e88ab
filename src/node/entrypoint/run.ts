import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Imds } from "../../aws/imds.ts";
import { type Clock, realClock } from "../../base/clock.ts";
import { messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import { systemPath } from "../../linux/program.ts";
import { readEnvironment } from "../environment.ts";
import { checkHealth } from "../health-probe/check.ts";
import { installFile, nodePlugins, relayCache } from "../plugin/build.ts";
import { ipamdSocket } from "../rpc/messages.ts";
import { conflistName, conflistText } from "./conflist.ts";
import { egressNodeIp } from "./node-ip.ts";
import { environmentProblems } from "./validate.ts";

/** What the entrypoint needs from outside; tests replace ipamd and its socket. */
export interface EntrypointParts {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly imds: Imds;
  readonly log: Log;
  readonly clock?: Clock;
  /** Program and arguments of ipamd. */
  readonly ipamd?: readonly [string, ...string[]];
  /** Where ipamd's health is asked for. */
  readonly healthAddress?: string;
  readonly relayCache?: string;
  /** Ends the entrypoint as a signal does. */
  readonly signals?: (forward: (signal: NodeJS.Signals) => void) => void;
}

const healthPauseMs = 20;

/**
 * The main process of the aws-node container: refuses bad settings, installs the plugins, starts ipamd, and,
 * once ipamd is healthy, writes the conflist, by which the node becomes network-ready. Resolves to the exit code
 * when ipamd ends: 0 after a clean end, otherwise 1. The conflist stays when it ends, as pods that are there
 * keep their network.
 */
export async function runEntrypoint(parts: EntrypointParts): Promise<number> {
  const { env, log } = parts;
  const problems = environmentProblems(env);
  for (const problem of problems) log("error", problem);
  if (problems.length > 0) return 1;
  const { settings, complaints } = readEnvironment(env);
  for (const complaint of complaints)
    log("warn", `${complaint.variable} is not used as it is`, { ...complaint });

  log("info", "Install CNI binaries..");
  installPlugins(settings.hostCniBinPath, parts.relayCache);

  log("info", "Starting IPAM daemon in the background ... ");
  const ipamd = startIpamd(parts.ipamd, env);
  const ended = endOf(ipamd);
  parts.signals?.((signal) => ipamd.kill(signal));
  try {
    log("info", "Checking for IPAM connectivity ... ");
    if (!(await untilHealthy(parts, ended))) return exitCodeOf(await ended, log);

    log("info", "Copying config file ... ");
    const nodeIp = await egressNodeIp(parts.imds, settings, log);
    mkdirSync(settings.hostCniConfdirPath, { recursive: true });
    const text = new TextEncoder().encode(conflistText({ settings, nodeIp }));
    installFile(settings.hostCniConfdirPath, conflistName, text, 0o644);
    log("info", "Successfully copied CNI plugin binary and config file.");
  } catch (error) {
    ipamd.kill("SIGKILL");
    await ended;
    throw error;
  }
  return exitCodeOf(await ended, log);
}

/** Puts aws-cni and egress-cni, with their offline halves, into the folder; each appears in one step. */
export function installPlugins(folder: string, cache: string = relayCache): void {
  mkdirSync(folder, { recursive: true });
  for (const program of nodePlugins(cache)) installFile(folder, program.name, program.content, 0o755);
}

/** ipamd ends with its parent, however that ends: nobody would start the conflist's owner again otherwise. */
function startIpamd(
  command: readonly [string, ...string[]] | undefined,
  env: Readonly<Record<string, string | undefined>>,
): ChildProcess {
  const main = fileURLToPath(new URL("../ipamd/main.ts", import.meta.url));
  const argv = command ?? [process.execPath, main];
  return spawn("setpriv", ["--pdeathsig", "KILL", "--", ...argv], {
    env: { ...env, PATH: `${env.PATH ?? ""}:${systemPath()}` },
    stdio: ["ignore", "inherit", "inherit"],
  });
}

interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error?: Error;
}

function endOf(child: ChildProcess): Promise<ChildEnd> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ code: null, signal: null, error }));
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
}

function exitCodeOf(end: ChildEnd, log: Log): number {
  if (end.code === 0) return 0;
  const how = end.error !== undefined ? messageOf(end.error) : (end.signal ?? `exit code ${end.code}`);
  log("error", `Failed to wait for IPAM daemon to complete: ${how}`);
  return 1;
}

/** False when ipamd ended before it was healthy. There is no limit: the liveness probe ends a hopeless wait. */
async function untilHealthy(parts: EntrypointParts, ended: Promise<ChildEnd>): Promise<boolean> {
  const clock = parts.clock ?? realClock;
  let over = false;
  ended.then(() => {
    over = true;
  });
  const question = {
    address: parts.healthAddress ?? `unix://${ipamdSocket}`,
    connectTimeoutMs: 1000,
    rpcTimeoutMs: 1000,
    service: "",
  };
  while (!over) {
    if ((await checkHealth(question)).exitCode === 0) return true;
    await clock.sleep(healthPauseMs);
  }
  return false;
}
