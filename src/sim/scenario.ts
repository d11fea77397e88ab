/** What the simulator plays; {@link readScenario} makes one from YAML, programs may write one themselves. */

/** Who decides on a node: ipamd of this project, or the official algorithm's schedule. */
export type DriverName = "eniverse" | "official";

/** All times in milliseconds, counted from the start of the run. */
export interface Scenario {
  readonly name: string;
  readonly description: string;
  readonly seed: number;
  readonly durationMs: number;
  /** Distance of two points of the report's series. */
  readonly sampleMs: number;
  readonly driver: DriverName;
  readonly vpc: {
    readonly cidrs: readonly string[];
    readonly subnets: readonly SubnetScenario[];
  };
  readonly nodeGroups: readonly NodeGroupScenario[];
  readonly awsNode: {
    /** The environment of aws-node, as text. */
    readonly env: Readonly<Record<string, string>>;
    /** With custom networking: the pods' subnet of each zone. */
    readonly eniConfigs: Readonly<Record<string, string>>;
  };
  readonly scheduler: {
    /** Pods that are bound in a second. */
    readonly podsPerSecond: number;
  };
  readonly workloads: readonly Workload[];
  readonly ec2: Ec2Scenario;
  readonly faults: readonly FaultScenario[];
}

export interface SubnetScenario {
  readonly name: string;
  readonly zone: string;
  readonly cidr: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly reservations: readonly { readonly cidr: string; readonly type: "prefix" | "explicit" }[];
  /** Percentage of the subnet that others use from the start, address by address at random places. */
  readonly usedPercent: number;
}

export interface NodeGroupScenario {
  readonly name: string;
  readonly instanceType: string;
  /** Nodes at the start; they are launched at `startAtMs`. */
  readonly count: number;
  /** With both equal to `count` the group does not scale. */
  readonly min: number;
  readonly max: number;
  readonly startAtMs: number;
  readonly subnets: readonly string[];
  /** The kubelet's limit; the type's own when absent. */
  readonly maxPods?: number;
  /** Pods of DaemonSets with an address of their own. */
  readonly daemonPods: number;
  /** From the launch until ipamd starts, give or take a tenth. */
  readonly bootMs: number;
  /** An empty node beyond `min` is ended after so long. */
  readonly scaleDownAfterMs: number;
  /** Replaces variables of `awsNode.env` on these nodes. */
  readonly env: Readonly<Record<string, string>>;
}

interface WorkloadBase {
  readonly name: string;
  /** Pods go to nodes of this group only. */
  readonly nodeGroup?: string;
}

/** Pods that come at once, or evenly over `overMs`. */
export interface BurstWorkload extends WorkloadBase {
  readonly kind: "burst";
  readonly atMs: number;
  readonly overMs: number;
  readonly pods: number;
  /** How long each pod lives from when it is ready; absent: to the end. */
  readonly lifetimeMs?: number;
}

/** A Deployment with its changes of size and its roll-outs. */
export interface DeploymentWorkload extends WorkloadBase {
  readonly kind: "deployment";
  readonly atMs: number;
  readonly replicas: number;
  readonly scale: readonly { readonly atMs: number; readonly replicas: number }[];
  /** Times at which every pod is replaced. */
  readonly rolloutsMs: readonly number[];
  /** Pods beyond, and ready pods below, the wanted number while rolling; shares of the replicas. */
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

/** `pods` pods every `everyMs`, each of which ends after `durationMs` of running. */
export interface JobsWorkload extends WorkloadBase {
  readonly kind: "jobs";
  readonly everyMs: number;
  readonly pods: number;
  readonly durationMs: number;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Pods added and removed one by one, as recorded. */
export interface TraceWorkload extends WorkloadBase {
  readonly kind: "trace";
  readonly events: readonly TraceEvent[];
}

export interface TraceEvent {
  readonly atMs: number;
  readonly action: "add" | "remove";
  readonly pod: string;
}

export type Workload = BurstWorkload | DeploymentWorkload | JobsWorkload | TraceWorkload;

export interface Ec2Scenario {
  /** "random" as AWS does, "lowest" for reproducible lessons. */
  readonly addressChoice: "random" | "lowest";
  /** Until an action answers, by action name; `attach` and `detach` until the device has come or gone. */
  readonly latencies: Readonly<Record<string, number>>;
  /** How much later than EC2 the metadata of an interface change. */
  readonly imdsLag: number;
  /** AWS's documented buckets, or none. */
  readonly throttling: boolean;
  /** Replace the bucket of an action. */
  readonly buckets: Readonly<Record<string, { readonly size: number; readonly refillPerSecond: number }>>;
  /** Quotas of the account. */
  readonly limits: { readonly networkInterfaces: number; readonly cidrsPerVpc: number };
}

/** Calls of an action that fail or take longer. */
export interface CallFault {
  readonly kind: "calls";
  readonly atMs: number;
  readonly untilMs: number;
  /** `*` stands for any text. */
  readonly action: string;
  readonly rate: number;
  readonly errorCode?: string;
  readonly delayMs: number;
}

/** Others take addresses of a subnet until so much of it is used. */
export interface FillFault {
  readonly kind: "fill";
  readonly atMs: number;
  readonly subnet: string;
  readonly usedPercent: number;
}

/** Instances are ended, as when spot capacity is taken back. */
export interface InterruptionFault {
  readonly kind: "interruption";
  readonly atMs: number;
  readonly nodeGroup: string;
  readonly nodes: number;
}

export type FaultScenario = CallFault | FillFault | InterruptionFault;

/** EC2 as it is on an ordinary day: a second or less a call, two for a device to appear (EKS best practices). */
export const usualLatencies: Readonly<Record<string, number>> = {
  CreateNetworkInterface: 400,
  AttachNetworkInterface: 300,
  DetachNetworkInterface: 300,
  DeleteNetworkInterface: 300,
  ModifyNetworkInterfaceAttribute: 150,
  AssignPrivateIpAddresses: 300,
  UnassignPrivateIpAddresses: 300,
  DescribeNetworkInterfaces: 100,
  DescribeInstances: 100,
  DescribeSubnets: 100,
  CreateTags: 150,
  attach: 2_000,
  detach: 1_000,
};
