import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { DescribeNetworkInterfacesCommand, EC2Client, type NetworkInterface } from "@aws-sdk/client-ec2";
import { hasCode } from "../base/error.ts";
import type { KubeClient } from "../kube/client.ts";
import { createKubeClient } from "../kube/fetch-client.ts";
import { clientConfigOf } from "../kube/kubeconfig.ts";
import { daemonSets, type Event, events, pods } from "../kube/resources.ts";
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
  /** Brings the lab up from the text of a `lab.yaml`; resolves when its nodes are Ready. */
  upFrom(yaml: string): Promise<void>;
  /** Takes the lab down, when it is there. */
  down(): void;
  machines(): Promise<readonly LabMachine[]>;
  /** What a command on a node prints; the node by name, address or instance id. */
  on(node: string, ...words: readonly string[]): string;
  addresses(): AddressRow[];
  kube(): KubeClient;
  ec2(): Promise<EC2Client>;
  /** The attached ENIs of a node (its name or the start of it) by device index, as EC2 shows them. */
  enis(node: string): Promise<NetworkInterface[]>;
  /** `kubectl set env daemonset aws-node`; null takes a variable out. Does not wait. */
  setEnv(env: Readonly<Record<string, string | null>>): Promise<void>;
  /** {@link setEnv}, then `kubectl rollout status`. */
  rollOut(env: Readonly<Record<string, string | null>>): Promise<void>;
  /** Deletes the aws-node pods: ipamd starts again at once, without a back-off. Does not wait. */
  restartAwsNode(): Promise<void>;
  /** Warning events, newest last. */
  warnings(): Promise<Event[]>;
}

/** A bed for a lab of this process's own; `label` keeps it apart from others of the same process. */
export function labBed(label: string): LabBed {
  const paths = labPaths(`${label}${process.pid}`);
  let client: KubeClient | undefined;
  let ec2Client: EC2Client | undefined;
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
  const ec2 = async (): Promise<EC2Client> => {
    if (ec2Client !== undefined) return ec2Client;
    const { endpoints } = await labStatus(paths);
    if (endpoints === undefined) throw new Error(`the lab ${paths.name} has no endpoints yet`);
    const { aws, region, accessKeyId, secretAccessKey } = endpoints;
    ec2Client = new EC2Client({ endpoint: aws, region, credentials: { accessKeyId, secretAccessKey } });
    return ec2Client;
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
    upFrom: async (yaml) => {
      const folder = mkdtempSync(join(tmpdir(), "lab-bed-"));
      try {
        const file = join(folder, "lab.yaml");
        writeFileSync(file, yaml);
        const argv = [command, "--name", paths.name, "up", "--config", file, "--detach"];
        await promisify(execFile)(process.execPath, argv, { timeout: 120_000 });
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
    ec2,
    enis: async (node) => {
      const { machines } = await labStatus(paths);
      const machine = machines.find(({ nodeName }) => nodeName.startsWith(node));
      if (machine === undefined) throw new Error(`no node ${node}`);
      const filter = { Name: "attachment.instance-id", Values: [machine.instanceId] };
      const { NetworkInterfaces: enis = [] } = await (await ec2()).send(
        new DescribeNetworkInterfacesCommand({ Filters: [filter] }),
      );
      return enis.sort((a, b) => (a.Attachment?.DeviceIndex ?? 0) - (b.Attachment?.DeviceIndex ?? 0));
    },
    rollOut: async (env) => {
      await setEnv(env);
      await until("aws-node is rolled out", () => isRolledOut(kube()));
    },
    restartAwsNode: async () => {
      const where = { namespace: "kube-system", labelSelector: "k8s-app=aws-node" };
      const { items } = await kube().list(pods, where);
      await Promise.all(items.map(({ metadata }) => kube().delete(pods, metadata.name, where)));
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
  waitMs = 60_000,
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
