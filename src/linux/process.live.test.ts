import { describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import {
  childPids,
  endProcess,
  identityOf,
  isAlive,
  type ProcessIdentity,
  signalProcess,
} from "./process.ts";

function start(script: string): { child: ChildProcess; identity: ProcessIdentity } {
  const child = spawn("sh", ["-c", script], { stdio: ["pipe", "pipe", "ignore"] });
  const identity = identityOf(child.pid ?? -1);
  if (identity === undefined) throw new Error("the child is gone");
  return { child, identity };
}

describe("processes", () => {
  test("end on SIGTERM, and are known to be gone", async () => {
    const { child, identity } = start("exec sleep 60");
    expect(isAlive(identity)).toBe(true);
    expect(childPids(process.pid)).toContain(identity.pid);
    const exited = once(child, "exit");
    await endProcess(identity, 5000);
    expect(await exited).toEqual([null, "SIGTERM"]);
    expect(isAlive(identity)).toBe(false);
    expect(identityOf(identity.pid)).toBeUndefined();
    await endProcess(identity, 5000);
  });

  test("that ignore SIGTERM end on SIGKILL", async () => {
    const { child, identity } = start("trap '' TERM; echo ready; exec sleep 60");
    const exited = once(child, "exit");
    if (child.stdout) await once(child.stdout, "data");
    await endProcess(identity, 20);
    expect(await exited).toEqual([null, "SIGKILL"]);
  });

  test("with the same number but another start are left alone", async () => {
    const { child, identity } = start("exec sleep 60");
    const earlier = { pid: identity.pid, startTime: identity.startTime - 1 };
    expect(isAlive(earlier)).toBe(false);
    expect(signalProcess(earlier, "SIGKILL")).toBe(false);
    await endProcess(earlier, 0);
    expect(isAlive(identity)).toBe(true);
    const exited = once(child, "exit");
    await endProcess(identity, 0);
    await exited;
  });

  test("with odd names are read right", async () => {
    // The second field of /proc/PID/stat is the name, here with parentheses and blanks.
    const { child, identity } = start("printf 'a) Z 1 (' >/proc/self/comm; echo ready; read line");
    if (child.stdout) await once(child.stdout, "data");
    expect(readFileSync(`/proc/${identity.pid}/comm`, "utf8")).toBe("a) Z 1 (\n");
    expect(identityOf(identity.pid)).toEqual(identity);
    expect(childPids(process.pid)).toContain(identity.pid);
    const exited = once(child, "exit");
    await endProcess(identity, 0);
    await exited;
  });
});
