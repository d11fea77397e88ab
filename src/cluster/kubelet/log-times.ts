import { appendFileSync, existsSync, readFileSync, statSync } from "node:fs";

/**
 * When a log had grown how far. Containers write straight into their log files, without times, so that they need no
 * kubelet; the kubelet looks at the files each second and notes their sizes: lines "OFFSET MILLISECONDS" in a file
 * beside the log. A line's time is that of the first look that saw it.
 */
export const lookEveryMs = 1000;

interface Look {
  /** Size of the log (bytes). */
  readonly offset: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

const timesFile = (log: string): string => `${log}.times`;

export class LogTimes {
  readonly #known = new Map<string, number>();

  /** Notes what has grown of the logs that are being written; forgets the others. */
  look(logs: readonly string[], now: number): void {
    for (const log of logs) {
      const size = statSync(log, { throwIfNoEntry: false })?.size;
      if (size === undefined || size === this.#offsetOf(log)) continue;
      try {
        appendFileSync(timesFile(log), `${size} ${now}\n`);
        this.#known.set(log, size);
      } catch {
        // The pod's folder goes, or the disk is full: lines without a time are as new as can be.
      }
    }
    for (const log of this.#known.keys()) if (!logs.includes(log)) this.#known.delete(log);
  }

  #offsetOf(log: string): number {
    const known = this.#known.get(log) ?? readLooks(log).at(-1)?.offset ?? 0;
    this.#known.set(log, known);
    return known;
  }
}

function readLooks(log: string): Look[] {
  const file = timesFile(log);
  if (!existsSync(file)) return [];
  return readFileSync(file, "latin1")
    .split("\n")
    .map((line) => line.split(" ").map(Number))
    .flatMap(([offset, at]) => (offset === undefined || at === undefined ? [] : [{ offset, at }]));
}

/** Where what was written at `sinceMs` or later begins. */
export function offsetSince(log: string, sinceMs: number): number {
  return readLooks(log).findLast(({ at }) => at < sinceMs)?.offset ?? 0;
}

/** Puts the time before every line of a stream that begins at `offset` of the log, as `kubectl logs --timestamps`. */
export function withTimes(
  log: string,
  offset: number,
  now: () => number,
): TransformStream<Uint8Array, Uint8Array> {
  let at = offset;
  let startsLine = true;
  let looks = readLooks(log);
  const timeAt = (place: number): string => {
    if ((looks.at(-1)?.offset ?? 0) <= place) looks = readLooks(log);
    return `${new Date(looks.find((look) => look.offset > place)?.at ?? now()).toISOString()} `;
  };
  return new TransformStream({
    transform(chunk, controller) {
      const parts: Uint8Array[] = [];
      for (let from = 0; from < chunk.length; ) {
        const end = chunk.indexOf(10, from);
        const to = end < 0 ? chunk.length : end + 1;
        if (startsLine) parts.push(Buffer.from(timeAt(at + from)));
        parts.push(chunk.subarray(from, to));
        startsLine = end >= 0;
        from = to;
      }
      at += chunk.length;
      controller.enqueue(Buffer.concat(parts));
    },
  });
}
