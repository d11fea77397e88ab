/**
 * What an EC2 instance is on this machine: a process tree with its own pid, mount, network, UTS and IPC
 * namespaces, held by a small init process. Its root is an overlay over the machine's, so what is written below
 * /opt, /etc, /var or /run is the node's own; end the init process and everything of the node is gone.
 */
import type { ChildProcess, StdioOptions } from "node:child_process";
import type { Cidr4 } from "../../addr/cidr.ts";
import type { Ipv4 } from "../../addr/ipv4.ts";
import type { Ipv6 } from "../../addr/ipv6.ts";
import { EniverseError } from "../../base/error.ts";

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
  /** The whole environment; PATH and HOME have defaults. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** True: goes on when the lab process ends. */
  readonly detached?: boolean;
  readonly stdio?: StdioOptions;
}

/** What DHCP tells an instance about its primary interface. */
export interface PrimaryInterface {
  /** "eth0". */
  readonly device: string;
  readonly address: Ipv4;
  readonly subnet: Cidr4;
  readonly mtu: number;
  readonly ipv6Address?: Ipv6;
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
  spawn(argv: readonly string[], options?: MachineSpawnOptions): ChildProcess;
  /**
   * What DHCP does on EC2 for the primary interface, once the device is there: address, MTU, routes through the
   * subnet's gateway. May be called again.
   */
  primaryUp(primary: PrimaryInterface): void;
  /** Ends every process of the machine; nothing is left. May be called again. */
  stop(): Promise<void>;
}

/** Starts an empty machine. Throws `already_exists` when the instance has one. */
export async function startMachine(options: MachineOptions): Promise<Machine> {
  throw new EniverseError("unsupported", { attempted: `start the machine ${options.instanceId}` });
}

/** The running machine of an instance after a restart of the lab process; undefined when there is none. */
export function adoptMachine(_lab: string, _instanceId: string): Machine | undefined {
  return undefined;
}

/** The running machines of a lab. */
export function machinesOf(_lab: string): Machine[] {
  return [];
}
