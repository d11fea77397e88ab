// What the tests with the real kubectl share: a server over TLS on loopback with one node, and calls of the program.
// What the controllers, the scheduler and a kubelet would do is done by hand: the API server is what is tested.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realClock } from "../../base/clock.ts";
import { noLog } from "../../base/log.ts";
import { seededRandom } from "../../base/random.ts";
import { startInformer } from "../../kube/informer.ts";
import { type Condition, nodes, type Pod, pods } from "../../kube/resources.ts";
import type { ApiServer } from "./options.ts";
import { createApiServer } from "./server.ts";

/** KUBECTL chooses another one than that on the PATH; null when there is none. */
export const program = process.env.KUBECTL ?? Bun.which("kubectl");

export const suiteName = `kubectl (${program ?? "skipped: there is no kubectl on the PATH"})`;

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface CallOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export class KubectlStage implements AsyncDisposable {
  readonly server: ApiServer;
  readonly #folder = mkdtempSync(join(tmpdir(), "kubectl-"));

  constructor() {
    this.server = createApiServer({
      dbPath: ":memory:",
      tlsDir: this.#folder,
      clock: realClock,
      random: seededRandom(1),
      log: noLog,
      readPodLog: async (pod, { container, follow, tailLines }) =>
        new Blob([`${pod.node} ${pod.name} ${container} ${follow} ${tailLines ?? "all"}\n`]).stream(),
    });
    const { url } = this.server.listen("127.0.0.1", 0);
    writeFileSync(this.#config, this.server.kubeconfig(url), { mode: 0o600 });
  }

  get #config(): string {
    return join(this.#folder, "config");
  }

  /** Starts the program; it is the caller's to end. */
  start(args: readonly string[], { stdin = "", env = {} }: CallOptions = {}) {
    return Bun.spawn([program ?? "kubectl", ...args], {
      env: { ...process.env, HOME: this.#folder, KUBECONFIG: this.#config, ...env },
      stdin: new Blob([stdin]),
      stdout: "pipe",
      stderr: "pipe",
    });
  }

  async run(args: readonly string[], options: CallOptions = {}): Promise<Outcome> {
    const child = this.start(args, options);
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { code, out, err };
  }

  /** The output of a call that must succeed; the line is split at spaces. */
  async succeed(line: string, options: CallOptions = {}): Promise<string> {
    const { code, out, err } = await this.run(line.split(" "), options);
    if (code !== 0) throw new Error(`kubectl ${line}: ${code}\n${out}${err}`);
    return out;
  }

  /** A file with the manifest. */
  written(name: string, manifest: object): string {
    const file = join(this.#folder, `${name}.json`);
    writeFileSync(file, JSON.stringify(manifest));
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The rows of a table, each cut at runs of two or more spaces. */
export function rows(table: string): string[][] {
  return table
    .trimEnd()
    .split("\n")
    .map((row) => row.trimEnd().split(/\s{2,}/));
}

export function web(more: { image?: string; env?: object[]; replicas?: number } = {}): object {
  const container = {
    name: "c",
    image: more.image ?? "echo:1",
    env: more.env ?? [
      { name: "A", value: "1" },
      { name: "B", value: "2" },
    ],
    ports: [{ containerPort: 80 }],
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", labels: { app: "web" } },
    spec: {
      replicas: more.replicas ?? 2,
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [container] } },
    },
  };
}

const node = {
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "n1", labels: { "kubernetes.io/os": "linux" } },
  spec: { providerID: "aws:///us-west-2a/i-1" },
  status: {
    capacity: { cpu: "2", memory: "8Gi", pods: "29" },
    allocatable: { cpu: "1930m", memory: "7Gi", pods: "29" },
    conditions: [{ type: "Ready", status: "True", reason: "KubeletReady", message: "ready" }] as Condition[],
    addresses: [{ type: "InternalIP" as const, address: "10.0.1.4" }],
  },
};

/** Registers the node n1. */
export async function addNode(server: ApiServer): Promise<void> {
  await server.client.create(nodes, node);
}

/** What a kubelet says of a pod that runs. */
export async function runPod(server: ApiServer, name: string, namespace = "default"): Promise<void> {
  await server.client.create(
    { group: "", version: "v1", plural: "bindings", kind: "Binding", namespaced: true },
    {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name, namespace },
      target: { kind: "Node", name: "n1" },
    } as never,
  );
  const pod = await server.client.get(pods, name, namespace);
  await server.client.updateStatus(pods, {
    ...pod,
    status: {
      ...pod.status,
      phase: "Running",
      podIP: "10.0.1.20",
      podIPs: [{ ip: "10.0.1.20" }],
      conditions: [{ type: "Ready", status: "True" }],
      containerStatuses: pod.spec.containers.map((container) => ({
        name: container.name,
        ready: true,
        restartCount: 0,
        image: container.image ?? "",
        imageID: "",
        state: { running: { startedAt: "2024-05-01T10:00:00Z" } },
      })),
    },
  });
}

/** Ends pods of the node at once when they are to go, as a quick kubelet does. */
export function endPodsQuickly(server: ApiServer): { stop(): void } {
  const end = ({ metadata }: Pod): void => {
    if (metadata.deletionTimestamp === undefined) return;
    const options = { namespace: metadata.namespace ?? "", gracePeriodSeconds: 0 };
    server.client.delete(pods, metadata.name, options).catch(() => {});
  };
  return startInformer<Pod>(server.client, pods, { onAdd: end, onUpdate: end });
}
