// Events are kept for an hour, as API servers do by default (--event-ttl).
import type { Event } from "../../kube/resources.ts";
import type { Engine } from "./engine.ts";
import { eventType } from "./types/events.ts";

const keptMs = 3600_000;
const sweepEveryMs = 60_000;

/** Drops old events whenever a new one comes, at most once a minute. Returns what ends it. */
export function expireEvents(engine: Engine): () => void {
  let sweptAt = engine.clock.now();
  let pending: NodeJS.Immediate | undefined;
  const stop = engine.store.subscribe(eventType.collection, ({ type }) => {
    const now = engine.clock.now();
    if (type !== "ADDED" || now - sweptAt < sweepEveryMs) return;
    sweptAt = now;
    // Not within the write that is being announced.
    pending = setImmediate(() => sweep(engine, now - keptMs));
  });
  return () => {
    stop();
    clearImmediate(pending);
  };
}

function sweep(engine: Engine, oldestMs: number): void {
  for (const { object } of engine.store.list(eventType.collection)) {
    const { namespace = "", name } = object.metadata;
    if (lastSeenMs(object as Event) < oldestMs) engine.store.remove(eventType.collection, namespace, name);
  }
}

function lastSeenMs(event: Event): number {
  const time =
    event.series?.lastObservedTime ??
    event.lastTimestamp ??
    event.eventTime ??
    event.metadata.creationTimestamp;
  return time === undefined ? 0 : Date.parse(time);
}
