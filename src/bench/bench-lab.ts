import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EniverseError } from "../base/error.ts";
import { takeDown } from "../cli/commands/down.ts";
import { bringUp } from "../cli/commands/up.ts";
import { connectToLab, type LabConnection } from "../cli/lab-connection.ts";
import type { LabFlags } from "../cli/lab-flags.ts";
import type { LabMachine } from "../lab/control.ts";
import { type LabPaths, labPaths } from "../lab/paths.ts";
import { keepEvidence } from "./evidence.ts";

/** Labs of this run that are up or half up. */
const alive = new Map<string, LabPaths>();

/** A name that no other run uses. */
export function freshLabName(subject: string): string {
  return `bench-${subject}-${randomBytes(3).toString("hex")}`;
}

/** Remembers the lab, so that {@link takeAllDown} finds it however the run ends. */
export function remember(name: string): LabPaths {
  const paths = labPaths(name);
  alive.set(name, paths);
  return paths;
}

export async function takeLabDown(name: string): Promise<void> {
  const paths = alive.get(name);
  if (paths === undefined) return;
  if (existsSync(paths.state) || existsSync(paths.run)) await takeDown(paths);
  alive.delete(name);
}

/** For the end of the run, also a premature one. */
export async function takeAllDown(): Promise<void> {
  for (const name of [...alive.keys()]) await takeLabDown(name);
}

export interface LabWishes {
  readonly nodes: number;
  readonly instanceType: string;
  /** KEY=VALUE of aws-node's environment. */
  readonly set?: readonly string[];
  /** Milliseconds, as in `ec2` of a lab.yaml; the lab's own when absent. */
  readonly ec2?: { readonly latencies: Readonly<Record<string, number>>; readonly imdsLag: number };
}

/** Brings a lab of its own up for `work`, waits until its nodes are Ready, and takes it down again. */
export async function withLab<T>(
  subject: string,
  { ec2, ...wishes }: LabWishes,
  work: (lab: LabConnection) => Promise<T>,
): Promise<T> {
  const name = freshLabName(subject);
  const paths = remember(name);
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  const config = join(folder, "lab.yaml");
  writeFileSync(config, JSON.stringify(ec2 === undefined ? {} : { ec2 }));
  const flags: LabFlags = { zones: 2, vpcCidr: "10.0.0.0/16", set: [], config, ...wishes };
  try {
    await bringUp(paths, flags);
    return await work(await connectToLab(name));
  } catch (error) {
    process.stderr.write(`what the lab knows of the failure is kept in ${await keepEvidence(paths)}\n`);
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await takeLabDown(name);
  }
}

/** The first node of the lab, or the one after it … */
export function nodeOf(lab: LabConnection, index: number): LabMachine {
  const machine = lab.status.machines[index];
  if (machine !== undefined) return machine;
  throw new EniverseError("internal", {
    attempted: `take node ${index} of the lab ${lab.status.name}`,
    found: `${lab.status.machines.length} nodes`,
  });
}
