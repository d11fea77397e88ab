import { afterAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockLaunch } from "./launch-lock.ts";
import { labPaths } from "./paths.ts";

const folder = mkdtempSync(join(tmpdir(), "launch-lock-"));
afterAll(() => rmSync(folder, { recursive: true }));
const paths = { ...labPaths("dev"), lock: join(folder, "dev.lock") };
const module = new URL("./launch-lock.ts", import.meta.url).pathname;

/** Another command, which takes the lock and keeps it until it is killed. */
async function otherHolder(): Promise<AsyncDisposable> {
  const program = `
    const { lockLaunch } = await import(${JSON.stringify(module)});
    globalThis.lock = await lockLaunch(${JSON.stringify(paths)}, "bring up", 0);
    console.log("held");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

describe("the lock on a lab's coming and going", () => {
  test("is held by one command at a time, and leaves nothing", async () => {
    const lock = await lockLaunch(paths, "bring up", 0);
    await expect(lockLaunch(paths, "bring up", 0)).rejects.toThrow(
      "cannot bring up the lab dev: another command is bringing it up or taking it down",
    );
    lock.release();
    (await lockLaunch(paths, "take down", 0)).release();
    expect(existsSync(paths.lock)).toBe(false);
  });

  test("keeps other processes out, until the kernel frees what a killed one held", async () => {
    {
      await using _other = await otherHolder();
      await expect(lockLaunch(paths, "bring up", 0)).rejects.toThrow("another command");
    }
    (await lockLaunch(paths, "bring up", 0)).release();
  });

  test("is waited for", async () => {
    const lock = await lockLaunch(paths, "bring up", 0);
    const waiting = lockLaunch(paths, "take down", 60_000);
    lock.release();
    const next = await waiting;
    expect(existsSync(paths.lock)).toBe(true);
    await expect(lockLaunch(paths, "bring up", 0)).rejects.toThrow("another command");
    next.release();
  });
});
