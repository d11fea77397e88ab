import { seededRandom } from "../base/random.ts";
import { badField, wholeNumber } from "./field.ts";

/** How pods come and go on one node. */
export type PodPattern =
  /** The same pods all the time. */
  | { readonly kind: "steady"; readonly pods: number }
  /** Beside `pods`, `burst` more at once, every so often and for so long. */
  | {
      readonly kind: "burst";
      readonly pods: number;
      readonly burst: number;
      readonly everySeconds?: number;
      readonly lastsSeconds?: number;
    }
  /** Beside `pods`, jobs that start through each minute at times of chance and run so long. */
  | {
      readonly kind: "jobs";
      readonly pods: number;
      readonly perMinute: number;
      readonly runsSeconds?: number;
    }
  /** All pods are replaced, `atOnce` at a time: the new ones come before the old ones go. */
  | {
      readonly kind: "rollout";
      readonly pods: number;
      readonly atOnce?: number;
      readonly everySeconds?: number;
    }
  /** Changes of the number of pods, in order of time. */
  | {
      readonly kind: "events";
      readonly pods: number;
      readonly events: readonly { readonly atSeconds: number; readonly change: number }[];
    };

/** Pods by number that come or go at a time after the start. */
export interface PodEvent {
  readonly atMs: number;
  readonly arrive: readonly number[];
  readonly leave: readonly number[];
  /** The pods that arrive go by themselves so long after they have got their address. */
  readonly lifeMs?: number;
}

/** Pods that are there from the start have the numbers 0 to `pods` − 1; later ones go on from there. */
export function eventsOf(pattern: PodPattern, durationMs: number, seed: number): PodEvent[] {
  wholeNumber("pattern.pods", pattern.pods, 0, 5_000);
  let next = pattern.pods;
  const fresh = (count: number): number[] => Array.from({ length: count }, () => next++);
  const events: PodEvent[] = [];
  const every = (seconds: number, act: (atMs: number) => void): void => {
    for (let at = seconds * 1000; at < durationMs; at += seconds * 1000) act(at);
  };
  switch (pattern.kind) {
    case "steady":
      break;
    case "burst": {
      const seconds = wholeNumber("pattern.everySeconds", pattern.everySeconds ?? 900, 1, 86_400);
      const lasts = wholeNumber("pattern.lastsSeconds", pattern.lastsSeconds ?? 300, 1, 86_400);
      const burst = wholeNumber("pattern.burst", pattern.burst, 1, 5_000);
      every(seconds, (atMs) => {
        const pods = fresh(burst);
        events.push(
          { atMs, arrive: pods, leave: [] },
          { atMs: atMs + lasts * 1000, arrive: [], leave: pods },
        );
      });
      break;
    }
    case "jobs": {
      const perMinute = wholeNumber("pattern.perMinute", pattern.perMinute, 1, 5_000);
      const runs = wholeNumber("pattern.runsSeconds", pattern.runsSeconds ?? 30, 1, 86_400);
      const random = seededRandom(seed);
      for (let minute = 0; minute < durationMs; minute += 60_000) {
        for (let job = 0; job < perMinute; job++) {
          const atMs = minute + random.int(60_000);
          events.push({ atMs, arrive: fresh(1), leave: [], lifeMs: runs * 1000 });
        }
      }
      break;
    }
    case "rollout": {
      wholeNumber("pattern.pods", pattern.pods, 1, 5_000);
      const atOnce = wholeNumber(
        "pattern.atOnce",
        pattern.atOnce ?? Math.max(Math.ceil(pattern.pods / 4), 1),
        1,
        5_000,
      );
      const seconds = wholeNumber("pattern.everySeconds", pattern.everySeconds ?? 1200, 1, 86_400);
      let old = Array.from({ length: pattern.pods }, (_, pod) => pod);
      every(seconds, (atMs) => {
        const all: number[] = [];
        for (let done = 0; done < old.length; done += atOnce) {
          const going = old.slice(done, done + atOnce);
          const coming = fresh(going.length);
          all.push(...coming);
          // New ones are ready ten seconds after they come; the old ones go then.
          const wave = atMs + (done / atOnce) * 15_000;
          events.push(
            { atMs: wave, arrive: coming, leave: [] },
            { atMs: wave + 10_000, arrive: [], leave: going },
          );
        }
        old = all;
      });
      break;
    }
    case "events": {
      const alive = Array.from({ length: pattern.pods }, (_, pod) => pod);
      let before = 0;
      for (const [index, { atSeconds, change }] of pattern.events.entries()) {
        const field = `pattern.events[${index}]`;
        if (!Number.isFinite(atSeconds) || atSeconds < before) {
          throw badField(
            `${field}.atSeconds`,
            String(atSeconds),
            `a time of ${before} or more: events are in order`,
          );
        }
        if (!Number.isSafeInteger(change) || -change > alive.length) {
          throw badField(
            `${field}.change`,
            String(change),
            `a whole number of −${alive.length} or more: so many pods are there`,
          );
        }
        before = atSeconds;
        const arrive = change > 0 ? fresh(change) : [];
        const leave = change < 0 ? alive.splice(0, -change) : [];
        alive.push(...arrive);
        events.push({ atMs: atSeconds * 1000, arrive, leave });
      }
    }
  }
  return events.filter(({ atMs }) => atMs < durationMs).sort((a, b) => a.atMs - b.atMs);
}

/** The most pods that are there at one time when none has to wait. */
export function mostPods(pattern: PodPattern, events: readonly PodEvent[]): number {
  const changes = events.flatMap(({ atMs, arrive, leave, lifeMs }) => [
    { atMs, by: arrive.length - leave.length },
    ...(lifeMs === undefined ? [] : [{ atMs: atMs + lifeMs, by: -arrive.length }]),
  ]);
  let now = pattern.pods;
  let most = now;
  for (const { by } of changes.sort((a, b) => a.atMs - b.atMs || a.by - b.by)) {
    now += by;
    most = Math.max(most, now);
  }
  return most;
}
