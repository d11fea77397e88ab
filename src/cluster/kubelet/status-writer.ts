import type { Clock } from "../../base/clock.ts";
import { hasCode, messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import type { KubeClient } from "../../kube/client.ts";
import { type Pod, type PodStatus, pods } from "../../kube/resources.ts";

const writesAtOnce = 8;
/** A status that nobody waits for is written after this time, with what has changed until then (ms). */
const restMs = 100;
/** How long a status that somebody else wrote stands (ms): until the reason why it was written has passed. */
const contradictionMs = 1_000;
const firstRetryMs = 100;
const longestRetryMs = 5_000;

interface Entry {
  pod: Pod;
  wanted: PodStatus;
  /** As it was last accepted. */
  written: string;
  busy: boolean;
  /** Revision of the pod that the last write made. */
  revision: number;
  /** As the API server showed it last. */
  seen?: Pod;
  timer?: ReturnType<typeof setTimeout>;
  readonly waiters: (() => void)[];
}

/** Writes pods' statuses: the newest one of each pod, several pods at once, until the API server has them. */
export class StatusWriter {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #entries = new Map<string, Entry>();
  readonly #queue = new Set<string>();
  #running = 0;

  constructor(client: KubeClient, clock: Clock, log: Log) {
    this.#client = client;
    this.#clock = clock;
    this.#log = log;
  }

  /** Takes a status; equal ones cost nothing. */
  put(pod: Pod, status: PodStatus): void {
    const uid = pod.metadata.uid ?? "";
    const entry = this.#entries.get(uid) ?? {
      pod,
      wanted: status,
      written: "",
      busy: false,
      revision: 0,
      waiters: [],
    };
    entry.pod = pod;
    entry.wanted = status;
    this.#entries.set(uid, entry);
    if (entry.busy || JSON.stringify(status) === entry.written) return;
    if (isAwaited(status)) this.#send(uid);
    else entry.timer ??= setTimeout(() => this.#send(uid), restMs);
  }

  /**
   * Takes note of the status that the API server shows: when somebody else has written another one (the node
   * controller, while this node was silent) ours is written again.
   */
  observe(pod: Pod): void {
    const entry = this.#entries.get(pod.metadata.uid ?? "");
    if (entry === undefined) return;
    entry.seen = pod;
    if (entry.busy || entry.timer !== undefined || this.#queue.has(pod.metadata.uid ?? "")) return;
    if (Number(pod.metadata.resourceVersion) <= entry.revision) return;
    if (readiness(pod.status) === readiness(entry.wanted)) return;
    entry.written = "";
    entry.timer = setTimeout(() => this.#send(pod.metadata.uid ?? ""), contradictionMs);
  }

  #send(uid: string): void {
    const entry = this.#entries.get(uid);
    clearTimeout(entry?.timer);
    if (entry === undefined) return;
    delete entry.timer;
    this.#queue.add(uid);
    this.#pump();
  }

  /** Resolves when the pod's newest status is written or the pod is gone. */
  async flush(uid: string): Promise<void> {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    if (entry.timer !== undefined) this.#send(uid);
    if (!entry.busy && !this.#queue.has(uid)) return;
    await new Promise<void>((resolve) => entry.waiters.push(resolve));
  }

  forget(uid: string): void {
    clearTimeout(this.#entries.get(uid)?.timer);
    this.#done(uid);
    this.#entries.delete(uid);
    this.#queue.delete(uid);
  }

  #pump(): void {
    for (const uid of this.#queue) {
      if (this.#running >= writesAtOnce) return;
      const entry = this.#entries.get(uid);
      this.#queue.delete(uid);
      if (entry === undefined || entry.busy) continue;
      entry.busy = true;
      this.#running++;
      void this.#write(uid, entry).finally(() => {
        this.#running--;
        entry.busy = false;
        if (this.#entries.get(uid) === entry && JSON.stringify(entry.wanted) !== entry.written)
          this.#queue.add(uid);
        else {
          this.#done(uid);
          if (entry.seen !== undefined) this.observe(entry.seen);
        }
        this.#pump();
      });
    }
  }

  #done(uid: string): void {
    const entry = this.#entries.get(uid);
    for (const resolve of entry?.waiters.splice(0) ?? []) resolve();
  }

  async #write(uid: string, entry: Entry): Promise<void> {
    for (
      let retryMs = firstRetryMs;
      this.#entries.get(uid) === entry;
      retryMs = Math.min(retryMs * 2, longestRetryMs)
    ) {
      const { pod, wanted } = entry;
      const { name, namespace = "default" } = pod.metadata;
      try {
        const options = { namespace, kind: "merge", subresource: "status" } as const;
        const written = await this.#client.patch(pods, name, patchOf(pod, wanted), options);
        entry.revision = Number(written.metadata.resourceVersion);
        entry.written = JSON.stringify(wanted);
        return;
      } catch (error) {
        // Another pod of the same name, or none any more: nobody waits for this status.
        if (hasCode(error, "not_found", "conflict", "invalid_argument")) {
          if (!hasCode(error, "not_found"))
            this.#log("warn", "status refused", { pod: name, error: messageOf(error) });
          entry.written = JSON.stringify(wanted);
          return;
        }
        this.#log("debug", "status not written yet", { pod: name, error: messageOf(error) });
        await this.#clock.sleep(retryMs);
      }
    }
  }
}

const readiness = (status: PodStatus | undefined): string =>
  `${status?.phase} ${status?.conditions?.find(({ type }) => type === "Ready")?.status}`;

/** Somebody waits for pods to become ready or to be over. */
function isAwaited({ phase, conditions }: PodStatus): boolean {
  if (phase === "Succeeded" || phase === "Failed") return true;
  return conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
}

/** A merge patch; the uid makes sure that it is this pod and not its successor. */
function patchOf(pod: Pod, status: PodStatus): unknown {
  const gone = (["podIP", "podIPs", "reason", "message", "initContainerStatuses"] as const).filter(
    (key) => status[key] === undefined && pod.status?.[key] !== undefined,
  );
  return {
    metadata: { uid: pod.metadata.uid },
    status: { ...status, ...Object.fromEntries(gone.map((key) => [key, null])) },
  };
}
