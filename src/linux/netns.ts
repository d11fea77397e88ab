import { fstatSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { EniverseError } from "../base/error.ts";
import { errno, hasErrno } from "./errno.ts";
import {
  check,
  cloneFlag,
  closeFd,
  lastErrno,
  MNT_DETACH,
  MS_BIND,
  O_CLOEXEC,
  O_RDONLY,
  raw,
} from "./libc.ts";

/** ioctl_ns(2): the CLONE_NEW… flag of the namespace that a descriptor stands for. */
const NS_GET_NSTYPE = 0xb703;

/** The namespace of the calling thread. */
const ownPath = "/proc/thread-self/ns/net";

/** An open network namespace; it lives at least as long as this value is open. */
export class Netns implements Disposable {
  readonly fd: number;
  readonly path: string;
  /** Number of the namespace: the same namespace has the same number under every path. */
  readonly inode: number;

  private constructor(fd: number, path: string) {
    this.fd = fd;
    this.path = path;
    this.inode = fstatSync(fd).ino;
  }

  /**
   * Opens /proc/PID/ns/net or a bind-mounted namespace. Throws `not_found` when there is no such path and
   * `invalid_argument` when it is something else.
   */
  static open(path: string): Netns {
    const attempted = `open the network namespace ${path}`;
    const fd = check(raw.open(path, O_RDONLY | O_CLOEXEC), attempted);
    if (raw.ioctl(fd, NS_GET_NSTYPE, 0) !== cloneFlag.newNet) {
      closeFd(fd);
      throw new EniverseError("invalid_argument", {
        attempted,
        found: "something that is not a network namespace",
        wanted: "/proc/PID/ns/net or a namespace mounted by createNetns or `ip netns add`",
      });
    }
    return new Netns(fd, path);
  }

  /** The namespace that the calling thread is in now. */
  static current(): Netns {
    return Netns.open(ownPath);
  }

  /** A new network namespace without a path: it is gone when this value and all sockets in it are closed. */
  static create(): Netns {
    return inNewNetns("make a network namespace", () => Netns.current());
  }

  /** True when both stand for one namespace. */
  equals(other: Netns): boolean {
    return this.inode === other.inode;
  }

  #closed = false;

  /** Closes the descriptor; may be called again. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeFd(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Runs `work` with the JavaScript thread in `ns` and goes back, whatever happens. The switch ends when `work`
 * returns: what it does after an `await` happens in the old namespace again. A promise may be returned all the
 * same, because sockets and children belong to the namespace in which they were made: make them before the first
 * `await`. Calls may be nested. Ends the process when it cannot go back: nothing may ever be changed in the wrong
 * namespace.
 *
 * Keep `work` to the one call that makes the socket or child. A thread that the runtime starts meanwhile (file
 * work, `fetch`; seldom, a helper of the garbage collector or compiler) is in `ns` until it ends, and keeps `ns`
 * alive that long; so whoever takes a namespace down deletes its devices, and does not wait for it to vanish.
 */
export function inNetns<T>(ns: Netns, work: () => T): T {
  const previous = check(raw.open(ownPath, O_RDONLY | O_CLOEXEC), "open the thread's own network namespace");
  try {
    check(raw.setns(ns.fd, cloneFlag.newNet), `enter the network namespace ${ns.path}`);
    try {
      return work();
    } finally {
      goBack(previous);
    }
  } finally {
    closeFd(previous);
  }
}

function goBack(previous: number): void {
  if (raw.setns(previous, cloneFlag.newNet) < 0) {
    process.stderr.write(`eniverse: cannot leave a network namespace: errno ${lastErrno()}; aborting\n`);
    process.abort();
  }
}

/**
 * Makes a new network namespace and mounts it at `path` (its folder is made too), as `ip netns add` does; its
 * loopback device is down. Does nothing when there is one already.
 */
export function createNetns(path: string): void {
  if (isNetns(path)) return;
  const attempted = `make the network namespace ${path}`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "", { mode: 0o444 });
  try {
    inNewNetns(attempted, () => check(raw.mount(ownPath, path, "none", MS_BIND, null), attempted));
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}

/** Runs `work` with the thread in a new namespace; unshare moves only the calling thread. */
function inNewNetns<T>(attempted: string, work: () => T): T {
  const previous = check(raw.open(ownPath, O_RDONLY | O_CLOEXEC), attempted);
  try {
    check(raw.unshare(cloneFlag.newNet), attempted);
    try {
      return work();
    } finally {
      goBack(previous);
    }
  } finally {
    closeFd(previous);
  }
}

/** Unmounts and removes what {@link createNetns} made; does nothing when it is gone. */
export function deleteNetns(path: string): void {
  // A path can carry several mounts; EINVAL says that none is left.
  for (;;) {
    if (raw.umount2(path, MNT_DETACH) === 0) continue;
    const failure = lastErrno();
    if (failure === errno.EINVAL || failure === errno.ENOENT) break;
    check(-1, `unmount the network namespace ${path}`);
  }
  rmSync(path, { force: true });
}

function isNetns(path: string): boolean {
  try {
    Netns.open(path).close();
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOENT") || (error instanceof EniverseError && error.code === "invalid_argument"))
      return false;
    throw error;
  }
}
