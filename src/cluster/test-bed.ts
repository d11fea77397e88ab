import type { ChildProcess } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { realClock } from "../base/clock.ts";
import { EniverseError } from "../base/error.ts";
import { jsonLog, type Log } from "../base/log.ts";
import { seededRandom } from "../base/random.ts";
import type { KubeClient } from "../kube/client.ts";
import { type Informer, startInformer } from "../kube/informer.ts";
import { type Deployment, type Pod, pods } from "../kube/resources.ts";
import { endHolder, type Holder, spawnIn, startNamespaceHolder } from "../linux/holder.ts";
import { inNetns, Netns } from "../linux/netns.ts";
import type { ApiServer } from "./apiserver/options.ts";
import { createApiServer } from "./apiserver/server.ts";
import { type KubeletSettings, kubeletFlags } from "./kubelet/flags.ts";
import { type Cluster, startCluster } from "./start.ts";

/**
 * A cluster of one node for live tests and measurements: the API server and the controllers in this process, a
 * kubelet in namespaces of its own, Debian's ptp and host-local plugins as its network. Everything is in one
 * temporary folder.
 */
const kubeletProgram = fileURLToPath(new URL("./kubelet/main.ts", import.meta.url));
const apiPort = 6443;

export class ClusterBed implements AsyncDisposable {
  readonly folder: string;
  readonly nodeName = "node-1";
  readonly client: KubeClient;
  readonly #server: ApiServer;
  readonly #cluster: Cluster;
  #holder: Holder;
  readonly #informer: Informer<Pod>;
  readonly #settings: Partial<KubeletSettings>;
  #kubelet: ChildProcess | undefined;
  #changed: () => void = () => {};

  private constructor(
    folder: string,
    server: ApiServer,
    holder: Holder,
    log: Log,
    settings: Partial<KubeletSettings>,
    nodeGraceMs: number,
  ) {
    this.folder = folder;
    this.#server = server;
    this.client = server.client;
    this.#holder = holder;
    this.#settings = settings;
    this.#cluster = startCluster({ client: server.client, log, nodeGraceMs });
    this.#informer = startInformer(server.client, pods, { onChange: () => this.#changed() });
  }

  /** Starts everything but the kubelet and the network configuration. */
  static async start(settings: Partial<KubeletSettings> = {}, nodeGraceMs = 40_000): Promise<ClusterBed> {
    const folder = mkdtempSync(join(tmpdir(), "eniverse-cluster-"));
    for (const name of ["net.d", "netns", "logs", "ipam", "cni-bin"]) mkdirSync(join(folder, name));
    placePlugins(join(folder, "cni-bin"));
    const log = jsonLog((line) => writeFileSync(join(folder, "cluster.log"), line, { flag: "a" }), {
      caller: "cluster",
    });
    const server = createApiServer({
      dbPath: ":memory:",
      tlsDir: join(folder, "tls"),
      clock: realClock,
      random: seededRandom(1),
      log,
    });
    const holder = await startNode(folder);
    listenIn(holder, server);
    writeFileSync(join(folder, "ca.crt"), server.ca);
    writeFileSync(join(folder, "token"), server.tokenFor({ node: "node-1" }));
    return new ClusterBed(folder, server, holder, log, settings, nodeGraceMs);
  }

  /** The kubelet's socket, for logs and exec. */
  get socket(): string {
    return join(this.folder, "kubelet.sock");
  }

  get netns(): string {
    return this.#holder.netnsPath;
  }

