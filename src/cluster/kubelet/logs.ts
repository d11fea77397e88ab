import { closeSync, existsSync, fstatSync, openSync, readSync, statSync, watch } from "node:fs";
import { offsetSince, withTimes } from "./log-times.ts";

/**
 * Containers write their output straight into the log file, so that it goes on while the kubelet is away. The
 * lines are as they were written: their times are kept apart (log-times.ts), and standard output and error are not
 * told apart.
 */
export interface LogRequest {
  readonly follow: boolean;
  readonly tailLines?: number;
  readonly limitBytes?: number;
  /** Only what was written at this time or later (ms since the epoch). */
  readonly sinceMs?: number;
  /** Puts the time before every line. */
  readonly timestamps?: boolean;
  readonly signal: AbortSignal;
  /** True while more may be written. */
  readonly isOpen: () => boolean;
}

const blockBytes = 64 * 1024;
/** How often a followed log's container is looked at, beside the file's own changes (ms). */
const lookMs = 500;

/** The file's bytes from where the request begins. The file must exist. */
export function readLog(file: string, request: LogRequest): ReadableStream<Uint8Array> {
  let offset = Math.max(
    request.tailLines === undefined ? 0 : tailOffset(file, request.tailLines),
    request.sinceMs === undefined ? 0 : offsetSince(file, request.sinceMs),
  );
  const begin = offset;
  let left = request.limitBytes ?? Number.POSITIVE_INFINITY;
  const bytes = new ReadableStream<Uint8Array>({
    async pull(controller) {
      while (!request.signal.aborted && left > 0) {
        // Asked before reading: what was written before the end must not be missed.
        const open = request.follow && request.isOpen();
        const block = readBlock(file, offset, Math.min(blockBytes, left));
        if (block.length > 0) {
          offset += block.length;
          left -= block.length;
          controller.enqueue(block);
          return;
        }
        if (!open) break;
        await nextChange(file, request.signal);
      }
      controller.close();
    },
  });
  return request.timestamps === true ? bytes.pipeThrough(withTimes(file, begin, Date.now)) : bytes;
}

function readBlock(file: string, offset: number, length: number): Uint8Array {
  if (!existsSync(file)) return new Uint8Array(0);
  const fd = openSync(file, "r");
  try {
    const block = new Uint8Array(length);
    return block.subarray(0, readSync(fd, block, 0, length, offset));
  } finally {
    closeSync(fd);
  }
}

/** Where the last `lines` lines begin; a last line without an end counts. */
export function tailOffset(file: string, lines: number): number {
  const { size } = statSync(file);
  if (lines <= 0) return size;
  const fd = openSync(file, "r");
  try {
    let seen = 0;
    let end = fstatSync(fd).size;
    const block = new Uint8Array(blockBytes);
    while (end > 0) {
      const start = Math.max(0, end - blockBytes);
      const length = readSync(fd, block, 0, end - start, start);
      for (let index = length - 1; index >= 0; index--) {
        if (block[index] !== 10 || start + index === size - 1) continue;
        if (++seen === lines) return start + index + 1;
      }
      end = start;
    }
    return 0;
  } finally {
    closeSync(fd);
  }
}

function nextChange(file: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      watcher.close();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const watcher = watch(file, done);
    watcher.on("error", done);
    const timer = setTimeout(done, lookMs);
    signal.addEventListener("abort", done, { once: true });
  });
}
