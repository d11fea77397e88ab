import { check, raw } from "./libc.ts";
import { hostIsLittleEndian as le, viewOf } from "./netlink/align.ts";

interface Waiter {
  readonly fd: number;
  readonly events: number;
  readonly endsAt: number;
  readonly resolve: (ready: boolean) => void;
}

/** struct pollfd: int fd, short events, short revents. */
const pollfdLength = 8;
/** How long the JavaScript loop is left alone between looks at the descriptors. */
const lookEveryMs = 1;

let waiters: Waiter[] = [];
let running = false;

/**
 * Resolves with true when one of `events` (or an error) is there on the descriptor, with false after
 * `timeoutMs`. All descriptors that are waited for share one poll(2) every millisecond, so that many probes can
 * be in flight; nothing runs while none is.
 */
export function waitForEvents(fd: number, events: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    waiters.push({ fd, events, endsAt: performance.now() + timeoutMs, resolve });
    if (running) return;
    running = true;
    setImmediate(look);
  });
}

function look(): void {
  const bytes = new Uint8Array(waiters.length * pollfdLength);
  const view = viewOf(bytes);
  for (const [index, waiter] of waiters.entries()) {
    view.setInt32(index * pollfdLength, waiter.fd, le);
    view.setInt16(index * pollfdLength + 4, waiter.events, le);
  }
  check(raw.poll(bytes, waiters.length, 0), "wait for sockets");
  const now = performance.now();
  const rest: Waiter[] = [];
  for (const [index, waiter] of waiters.entries()) {
    if (view.getInt16(index * pollfdLength + 6, le) !== 0) waiter.resolve(true);
    else if (now >= waiter.endsAt) waiter.resolve(false);
    else rest.push(waiter);
  }
  waiters = rest;
  running = rest.length > 0;
  if (running) setTimeout(look, lookEveryMs);
}
