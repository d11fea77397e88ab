import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { bundleEc2Sdk } from "../aws/ec2-sdk-bundle.ts";
import { EniverseError } from "../base/error.ts";
import { isAlive, type ProcessIdentity } from "../linux/process.ts";
import type { LabConfig } from "./config.ts";
import { labStatus } from "./control.ts";
import { withLastWords } from "./last-words.ts";
import { lockLaunch } from "./launch-lock.ts";
import type { LabPaths } from "./paths.ts";

const program = fileURLToPath(new URL("./main.ts", import.meta.url));

/** How long the lab process may take until its control socket answers. */
const socketWaitMs = 10_000;

/** The lab process that is running, if any. */
export function runningLab(paths: LabPaths): ProcessIdentity | undefined {
  if (!existsSync(paths.process)) return undefined;
  const identity = readIdentity(readFileSync(paths.process, "utf8"));
  return identity !== undefined && isAlive(identity) ? identity : undefined;
}

/** Undefined for a file that was cut off, as by a full disk: such a lab counts as not running. */
function readIdentity(text: string): ProcessIdentity | undefined {
  try {
    const { pid, startTime } = JSON.parse(text) as Partial<ProcessIdentity>;
    return typeof pid === "number" && typeof startTime === "number" ? { pid, startTime } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Starts the lab process in a session of its own and waits until its control socket is there. A lab whose process
 * died is taken over with the configuration that it had. Throws `already_exists` for a lab that is up, or that another
 * command is bringing up or taking down.
 */
export async function launchLab(paths: LabPaths, config: LabConfig): Promise<void> {
  const lock = await lockLaunch(paths, "bring up", 0);
  try {
    await launch(paths, config);
  } finally {
    lock.release();
  }
}

/** Throws `already_exists` for a lab that is up, and for one that tried to come up and failed. */
export async function refuseRunning(paths: LabPaths): Promise<void> {
  if (runningLab(paths) === undefined) return;
  const status = await labStatus(paths).catch(() => undefined);
  const down = `take it down with "eniverse down --name ${paths.name}"`;
  throw new EniverseError("already_exists", {
    attempted: `bring up the lab ${paths.name}`,
    ...(status?.phase === "failed"
      ? { found: `it did not come up before: ${status.error}`, fix: `First ${down}` }
      : { found: "it is up already", fix: `Use it, ${down}, or choose another --name` }),
  });
}

async function launch(paths: LabPaths, config: LabConfig): Promise<void> {
  await refuseRunning(paths);
  mkdirSync(paths.state, { recursive: true, mode: 0o700 });
  mkdirSync(paths.run, { recursive: true, mode: 0o755 });
  rmSync(paths.socket, { force: true });
  if (!existsSync(paths.config)) writeFileSync(paths.config, `${JSON.stringify(config, null, 2)}\n`);
  const log = openSync(paths.log, "a");
  const [command, ...args] = withLastWords([process.execPath, program, paths.name]);
  const child = spawn(command, args, {
    detached: true,
    stdio: ["ignore", log, log],
  });
  let exit: number | undefined;
  child.on("exit", (code) => {
    exit = code ?? -1;
  });
  child.unref();
  // Nodes would each load the whole SDK; they start some time after the control socket is there.
  await bundleEc2Sdk();
  for (const deadline = Date.now() + socketWaitMs; Date.now() < deadline; await pause(10)) {
    if (await accepts(paths.socket)) return;
    if (exit !== undefined) break;
  }
  throw new EniverseError("internal", {
    attempted: `start the process of the lab ${paths.name}`,
    found: exit === undefined ? "no control socket after 10 s" : `it ended with status ${exit}`,
    fix: `Its log: ${paths.log}`,
  });
}

/** A socket is there, as a file, a moment before somebody listens on it. */
function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** The configuration that the lab was made with; undefined when there is no such lab. */
export function storedConfig(paths: LabPaths): LabConfig | undefined {
  if (!existsSync(paths.config)) return undefined;
  try {
    return JSON.parse(readFileSync(paths.config, "utf8")) as LabConfig;
  } catch (cause) {
    throw new EniverseError("corrupted", {
      attempted: `read ${paths.config}`,
      found: "something that is not JSON",
      fix: `Take the lab down with: eniverse down --name ${paths.name}`,
      cause,
    });
  }
}
