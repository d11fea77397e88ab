import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { EC2Client } from "@aws-sdk/client-ec2";
import { hasCode } from "../base/error.ts";
import type { KubeClient } from "../kube/client.ts";
import { createKubeClient } from "../kube/fetch-client.ts";
import { clientConfigOf } from "../kube/kubeconfig.ts";
import { daemonSets, type Event, events } from "../kube/resources.ts";
import { type LabMachine, labStatus } from "./control.ts";
import { type LabPaths, labPaths } from "./paths.ts";

// A lab under test, worked as a user works it: through the command, with kubectl's requests, with EC2's API.

const command = fileURLToPath(new URL("../cli/main.ts", import.meta.url));

/** How a command ended. */
export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A row of `get addresses`. */
export interface AddressRow {
  readonly address: string;
  readonly state: "primary" | "assigned" | "warm" | "cooling" | "prefix" | "held";
  readonly eniId: string;
  readonly subnetId: string;
  readonly instanceId?: string;
  readonly node?: string;
  readonly pod?: string;
}

export interface LabBed {
  readonly paths: LabPaths;
  /** Runs the command for this lab; never throws. */
  run(...args: readonly string[]): Run;
  /** The same; throws with all that was printed when it fails. */
  succeed(...args: readonly string[]): string;
  json<T>(...args: readonly string[]): T;
  /** Brings the lab up from the text of a `lab.yaml`. */
  upFrom(yaml: string): void;
  /** Takes the lab down, when it is there. */
  down(): void;
  machines(): Promise<readonly LabMachine[]>;
  /** What a command on a node prints; the node by name, address or instance id. */
  on(node: string, ...words: readonly string[]): string;
  addresses(): AddressRow[];
  kube(): KubeClient;
  ec2(): Promise<EC2Client>;
  /** `kubectl set env daemonset aws-node`; null takes a variable out. Does not wait. */
  setEnv(env: Readonly<Record<string, string | null>>): Promise<void>;
  /** {@link setEnv}, then `kubectl rollout status`. */
  rollOut(env: Readonly<Record<string, string | null>>): Promise<void>;
  /** Warning events, newest last. */
  warnings(): Promise<Event[]>;
}

/** A bed for a lab of this process's own; `label` keeps it apart from others of the same process. */
export function labBed(label: string): LabBed {
  const paths = labPaths(`${label}${process.pid}`);
  let client: KubeClient | undefined;
  const run = (...args: readonly string[]): Run => {
    const argv = [command, "--name", paths.name, ...args];
    const { status, stdout, stderr } = spawnSync(process.execPath, argv, {
      encoding: "utf8",
      timeout: 90_000,
    });
    return { status, stdout, stderr };
  };
  const succeed = (...args: readonly string[]): string => {
    const ended = run(...args);
    if (ended.status === 0) return ended.stdout;
    throw new Error(`eniverse ${args.join(" ")}: ${ended.status}\n${ended.stdout}\n${ended.stderr}`);
  };
  const json = <T>(...args: readonly string[]): T => JSON.parse(succeed(...args, "-o", "json")) as T;
  const kube = (): KubeClient => {
    client ??= createKubeClient(clientConfigOf(readFileSync(paths.kubeconfig, "utf8")));
    return client;
  };
  const setEnv: LabBed["setEnv"] = async (env) => {
    const entries = Object.entries(env).map(([name, value]) =>
      value === null ? { name, $patch: "delete" } : { name, value },
    );
    const patch = { spec: { template: { spec: { containers: [{ name: "aws-node", env: entries }] } } } };
    await kube().patch(daemonSets, "aws-node", patch, { namespace: "kube-system", kind: "strategic" });
  };
  return {
    paths,
    run,
    succeed,
    json,
    kube,
    setEnv,
    upFrom: (yaml) => {
      const folder = mkdtempSync(join(tmpdir(), "lab-bed-"));
      try {
        const file = join(folder, "lab.yaml");
        writeFileSync(file, yaml);
        succeed("up", "--config", file, "--detach");
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    down: () => {
      if (existsSync(paths.state)) succeed("down");
    },
    machines: async () => (await labStatus(paths)).machines,
    on: (node, ...words) => succeed("node", node, "--", ...words),
    addresses: () => json<AddressRow[]>("get", "addresses"),
    ec2: async () => {
      const { endpoints } = await labStatus(paths);
      if (endpoints === undefined) throw new Error(`the lab ${paths.name} has no endpoints yet`);
      const { EC2Client } = await import("@aws-sdk/client-ec2");
      return new EC2Client({
        endpoint: endpoints.aws,
        region: endpoints.region,
        credentials: { accessKeyId: endpoints.accessKeyId, secretAccessKey: endpoints.secretAccessKey },
      });
    },
    rollOut: async (env) => {
      await setEnv(env);
      await until("aws-node is rolled out", () => isRolledOut(kube()));
    },
    warnings: async () => {
      const { items } = await kube().list(events);
      return items
        .filter(({ type }) => type === "Warning")
        .toSorted((a, b) => timeOf(a).localeCompare(timeOf(b)));
    },
  };
}

/** Asks until it holds; what throws `not_found` or `unavailable` meanwhile is asked again. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  waitMs = 30_000,
): Promise<void> {
  for (const deadline = Date.now() + waitMs; Date.now() < deadline; await pause(100)) {
    try {
      if (await holds()) return;
    } catch (thrown) {
      if (!hasCode(thrown, "not_found", "unavailable")) throw thrown;
    }
  }
  throw new Error(`not in ${waitMs} ms: ${what}`);
}

async function isRolledOut(kube: KubeClient): Promise<boolean> {
  const { metadata, status } = await kube.get(daemonSets, "aws-node", "kube-system");
  const wanted = status?.desiredNumberScheduled ?? 0;
  return (
    status?.observedGeneration === metadata.generation &&
    (status?.updatedNumberScheduled ?? 0) === wanted &&
    (status?.numberAvailable ?? 0) === wanted
  );
}

const timeOf = (event: Event): string =>
  event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? "";
