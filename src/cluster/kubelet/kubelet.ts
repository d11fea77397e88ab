import { rmSync } from "node:fs";
import { type Clock, realClock } from "../../base/clock.ts";
import { messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import type { KubeClient } from "../../kube/client.ts";
import { type Informer, startInformer } from "../../kube/informer.ts";
import { type Pod, pods } from "../../kube/resources.ts";
import { createEventRecorder, type EventRecorder } from "../events.ts";
import { configSource, tokenSource } from "./api-credentials.ts";
import { logFile, podLogDir } from "./containers.ts";
import type { KubeletSettings } from "./flags.ts";
import { LogTimes, lookEveryMs } from "./log-times.ts";
import { NetworkConfig } from "./network.ts";
import type { MachineFacts } from "./node-object.ts";
import { NodeReporter } from "./node-reporter.ts";
import { PodWorker, type WorkerParts } from "./pod-worker.ts";
import { Sandboxes } from "./sandbox.ts";
import { Semaphore } from "./semaphore.ts";
import { type PodState, StateFolder } from "./state.ts";
import { StatusWriter } from "./status-writer.ts";

export interface KubeletParts {
  readonly client: KubeClient;
  readonly settings: KubeletSettings;
  readonly machine: MachineFacts;
  readonly log: Log;
  readonly clock?: Clock;
}

/** A node's pods: one worker each, fed by the informer of the pods that are bound to the node. */
export class Kubelet {
  readonly #settings: KubeletSettings;
  readonly #log: Log;
  readonly #workers = new Map<string, PodWorker>();
  readonly #folder: StateFolder;
  readonly #sandboxes: Sandboxes;
  readonly #network: NetworkConfig;
  readonly #events: EventRecorder;
  readonly #reporter: NodeReporter;
  readonly #parts: WorkerParts;
  readonly #client: KubeClient;
  readonly #stopping = new AbortController();
  #informer: Informer<Pod> | undefined;

  constructor({ client, settings, machine, log, clock = realClock }: KubeletParts) {
    this.#settings = settings;
    this.#client = client;
    this.#log = log;
    this.#events = createEventRecorder(client, { component: "kubelet", host: settings.nodeName, clock, log });
    this.#folder = new StateFolder(settings.rootDir);
    this.#network = new NetworkConfig(settings.cniConfDir, log, () => this.#onNetwork());
    this.#sandboxes = new Sandboxes({
      netnsDir: settings.netnsDir,
      cniBinDir: settings.cniBinDir,
      resultDir: settings.cniCacheDir,
      network: () => this.#network.get(),
      log,
    });
    const networkReady = (): boolean => this.#network.get() !== undefined;
    this.#reporter = new NodeReporter({
      client,
      clock,
      log,
      events: this.#events,
      settings,
      machine,
      networkReady,
    });
    const url = new URL(settings.apiServer);
    this.#parts = {
      clock,
      log,
      events: this.#events,
      folder: this.#folder,
      sandboxes: this.#sandboxes,
      statuses: new StatusWriter(client, clock, log),
      containers: {
        nodeIp: settings.nodeIp,
        logDir: settings.logDir,
        podDir: (uid) => this.#folder.podDir(uid),
        source: configSource(client),
        credentials: tokenSource(settings),
        apiServer: { host: url.hostname.replace(/^\[|\]$/g, ""), port: url.port || "443" },
      },
      slots: new Semaphore(settings.parallelSandboxes),
      removalSlots: new Semaphore(settings.parallelSandboxes),
      nodeIp: settings.nodeIp,
      networkReady,
      crashBackoffMs: settings.crashBackoffMs,
      maxCrashBackoffMs: settings.maxCrashBackoffMs,
      deletePod: ({ metadata }) =>
        client.delete(pods, metadata.name, {
          namespace: metadata.namespace ?? "default",
          gracePeriodSeconds: 0,
        }),
      onGone: (uid) => this.#forget(uid),
    };
  }

  /** Takes over what is there, then follows the API server. */
  async start(): Promise<void> {
    const known = this.#folder.load();
    const ids = new Set(known.flatMap(({ sandbox }) => (sandbox === undefined ? [] : [sandbox.id])));
    const paths = new Set(
      known.flatMap(({ sandbox }) => (sandbox?.netns === undefined ? [] : [sandbox.netns])),
    );
    for (const state of known) this.#adopt(state);
    const sweeping = this.#sandboxes.sweep(ids, paths).catch((error: unknown) => {
      this.#log("warn", "orphaned sandboxes stay", { error: messageOf(error) });
    });
    void this.#reporter.run();
    void this.#noteLogs();
    const informer = startInformer(this.#client, pods, {
      fieldSelector: `spec.nodeName=${this.#settings.nodeName}`,
      log: this.#log,
      onAdd: (pod) => this.#onPod(pod, false),
      onUpdate: (pod) => this.#onPod(pod, false),
      onDelete: (pod) => this.#onPod(pod, true),
    });
    this.#informer = informer;
    await sweeping;
    await informer.synced;
    // Pods that were taken from the API server while no kubelet was here.
    for (const worker of this.#workers.values()) {
      const { name, namespace, uid } = worker.pod.metadata;
      if (informer.get(name, namespace)?.metadata.uid !== uid) worker.update(worker.pod, true);
    }
  }

  /** The worker of a pod by its name; undefined when the pod is not on this node. */
  worker(namespace: string, name: string): PodWorker | undefined {
    const found = [...this.#workers.values()].filter(
      ({ pod }) => pod.metadata.name === name && pod.metadata.namespace === namespace,
    );
    // Of a pod and its successor of the same name the newer one.
    return found.at(-1);
  }

  /** Ends the kubelet and leaves the pods running. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#informer?.stop();
    this.#reporter.stop();
    this.#network.stop();
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop()));
    await this.#events.flush();
  }

  async #noteLogs(): Promise<void> {
    const { signal } = this.#stopping;
    const times = new LogTimes();
    while (!signal.aborted) {
      const logs = [...this.#workers.values()].flatMap(({ pod, state }) =>
        Object.entries(state.containers).map(([name, { restartCount }]) =>
          logFile(this.#settings.logDir, pod, name, restartCount ?? 0),
        ),
      );
      times.look(logs, this.#parts.clock.now());
      await this.#parts.clock.sleep(lookEveryMs, signal).catch(() => {});
    }
  }

  #adopt(state: PodState): void {
    const worker = new PodWorker(this.#parts, state);
    this.#workers.set(state.pod.metadata.uid ?? "", worker);
    worker.start();
  }

  #onPod(pod: Pod, removed: boolean): void {
    const uid = pod.metadata.uid ?? "";
    const known = this.#workers.get(uid);
    if (known !== undefined) {
      known.update(pod, removed);
      return;
    }
    if (removed) return;
    const { phase } = pod.status ?? {};
    const finished = phase === "Succeeded" || phase === "Failed";
    if (finished && pod.metadata.deletionTimestamp === undefined) return;
    this.#adopt({ version: 1, pod, seenAt: this.#parts.clock.now(), sandboxes: 0, containers: {} });
  }

  #onNetwork(): void {
    this.#log("info", "network configuration changed", { ready: this.#network.get() !== undefined });
    this.#reporter.poke();
    for (const worker of this.#workers.values()) worker.poke();
  }

  #forget(uid: string): void {
    const worker = this.#workers.get(uid);
    if (worker === undefined) return;
    this.#workers.delete(uid);
    rmSync(podLogDir(this.#settings.logDir, worker.pod), { recursive: true, force: true });
  }
}
