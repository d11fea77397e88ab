import { Database } from "bun:sqlite";
import { mkdirSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { EniverseError } from "../base/error.ts";
import type { LabPaths } from "./paths.ts";

/**
 * Held by the one command that brings a lab up or takes it down at a time. The kernel frees it when its holder ends,
 * however it ends: it is SQLite's lock on an empty file.
 */
export interface LaunchLock {
  release(): void;
}

/** Takes the lock, waiting for at most `waitMs`; throws `already_exists` when another command has it. */
export async function lockLaunch(paths: LabPaths, attempted: string, waitMs: number): Promise<LaunchLock> {
  mkdirSync(dirname(paths.lock), { recursive: true, mode: 0o755 });
  for (const deadline = Date.now() + waitMs; ; await pause(20)) {
    const lock = tryLock(paths.lock);
    if (lock !== undefined) return lock;
    if (Date.now() >= deadline) break;
  }
  throw new EniverseError("already_exists", {
    attempted: `${attempted} the lab ${paths.name}`,
    found: "another command is bringing it up or taking it down",
    fix: `See "eniverse status", or choose another --name`,
  });
}

function tryLock(file: string): LaunchLock | undefined {
  const database = new Database(file);
  try {
    database.run("BEGIN EXCLUSIVE");
    if (!hasOpenDeleted(file)) {
      return {
        release: () => {
          rmSync(file, { force: true });
          database.close();
        },
      };
    }
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "SQLITE_BUSY")) throw error;
  }
  database.close();
  return undefined;
}

/**
 * A holder removes the file as it lets go: who had opened it by then holds a lock that nobody else sees. Asked of
 * /proc, because opening and closing the file once more would free the locks of this process (fcntl_locking(2)).
 */
function hasOpenDeleted(file: string): boolean {
  const targetOf = (descriptor: string): string => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      return "";
    }
  };
  return readdirSync("/proc/self/fd").some((descriptor) => targetOf(descriptor) === `${file} (deleted)`);
}
