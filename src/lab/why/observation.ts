import type { LoggedCall } from "../../cloud/ec2/call-log.ts";
import type { DecisionEntry } from "../../node/ipamd/decision-log.ts";
import type { PoolPage } from "../../node/ipamd/pool-page.ts";

/** All that the explanations are made from, seen at about one moment. Times in milliseconds since the epoch. */
export interface Observation {
  readonly takenAt: number;
  readonly nodes: readonly NodeSeen[];
  readonly pods: readonly PodSeen[];
  /** Why EC2 could not be asked; subnets and ENIs are empty then. */
  readonly ec2Blind?: string;
  readonly subnets: readonly SubnetSeen[];
  readonly enis: readonly EniSeen[];
  /** Names of the ENIConfigs of the cluster. */
  readonly eniConfigs: readonly string[];
  /** Calls of EC2 that did not succeed, the newest last. */
  readonly failedCalls: readonly LoggedCall[];
}

export interface PodSeen {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly phase: string;
  readonly createdAt: number;
  readonly nodeName?: string;
  readonly hostNetwork: boolean;
  readonly deleting: boolean;
  readonly ready: boolean;
  readonly ips: readonly string[];
  /** What its containers wait for, or how they ended: "web: CrashLoopBackOff: …". */
  readonly containers: readonly string[];
  readonly restarts: number;
  /** Oldest first. */
  readonly events: readonly EventSeen[];
}

export interface EventSeen {
  readonly reason: string;
  readonly message: string;
  readonly warning: boolean;
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
}

export interface NodeSeen {
  readonly name: string;
  readonly instanceId: string;
  readonly instanceType: string;
  readonly zone: string;
  readonly address: string;
  readonly ready: boolean;
  /** The kubelet has stopped reporting: the Ready condition is Unknown. */
  readonly silent: boolean;
  /** What the Ready condition says. */
  readonly readyMessage: string;
  readonly cordoned: boolean;
  readonly taints: readonly string[];
  readonly maxPods: number;
  /** Branch ENIs that the node offers to pods with security groups of their own. */
  readonly branchEnis: number;
  /** Of the type: ENIs, and addresses on each, the primary one included; absent for an unknown type. */
  readonly limits?: { readonly enis: number; readonly ipv4PerEni: number };
  /** The ENIConfig that custom networking would take. */
  readonly eniConfig: string;
  /** Sandboxes by pod uid, from the kubelet's notes. */
  readonly sandboxes: readonly SandboxSeen[];
  /** The aws-node pod of the node. */
  readonly awsNode?: PodSeen;
  /** Environment of its aws-node container; the DaemonSet's when there is none. */
  readonly env: Readonly<Record<string, string>>;
  readonly ipamd: IpamdSeen;
  /** What the node's instance metadata says; looked at only when EC2 has what ipamd does not know. */
  readonly metadata?: MetadataSeen;
}

export type MetadataSeen =
  | { readonly answers: true; readonly enis: readonly MetadataEni[] }
  | { readonly answers: false; readonly why: string };

export interface MetadataEni {
  readonly eniId: string;
  readonly addresses: readonly string[];
  readonly prefixes: readonly string[];
}

export interface SandboxSeen {
  readonly uid: string;
  readonly id?: string;
  readonly phase?: "creating" | "ready" | "removing";
  readonly ips: readonly string[];
}

export type IpamdSeen =
  | { readonly answers: true; readonly pool: PoolPage; readonly decisions: readonly DecisionEntry[] }
  /** `lastErrors`: the latest error lines of its log. */
  | { readonly answers: false; readonly why: string; readonly lastErrors: readonly string[] };

/** An ipamd that can be asked. */
export type Answering = Extract<IpamdSeen, { readonly answers: true }>;

export interface SubnetSeen {
  readonly subnetId: string;
  readonly name: string;
  readonly zone: string;
  /** IPv4 block; "" for an IPv6-only subnet. */
  readonly cidr: string;
  readonly ipv6Cidr?: string;
  readonly free: number;
  /** Wholly free, aligned blocks of sixteen; undefined for an IPv6-only subnet. */
  readonly freeBlocks: number;
  readonly tags: Readonly<Record<string, string>>;
}

export interface EniSeen {
  readonly eniId: string;
  readonly subnetId: string;
  readonly description: string;
  readonly status: string;
  readonly requester?: string;
  readonly instanceId?: string;
  readonly deviceIndex?: number;
  readonly addresses: readonly string[];
  readonly prefixes: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
}
