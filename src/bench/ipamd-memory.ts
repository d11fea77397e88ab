import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { EniverseError } from "../base/error.ts";
import { deploymentOf } from "../cli/commands/run.ts";
import { waitForDeployment } from "../cli/readiness.ts";
import { deployments } from "../kube/resources.ts";
import { allPids } from "../linux/process.ts";
import { nodeOf, withLab } from "./bench-lab.ts";
import { rounded, type Section } from "./report.ts";

const replicas = 25;
const name = "residents";
/** The runtime gives memory back in its own time. */
const settleMs = 5000;

interface Memory {
  /** Everything that is mapped and present, pages shared with other processes included. */
  readonly rssMB: number;
  /** Shared pages divided by the number of their users. */
  readonly pssMB: number;
  /** What the machine would get back if this process alone ended. */
  readonly ownMB: number;
}

/** What ipamd costs a node. */
export const ipamdMemory: Section = {
  name: "memory",
  title: "Memory of ipamd",
  run: async ({ quick }) => {
    const settle = (): Promise<void> => pause(quick ? 1000 : settleMs);
    const runtime = await bareRuntime(settle);
    const measured = await withLab("memory", { nodes: 1, instanceType: "m5.large" }, async (lab) => {
      const pid = ipamdOf(nodeOf(lab, 0).initPid);
      await settle();
      const atRest = memoryOf(pid);
      const wish = { replicas, image: "eniverse/pause", namespace: "default" };
      await lab.kube.create(deployments, deploymentOf(name, wish));
      await waitForDeployment(lab.kube, name, "default");
      await settle();
      return { "ipamd at rest": atRest, [`ipamd with ${replicas} pods`]: memoryOf(pid) };
    });
    const rows: Record<string, Memory> = { ...measured, "the runtime with an empty program": runtime };
    return {
      about:
        "From /proc/PID/smaps_rollup on a lab with one m5.large. RSS counts the runtime's program pages in every process that uses them; " +
        "PSS shares them out among all Bun processes of the machine; Own is what ipamd alone has.",
      table: {
        columns: ["MB", "RSS", "PSS", "Own"],
        rows: Object.entries(rows).map(([what, { rssMB, pssMB, ownMB }]) => [
          what,
          ...[rssMB, pssMB, ownMB].map(rounded),
        ]),
      },
      goals: [],
      raw: rows,
    };
  },
};

async function bareRuntime(settle: () => Promise<void>): Promise<Memory> {
  const child: ChildProcess = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], {
    stdio: "ignore",
  });
  try {
    await settle();
    return memoryOf(child.pid ?? 0);
  } finally {
    child.kill("SIGKILL");
  }
}

/** Number of the node's ipamd as this machine sees it. */
function ipamdOf(initPid: number): number {
  const node = readlinkSync(`/proc/${initPid}/ns/pid`);
  const found = allPids().find((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0");
      return words[1]?.endsWith("/node/ipamd/main.ts") && readlinkSync(`/proc/${pid}/ns/pid`) === node;
    } catch {
      return false;
    }
  });
  if (found !== undefined) return found;
  throw new EniverseError("not_found", { attempted: "find the node's ipamd", found: "no such process" });
}

/** proc_pid_smaps(5); the file's kB are KiB. */
function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const megabytes = (...fields: readonly string[]): number =>
    fields.reduce((sum, field) => {
      const match = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text);
      return sum + (Number(match?.[1] ?? 0) * 1024) / 1e6;
    }, 0);
  return {
    rssMB: megabytes("Rss"),
    pssMB: megabytes("Pss"),
    ownMB: megabytes("Private_Clean", "Private_Dirty"),
  };
}