  startKubelet(): void {
    const { folder } = this;
    const flags = kubeletFlags({
      nodeName: this.nodeName,
      apiServer: `https://127.0.0.1:${apiPort}`,
      nodeIp: "127.0.0.1",
      caFile: join(folder, "ca.crt"),
      tokenFile: join(folder, "token"),
      socket: this.socket,
      rootDir: join(folder, "kubelet"),
      logDir: join(folder, "logs"),
      netnsDir: join(folder, "netns"),
      cniConfDir: join(folder, "net.d"),
      cniBinDir: join(folder, "cni-bin"),
      cniCacheDir: join(folder, "cni"),
      ...this.#settings,
    });
    const child = spawnIn(this.#holder, [process.execPath, kubeletProgram, ...flags], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      writeFileSync(join(folder, "kubelet.log"), chunk, { flag: "a" });
    });
    this.#kubelet = child;
  }

  /** As kill -9 on the kubelet. */
  async killKubelet(): Promise<void> {
    const child = this.#kubelet;
    if (child === undefined) return;
    this.#kubelet = undefined;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  /** Ends every process of the node and its namespaces; its files stay. No kubelet runs afterwards. */
  async reboot(): Promise<void> {
    this.#kubelet = undefined;
    await endHolder(this.#holder);
    this.#holder = await startNode(this.folder);
    listenIn(this.#holder, this.#server);
  }

  /** Writes a conflist; other `plugins` than the working ones make it a broken network. */
  setNetwork(plugins: readonly object[] = workingPlugins(join(this.folder, "ipam"))): void {
    const text = JSON.stringify({ cniVersion: "1.0.0", name: "bed", plugins });
    writeFileSync(join(this.folder, "net.d", "10-bed.conflist"), text);
  }

  pods(): Pod[] {
    return this.#informer.list();
  }

  /** Resolves with what `look` answers once that is neither undefined nor false; fails after `seconds`. */
  async until<T>(what: string, look: (pods: Pod[]) => T | undefined | false, seconds = 60): Promise<T> {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const found = look(this.pods());
      if (found !== undefined && found !== false) return found;
      const leftMs = deadline - Date.now();
      if (leftMs <= 0) {
        throw new EniverseError("timeout", {
          attempted: `wait for ${what}`,
          found: `${JSON.stringify(this.pods().map(summary))}\n${this.kubeletLog().slice(-3000)}`,
        });
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#changed = resolve;
      const timer = setTimeout(resolve, Math.min(leftMs, 200));
      await promise;
      clearTimeout(timer);
    }
  }

  kubeletLog(): string {
    try {
      return readFileSync(join(this.folder, "kubelet.log"), "utf8");
    } catch {
      return "";
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#informer.stop();
    await this.#cluster.stop();
    await endHolder(this.#holder);
    await this.#server.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function startNode(folder: string): Promise<Holder> {
  return startNamespaceHolder(
    { net: true, mount: true, pid: true, uts: true },
    { label: folder, loopback: true },
  );
}

const debianPlugins = "/usr/lib/cni";

/** The API server is the node's neighbour at 127.0.0.1, so that no wires are needed. */
function listenIn(holder: Holder, server: ApiServer): void {
  using place = Netns.open(holder.netnsPath);
  inNetns(place, () => server.listen("127.0.0.1", apiPort));
}

/** Debian's plugins, and "hold", whose ADD waits for ever, as for an address that does not come. */
function placePlugins(folder: string): void {
  for (const name of readdirSync(debianPlugins)) symlinkSync(join(debianPlugins, name), join(folder, name));
  writeFileSync(
    join(folder, "hold"),
    '#!/bin/sh\n[ "$CNI_COMMAND" = ADD ] || exit 0\n: >"$0.$CNI_CONTAINERID"\nexec sleep 1000\n',
    { mode: 0o755 },
  );
}

function workingPlugins(dataDir: string): object[] {
  const ipam = {
    type: "host-local",
    ranges: [[{ subnet: "10.88.0.0/16" }]],
    dataDir,
    routes: [{ dst: "0.0.0.0/0" }],
  };
  return [{ type: "ptp", ipam }];
}

const summary = ({ metadata, status }: Pod): object => ({
  name: metadata.name,
  phase: status?.phase,
  state: status?.containerStatuses?.map(({ state }) => state),
});

export const isReady = (pod: Pod): boolean =>
  pod.metadata.deletionTimestamp === undefined &&
  pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;

/** A Deployment of echo servers, ready as soon as they answer. */
export function echoDeployment(name: string, replicas: number, readiness = true): Deployment {
  const probe = { tcpSocket: { port: 8080 }, periodSeconds: 1 };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: "default" },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 2,
          containers: [{ name: "echo", image: "eniverse/echo", ...(readiness && { readinessProbe: probe }) }],
        },
      },
    },
  };
}
