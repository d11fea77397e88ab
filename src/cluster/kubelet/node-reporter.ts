import type { Clock } from "../../base/clock.ts";
import { hasCode, messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import type { KubeClient } from "../../kube/client.ts";
import { type Lease, leases, type Node, nodes } from "../../kube/resources.ts";
import type { EventRecorder } from "../events.ts";
import type { KubeletSettings } from "./flags.ts";
import { type MachineFacts, newNode, nodeLabels, nodeStatus } from "./node-object.ts";

const leaseNamespace = "kube-node-lease";
const leaseSeconds = 40;
/** How often the status is written when nothing has changed (ms; nodeStatusReportFrequency). */
const statusMs = 300_000;
const firstRetryMs = 100;
const longestRetryMs = 5_000;

export interface ReporterParts {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventRecorder;
  readonly settings: KubeletSettings;
  readonly machine: MachineFacts;
  readonly networkReady: () => boolean;
}

/** Registers the Node, renews its Lease and writes its status when it has changed. */
export class NodeReporter {
  readonly #parts: ReporterParts;
  readonly #stopping = new AbortController();
  #wake: () => void = () => {};
  #dirty = true;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
  }

  /** Runs until {@link stop}; failures are tried again. */
  async run(): Promise<void> {
    await this.#retry("register the node", () => this.#register());
    await Promise.all([this.#keepLease(), this.#keepStatus()]);
  }

  /** The node's condition may have changed. */
  poke(): void {
    this.#dirty = true;
    this.#wake();
  }

  stop(): void {
    this.#stopping.abort();
    this.#wake();
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #register(): Promise<void> {
    const { client, settings, machine, clock, events, networkReady } = this.#parts;
    const object = newNode(settings, machine, clock.now());
    try {
      const made = await client.create(nodes, object);
      events.record(made, "Normal", "Starting", "Starting kubelet.");
      events.record(
        made,
        "Normal",
        "RegisteredNode",
        `Node ${settings.nodeName} event: Registered Node ${settings.nodeName} in Controller`,
      );
    } catch (error) {
      if (!hasCode(error, "already_exists")) throw error;
      const known = await client.get(nodes, settings.nodeName);
      const patch = {
        metadata: { labels: nodeLabels(settings, machine) },
        spec: { providerID: settings.providerId },
      };
      await client.patch(nodes, settings.nodeName, patch);
      events.record(known, "Normal", "Starting", "Starting kubelet.");
      const status = nodeStatus(settings, machine, known.status, networkReady(), clock.now());
      await client.patch(nodes, settings.nodeName, { status }, { subresource: "status" });
    }
  }

  async #keepLease(): Promise<void> {
    const { settings, clock } = this.#parts;
    while (!this.#isStopped) {
      await this.#retry("renew the lease", () => this.#renew());
      await clock.sleep(settings.heartbeatMs, this.#stopping.signal).catch(() => {});
    }
  }

  async #renew(): Promise<void> {
    const { client, settings, clock } = this.#parts;
    const renewTime = new Date(clock.now()).toISOString().replace(/Z$/, "000Z");
    try {
      await client.patch(leases, settings.nodeName, { spec: { renewTime } }, { namespace: leaseNamespace });
    } catch (error) {
      if (!hasCode(error, "not_found")) throw error;
      const lease: Lease = {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: { name: settings.nodeName, namespace: leaseNamespace },
        spec: { holderIdentity: settings.nodeName, leaseDurationSeconds: leaseSeconds, renewTime },
      };
      await client.create(leases, lease);
    }
  }

  async #keepStatus(): Promise<void> {
    const { clock } = this.#parts;
    while (!this.#isStopped) {
      this.#dirty = false;
      await this.#retry("write the node's status", () => this.#writeStatus());
      if (this.#dirty) continue;
      const cancel = new AbortController();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        clock.sleep(statusMs, cancel.signal).then(resolve, () => {});
      });
      this.#wake = () => {};
      cancel.abort();
    }
  }

  async #writeStatus(): Promise<void> {
    const { client, settings, machine, clock, networkReady, events } = this.#parts;
    let known: Node;
    try {
      known = await client.get(nodes, settings.nodeName);
    } catch (error) {
      if (!hasCode(error, "not_found")) throw error;
      // Deleted by hand: a kubelet that runs makes it again.
      await this.#register();
      return;
    }
    const status = nodeStatus(settings, machine, known.status, networkReady(), clock.now());
    await client.patch(nodes, settings.nodeName, { status }, { subresource: "status" });
    const readiness = (of: Node["status"]): string | undefined =>
      of?.conditions?.find(({ type }) => type === "Ready")?.status;
    if (readiness(status) !== readiness(known.status)) {
      const reason = readiness(status) === "True" ? "NodeReady" : "NodeNotReady";
      events.record(known, "Normal", reason, `Node ${settings.nodeName} status is now: ${reason}`);
    }
  }

  async #retry(attempted: string, work: () => Promise<void>): Promise<void> {
    for (let retryMs = firstRetryMs; !this.#isStopped; retryMs = Math.min(retryMs * 2, longestRetryMs)) {
      try {
        await work();
        return;
      } catch (error) {
        this.#parts.log("warn", `cannot ${attempted} yet`, { error: messageOf(error) });
        await this.#parts.clock.sleep(retryMs, this.#stopping.signal).catch(() => {});
      }
    }
  }
}
