import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { EniverseError } from "../base/error.ts";
import { foreignSystemError } from "./errno.ts";
import { inNetns, type Netns } from "./netns.ts";

/**
 * Reads a kernel setting: "net.ipv4.ip_forward", or with slashes where a device's name has a dot:
 * "net/ipv4/conf/eth0.5/forwarding". Settings under net are those of `ns` or of the thread's own namespace:
 * /proc/sys shows each thread its own, so the file is read synchronously on this thread. Throws `not_found` when
 * the kernel or the namespace doesn't have it.
 */
export function readSysctl(key: string, ns?: Netns): string {
  const path = sysctlPath(key);
  return access(`read the sysctl ${key}`, ns, () => readShort(path).trimEnd());
}

/** Writes a kernel setting; as {@link readSysctl}. Throws `invalid_argument` for values that the kernel refuses. */
export function writeSysctl(key: string, value: string | number, ns?: Netns): void {
  const path = sysctlPath(key);
  access(`set the sysctl ${key} to ${value}`, ns, () => writeShort(path, `${value}\n`));
}

const page = Buffer.alloc(4096);

/**
 * Each pod's wiring reads some: a third of the time of `readFileSync`, which first asks for the file's size. The
 * kernel gives a value in one piece as long as it fits.
 */
function readShort(path: string): string {
  const fd = openSync(path, "r");
  try {
    let text = "";
    for (;;) {
      const length = readSync(fd, page);
      text += page.toString("utf8", 0, length);
      if (length < page.length) return text;
    }
  } finally {
    closeSync(fd);
  }
}

/** The kernel takes a value in one write. */
function writeShort(path: string, value: string): void {
  const fd = openSync(path, "r+");
  try {
    writeSync(fd, value);
  } finally {
    closeSync(fd);
  }
}

function access<T>(attempted: string, ns: Netns | undefined, work: () => T): T {
  try {
    return ns === undefined ? work() : inNetns(ns, work);
  } catch (error) {
    throw foreignSystemError(attempted, error);
  }
}

function sysctlPath(key: string): string {
  const parts = key.includes("/") ? key.split("/") : key.split(".");
  if (parts.length < 2 || parts.some((part) => part === "" || part === "." || part === "..")) {
    throw new EniverseError("invalid_argument", {
      attempted: "name a sysctl",
      found: JSON.stringify(key),
      wanted: "names with dots or slashes between, as net.ipv4.ip_forward",
    });
  }
  return `/proc/sys/${parts.join("/")}`;
}
