import type { PoolPage } from "../../node/ipamd/pool-page.ts";

/**
 * What a lab looks like from all sides at about one moment, as plain values: what the checks compare. Addresses are
 * text in their canonical form; blocks have their length ("10.0.32.16/28").
 */
export interface LabPicture {
  /** Milliseconds since the epoch. */
  readonly takenAt: number;
  readonly cloud: CloudPicture;
  /** What the VPC's router sends through the devices of ENIs. */
  readonly routerRoutes: readonly RouterRoute[];
  /** Pods of the API server that are bound to a node. */
  readonly pods: readonly ApiPod[];
  readonly nodes: readonly NodePicture[];
}

/** The cloud's model, as the lab process tells it. */
export interface CloudPicture {
  readonly enis: readonly CloudEni[];
  /** What the cloud's own check says. */
  readonly broken: readonly string[];
  readonly instances: readonly { readonly instanceId: string; readonly state: string }[];
  /** How late the metadata service is. */
  readonly imdsLagMs: number;
}

export interface CloudEni {
  readonly eniId: string;
  readonly mac: string;
  readonly description: string;
  readonly createdAt: number;
  /** All private IPv4 addresses, the primary first. */
  readonly addresses: readonly string[];
  readonly prefixes: readonly string[];
  readonly ipv6Addresses: readonly string[];
  readonly ipv6Prefixes: readonly string[];
  /** "attached", "attaching", "detaching" or "available". */
  readonly status: string;
  readonly instanceId?: string;
  readonly deviceIndex?: number;
  readonly card?: number;
  /** The packet plane has a device for it. */
  readonly plugged: boolean;
}

export interface RouterRoute {
  readonly destination: string;
  /** From the device's alias; absent when it has none. */
  readonly eniId?: string;
  readonly device: string;
}

export interface ApiPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly nodeName: string;
  readonly phase: string;
  readonly hostNetwork: boolean;
  readonly deleting: boolean;
  readonly ips: readonly string[];
}

export interface NodePicture {
  readonly instanceId: string;
  readonly nodeName: string;
  /** Views that could not be had, and why. */
  readonly blind: readonly { readonly view: NodeView; readonly why: string }[];
  readonly sandboxes: readonly Sandbox[];
  readonly kernel: Kernel;
  /** What ipamd names the host's ends of pods' veth pairs with. */
  readonly vethPrefix: string;
  readonly pool?: PoolPage;
  readonly checkpoint?: readonly CheckpointEntry[];
  readonly imds?: readonly MetadataEni[];
}

export type NodeView = "node" | "pool" | "checkpoint" | "metadata" | "kernel";

/** A pod as its kubelet has it. */
export interface Sandbox {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly id?: string;
  readonly phase?: "creating" | "ready" | "removing";
  readonly hostNetwork: boolean;
  readonly deleting: boolean;
  readonly ips: readonly string[];
  /** What is in its namespace; absent when it has none or it is gone. */
  readonly inside?: PodInside;
}

export interface PodInside {
  /** Addresses of the devices but for loopback and link-local ones. */
  readonly addresses: readonly string[];
  /** Devices with a default route. */
  readonly defaultDevices: readonly string[];
}

/** A node's own network namespace. */
export interface Kernel {
  readonly links: readonly NodeLink[];
  readonly addresses: readonly { readonly device: string; readonly address: string }[];
  readonly routes: readonly NodeRoute[];
  readonly rules: readonly NodeRule[];
}

export interface NodeLink {
  readonly name: string;
  readonly kind?: string;
  readonly mac?: string;
  readonly up: boolean;
}

export interface NodeRoute {
  readonly destination: string;
  readonly table: number;
  readonly device: string;
}

export interface NodeRule {
  readonly priority: number;
  readonly from?: string;
  readonly to?: string;
  readonly table?: number;
}

export interface CheckpointEntry {
  readonly containerId: string;
  readonly address: string;
}

/** An ENI as the node's metadata service tells it. */
export interface MetadataEni {
  readonly mac: string;
  readonly eniId: string;
  readonly addresses: readonly string[];
  readonly prefixes: readonly string[];
  readonly ipv6Addresses: readonly string[];
  readonly ipv6Prefixes: readonly string[];
}
