/**
 * What an EC2 instance is on this machine: a process tree with its own pid, mount, network, UTS and IPC
 * namespaces, held by a small init process. Its root is an overlay over the machine's (`root.ts`), so what is
 * written below /opt, /etc, /var or /run is the node's own; end the init process and everything of the node is
 * gone. Machines outlive the lab process and are found again by their label.
 */
import type { ChildProcess, StdioOptions } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { EniverseError } from "../../base/error.ts";
import {
  endHolder,
  findHolders,
  type HeldNamespaces,
  type Holder,
  spawnIn,
  startNamespaceHolder,
} from "../../linux/holder.ts";
import { Netns } from "../../linux/netns.ts";
import { isAlive } from "../../linux/process.ts";
import { writeSysctl } from "../../linux/sysctl.ts";
import { bringPrimaryUp, type PrimaryInterface } from "./primary-interface.ts";
import { rootSetup } from "./root.ts";

export type { PrimaryInterface } from "./primary-interface.ts";

export interface MachineOptions {
  readonly lab: string;
  readonly instanceId: string;
  /** "ip-10-0-1-5.us-west-2.compute.internal". */
  readonly hostname: string;
  /** Folders that the machine has in common with the host, read and write: the lab's run folder. */
  readonly sharedFolders?: readonly string[];
  /** Name server of /etc/resolv.conf; the VPC's 169.254.169.253 when absent. */
  readonly nameserver?: string;
}

export interface MachineSpawnOptions {
  /** The whole environment but for PATH, HOME, USER, LANG and TERM, which have defaults. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** True: goes on when the lab process ends. */
  readonly detached?: boolean;
  readonly stdio?: StdioOptions;
}

export interface Machine {
  readonly instanceId: string;
  /** Process id of its init, as the host sees it. */
  readonly pid: number;
  /** Path of its network namespace, for {@link Fabric.addPlace}. */
  readonly netnsPath: string;
  /** Path of its root as the host sees it: /proc/PID/root. */
  readonly rootPath: string;
  alive(): boolean;
  /** Starts a program inside: in all namespaces of the machine, with its root and hostname. */
  spawn(argv: readonly [string, ...string[]], options?: MachineSpawnOptions): ChildProcess;
  /**
   * What DHCP does on EC2 for the primary interface, once the device is there: address, MTU, routes through the
   * subnet's gateway. May be called again.
   */
  primaryUp(primary: PrimaryInterface): void;
  /** Ends every process of the machine; nothing of it is left. May be called again. */
  stop(): Promise<void>;
}

const namespaces: HeldNamespaces = { net: true, mount: true, pid: true, uts: true, ipc: true };

/** "LAB/machine/": what the labels of a lab's machines start with. */
const labelPrefix = (lab: string): string => `${lab}/machine/`;

/**
 * Starts an empty machine: nothing runs in it but its init. Throws `already_exists` when the instance has one and
 * `unsupported` when the kernel cannot make its root.
 */
export async function startMachine(options: MachineOptions): Promise<Machine> {
  return start(options);
}

async function start(options: MachineOptions, mountsOf?: string): Promise<Machine> {
  const label = labelPrefix(options.lab) + options.instanceId;
  const attempted = `start the machine ${options.instanceId}`;
  if (adoptMachine(options.lab, options.instanceId) !== undefined) {
    throw new EniverseError("already_exists", { attempted, found: "a machine of this instance is running" });
  }
  const root = rootSetup({
    instanceId: options.instanceId,
    hostname: options.hostname,
    nameserver: options.nameserver ?? "169.254.169.253",
    sharedFolders: options.sharedFolders ?? [],
    again: mountsOf !== undefined,
  });
  let holder: Holder;
  try {
    holder = await startNamespaceHolder(namespaces, {
      label,
      hostname: options.hostname,
      loopback: true,
      ...root,
      ...(mountsOf === undefined ? {} : { mountsOf }),
    });
  } catch (error) {
    if (!(error instanceof EniverseError)) throw error;
    throw new EniverseError("unsupported", {
      attempted,
      found: error.parts.found ?? error.message,
      wanted: "a Linux kernel with overlayfs and namespaces, and root",
      cause: error,
    });
  }
  const machine = new HeldMachine(options.instanceId, holder);
  machine.prepareNetwork();
  return machine;
}

/** The running machine of an instance, whoever started it; undefined when there is none. */
export function adoptMachine(lab: string, instanceId: string): Machine | undefined {
  return machinesOf(lab).find((machine) => machine.instanceId === instanceId);
}

/** The running machines of a lab, whoever started them. */
export function machinesOf(lab: string): Machine[] {
  const prefix = labelPrefix(lab);
  return findHolders(prefix).map((holder) => new HeldMachine(holder.label.slice(prefix.length), holder));
}

/**
 * Ends a machine and starts it again, as a reboot does: processes, network, /run, /tmp and /dev/shm are new, what is
 * on its disk stays.
 */
export async function rebootMachine(machine: Machine, options: MachineOptions): Promise<Machine> {
  // An open file of the mount namespace keeps the overlay and its writable layer when the last process has ended.
  const mounts = openSync(`/proc/${machine.pid}/ns/mnt`, "r");
  try {
    await machine.stop();
    return await start(options, `/proc/${process.pid}/fd/${mounts}`);
  } finally {
    closeSync(mounts);
  }
}

class HeldMachine implements Machine {
  readonly instanceId: string;
  readonly #holder: Holder;

  constructor(instanceId: string, holder: Holder) {
    this.instanceId = instanceId;
    this.#holder = holder;
  }

  get pid(): number {
    return this.#holder.identity.pid;
  }

  get netnsPath(): string {
    return this.#holder.netnsPath;
  }

  get rootPath(): string {
    return `/proc/${this.pid}/root`;
  }

  alive(): boolean {
    return isAlive(this.#holder.identity);
  }

  spawn(argv: readonly [string, ...string[]], options: MachineSpawnOptions = {}): ChildProcess {
    const { env, ...others } = options;
    return spawnIn(this.#holder, argv, {
      ...others,
      env: { ...defaultEnvironment, ...env },
      cwd: options.cwd ?? "/",
    });
  }

  /** The settings of EKS nodes that a new namespace would otherwise take from the host. */
  prepareNetwork(): void {
    using netns = Netns.open(this.netnsPath);
    writeSysctl("net.ipv4.ip_forward", 1, netns);
    for (const which of ["all", "default"])
      for (const setting of ["rp_filter", "arp_ignore", "arp_filter", "arp_announce"])
        writeSysctl(`net.ipv4.conf.${which}.${setting}`, 0, netns);
    // Amazon Linux 2023's default.
    writeSysctl("net.ipv4.conf.default.rp_filter", 2, netns);
  }

  primaryUp(primary: PrimaryInterface): void {
    using netns = Netns.open(this.netnsPath);
    bringPrimaryUp(netns, primary);
  }

  stop(): Promise<void> {
    return endHolder(this.#holder);
  }
}

const defaultEnvironment: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  USER: "root",
  LANG: "C.UTF-8",
  TERM: "xterm-256color",
};
