import { expect, test } from "bun:test";
import { realClock } from "../base/clock.ts";
import { EniverseError } from "../base/error.ts";
import { noLog } from "../base/log.ts";
import type { KubeClient } from "../kube/client.ts";
import type { KubeObject } from "../kube/objects.ts";
import type { Event, Pod } from "../kube/resources.ts";
import { createEventRecorder } from "./events.ts";

const pod: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace: "shop", uid: "u" },
  spec: { containers: [] },
};

/** Keeps events as an API server would. */
function store(): { readonly events: Map<string, Event>; readonly client: KubeClient } {
  const events = new Map<string, Event>();
  const client = {
    create: async (_resource: unknown, object: KubeObject) => {
      events.set(object.metadata.name, structuredClone(object) as Event);
      return object;
    },
    patch: async (_resource: unknown, name: string, patch: object) => {
      const known = events.get(name);
      if (known === undefined) throw new EniverseError("not_found", { attempted: "patch an event" });
      Object.assign(known, patch);
      return known;
    },
  };
  return { events, client: client as unknown as KubeClient };
}

test("equal words about one object are one event with a count; others stand alone", async () => {
  const { events, client } = store();
  const recorder = createEventRecorder(client, {
    component: "kubelet",
    host: "n1",
    clock: realClock,
    log: noLog,
  });
  for (let round = 0; round < 3; round++) recorder.record(pod, "Warning", "BackOff", "no luck");
  recorder.record(pod, "Normal", "Started", "Started container c", "other");
  await recorder.flush();
  const told = [...events.values()].map(({ reason, count, source }) => [reason, count, source?.component]);
  expect(told).toEqual([
    ["BackOff", 3, "kubelet"],
    ["Started", 1, "other"],
  ]);
  expect([...events.values()][0]).toMatchObject({
    involvedObject: { kind: "Pod", name: "p", namespace: "shop", uid: "u" },
    source: { component: "kubelet", host: "n1" },
    metadata: { namespace: "shop" },
  });
});

test("an event that has expired meanwhile is made anew", async () => {
  const { events, client } = store();
  const recorder = createEventRecorder(client, { component: "kubelet", clock: realClock, log: noLog });
  recorder.record(pod, "Warning", "BackOff", "no luck");
  await recorder.flush();
  events.clear();
  recorder.record(pod, "Warning", "BackOff", "no luck");
  await recorder.flush();
  expect([...events.values()].map(({ count }) => count)).toEqual([1]);
});
