import { type Clock, realClock } from "../../base/clock.ts";
import { messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import type { KubeClient } from "../../kube/client.ts";
import { eventsV1 } from "../../kube/resources.ts";
import type { GrowthFailure } from "./growth-failure.ts";

export interface EventSource {
  readonly kube: KubeClient;
  readonly nodeName: string;
  /** MY_POD_NAME; events are about this pod of kube-system. */
  readonly podName: string;
  readonly log: Log;
  readonly clock?: Clock;
}

/** Writes one Warning event per reason and action in this span; later ones are counted up by nobody. */
const quietMs = 5 * 60_000;

/** Tells Kubernetes what keeps the node's network from working. */
export class EventWriter {
  readonly #source: EventSource;
  readonly #clock: Clock;
  readonly #lastAt = new Map<string, number>();
  readonly #underWay = new Set<Promise<void>>();
  #written = 0;

  constructor(source: EventSource) {
    this.#source = source;
    this.#clock = source.clock ?? realClock;
  }

  /** EC2 refused an action for want of permission: reason MissingIAMPermissions, action "ec2:CreateTags". */
  missingPermission(ec2Action: string, note: string): void {
    this.#warn("MissingIAMPermissions", `ec2:${ec2Action}`, note);
  }

  /** No address can be had: which limit or failure stands in the way. */
  noAddresses(note: string): void {
    this.#warn("PodAddressesExhausted", "AssignAddress", note);
  }

  /** EC2 or the configuration keeps the pool from growing; see `growth-failure.ts` for the reasons. */
  cannotGrow({ reason, action, note }: GrowthFailure): void {
    this.#warn(reason, action, note);
  }

  /** Resolves when what was said so far has been written or given up; for a process that is about to end. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  #warn(reason: string, action: string, note: string): void {
    const { kube, podName, nodeName, log } = this.#source;
    const now = this.#clock.now();
    const key = `${reason} ${action}`;
    if (podName === "" || now - (this.#lastAt.get(key) ?? Number.NEGATIVE_INFINITY) < quietMs) return;
    this.#lastAt.set(key, now);
    const writing: Promise<void> = kube
      .create(eventsV1, {
        apiVersion: "events.k8s.io/v1",
        kind: "Event",
        metadata: { name: `${podName}.${now.toString(16)}${this.#written++}`, namespace: "kube-system" },
        eventTime: `${new Date(now).toISOString().slice(0, -1)}000Z`,
        reportingController: "aws-node",
        reportingInstance: nodeName,
        action,
        reason,
        note,
        type: "Warning",
        regarding: { apiVersion: "v1", kind: "Pod", namespace: "kube-system", name: podName },
      })
      .then(
        () => {},
        (thrown: unknown) => log("warn", "event not written", { reason, error: messageOf(thrown) }),
      )
      .finally(() => this.#underWay.delete(writing));
    this.#underWay.add(writing);
  }
}
