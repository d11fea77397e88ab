import { hasCode } from "../base/error.ts";
import type { Netns } from "../linux/netns.ts";
import { Rtnetlink } from "../linux/rtnetlink/rtnetlink.ts";
import { readSysctl, writeSysctl } from "../linux/sysctl.ts";

/**
 * What the network of a node and of its pods shall be, as values, and making it so through `linux/`. The wanted
 * state is computed purely (`pod-network.ts`, `eni-network.ts`, `host-network.ts` …); the functions that apply it
 * may be called again at any time, after a crash too, and change only what differs.
 *
 * A {@link HostNetns} is the node's own network namespace, opened once: requests cost microseconds then.
 */
export class HostNetns implements Disposable {
  readonly rt: Rtnetlink;
  /** Undefined for the namespace in which this program runs. */
  readonly ns: Netns | undefined;

  private constructor(ns: Netns | undefined) {
    this.ns = ns;
    this.rt = Rtnetlink.open(ns);
  }

  /** The namespace `ns`, or the one in which this program runs. The caller keeps `ns` open. */
  static open(ns?: Netns): HostNetns {
    return new HostNetns(ns);
  }

  close(): void {
    this.rt.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Sets a sysctl of a device; a kernel without IPv6, or a device that is gone, has no such file. What is right
 * already is left alone: a write of `forwarding` spins until nobody in the system holds the lock of all links
 * (addrconf_fixup_forwarding), a read waits for nobody.
 */
export function setSysctlIfThere(ns: Netns | undefined, key: string, value: string): void {
  try {
    if (readSysctl(key, ns) !== value) writeSysctl(key, value, ns);
  } catch (error) {
    if (!hasCode(error, "not_found")) throw error;
  }
}

/** Name of a device's IPv6 setting, in the form that allows dots in device names. */
export function ipv6DeviceSysctl(device: string, name: string): string {
  return `net/ipv6/conf/${device}/${name}`;
}
