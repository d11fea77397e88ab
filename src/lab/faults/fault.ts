/**
 * `lab/faults/` breaks a running lab on purpose and heals it. A {@link Fault} is a plain value, the same on the command
 * line, on the control socket and in the lab's state folder; `desk.ts` carries it out. Faults that last are kept, so
 * that a lab process that is started again is as broken as before.
 */

export type Fault =
  | Ec2Fault
  | AttachFault
  | MetadataFault
  | SubnetFault
  | IpamdFault
  | { readonly kind: "api-server" }
  | NodeFault;

export type FaultKind = Fault["kind"];

export const faultKinds: readonly FaultKind[] = [
  "ec2",
  "attach",
  "metadata",
  "subnet",
  "ipamd",
  "api-server",
  "node",
];

/** Some calls of an action fail, or take longer. */
export interface Ec2Fault {
  readonly kind: "ec2";
  /** "AttachNetworkInterface"; `*` stands for any text. */
  readonly action: string;
  /** Share of the calls, above 0 and up to 1. */
  readonly rate: number;
  /** "RequestLimitExceeded", "InsufficientCidrBlocks"; absent only delays. */
  readonly error?: string;
  readonly delayMs?: number;
  /** Over after so many calls were hit. */
  readonly times?: number;
}

/** A new ENI's device comes late, or AttachNetworkInterface fails. */
export interface AttachFault {
  readonly kind: "attach";
  /** From the call until the device is in the machine. */
  readonly delayMs?: number;
  /** Share of the calls that fail. */
  readonly failRate?: number;
}

/** The metadata service is late, or stands still. */
export interface MetadataFault {
  readonly kind: "metadata";
  readonly lagMs?: number;
  /** How much later than its directory the leaves of a new ENI come. */
  readonly leafLagMs?: number;
  readonly frozen?: boolean;
}

/** Interfaces of others fill a subnet, or take one address in every free /28. */
export interface SubnetFault {
  readonly kind: "subnet";
  /** Id, or the name of the configuration. */
  readonly subnet: string;
  /** Share of the usable addresses that are in use then, up to 1. */
  readonly filled?: number;
  readonly fragmented?: boolean;
}

/** ipamd is killed with SIGKILL. */
export interface IpamdFault {
  readonly kind: "ipamd";
  /** Instance id; absent means every node. */
  readonly instanceId?: string;
  /** Killed again whenever it comes up, until healed. */
  readonly keepDown: boolean;
}

export interface NodeFault {
  readonly kind: "node";
  readonly instanceId: string;
  /** "cut-off": the VPC drops all of its packets. "reboot": the machine ends and starts again. */
  readonly how: "cut-off" | "reboot";
}

/** A fault that is in force. */
export interface StandingFault {
  readonly id: number;
  readonly fault: Fault;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** Calls that were hit. */
  readonly hits?: number;
}

const share = (rate: number): string => `${Math.round(rate * 1000) / 10} %`;

/** A fault in a few words. */
export function describeFault(fault: Fault): string {
  switch (fault.kind) {
    case "ec2": {
      const what = [
        ...(fault.error === undefined ? [] : [`fail with ${fault.error}`]),
        ...(fault.delayMs === undefined ? [] : [`take ${fault.delayMs} ms longer`]),
      ];
      const times = fault.times === undefined ? "" : `, ${fault.times} times`;
      return `${share(fault.rate)} of ${fault.action} ${what.join(" and ")}${times}`;
    }
    case "attach": {
      const late = fault.delayMs === undefined ? [] : [`devices come after ${fault.delayMs} ms`];
      const fails = fault.failRate === undefined ? [] : [`${share(fault.failRate)} of the calls fail`];
      return `attaching ENIs: ${[...late, ...fails].join(", ")}`;
    }
    case "metadata": {
      const words = [
        ...(fault.lagMs === undefined ? [] : [`${fault.lagMs} ms behind EC2`]),
        ...(fault.leafLagMs === undefined ? [] : [`leaves of a new ENI ${fault.leafLagMs} ms after it`]),
        ...(fault.frozen === true ? ["standing still"] : []),
      ];
      return `the metadata service is ${words.join(", ")}`;
    }
    case "subnet": {
      const words = [
        ...(fault.fragmented === true ? ["without a free /28"] : []),
        ...(fault.filled === undefined ? [] : [`${share(fault.filled)} full`]),
      ];
      return `the subnet ${fault.subnet} is ${words.join(" and ")}`;
    }
    case "ipamd":
      return `ipamd of ${fault.instanceId ?? "every node"} is ${fault.keepDown ? "killed whenever it comes up" : "killed"}`;
    case "api-server":
      return "the API server does not answer inside the VPC";
    case "node":
      return fault.how === "reboot"
        ? `${fault.instanceId} is rebooted`
        : `${fault.instanceId} is cut off from the VPC`;
  }
}
