/**
 * `ipam/` is the decision core: which ENIs, prefixes and addresses a node should hold, which address a pod gets,
 * and when an address may be used again. Everything in it is pure: values and `now` (milliseconds) in, values
 * out. `ipamd`, the simulator and the planner call the same functions and carry the actions out each in its own
 * way.
 *
 * The main story: facts about ENIs fill a {@link Pool} per network card (`pool.ts`); a {@link NodeState} holds the
 * pools and what is under way (`node.ts`); `decide` (`decide.ts`) answers with {@link Action}s that may all be
 * carried out at once; each is announced with `begin` and closed with `finish`, which bring the pools up to date.
 *
 * This file holds the words that all of them share.
 */

import type { SubnetRoom } from "./subnet-room.ts";

/** Which kind of address space pods live on. `prefix` is IPv4 prefix delegation, /28 blocks. */
export type AddressMode = "secondary-ip" | "prefix" | "ipv6";

/** Who holds an address: one interface of one sandbox. Compared for full equality. */
export interface PodKey {
  readonly networkName: string;
  readonly containerId: string;
  readonly ifName: string;
}

export interface PodMetadata {
  readonly namespace: string;
  readonly name: string;
  /** How many interfaces (one on each card) the pod has; 1 for all but multi-NIC pods. */
  readonly interfaces: number;
}

/** An ENI as the pool must know it when it is added. */
export interface PoolEniFacts {
  readonly id: string;
  readonly deviceNumber: number;
  readonly routeTable: number;
  readonly subnetId: string;
  /** The address that is not for pods: the ENI's primary private IPv4 address. */
  readonly primaryAddress?: string;
  readonly primary: boolean;
  readonly trunk: boolean;
  readonly efa: boolean;
  /** In a subnet that is excluded by tag: its pods keep their addresses, but it gets no new ones. */
  readonly excluded: boolean;
}

/** One /32, /28 or /80 of an ENI. */
export interface CidrView {
  /** "10.0.1.17/32", "10.0.1.16/28", "2001:db8::/80". */
  readonly cidr: string;
  /** True for /28 and /80 blocks. */
  readonly prefix: boolean;
  /** Number of addresses in it. */
  readonly size: number;
  readonly assigned: number;
  /** Released, and not yet to be given out again. */
  readonly cooling: number;
  /** Addresses that have ever been handed out, lowest first. */
  addresses(): AddressView[];
}

/** What kind of block an address comes from: a /32, a /28 or a /80. */
export type BlockKind = "single" | "prefix4" | "prefix6";

/** The blocks of one kind on one ENI. */
export interface BlockCounts {
  /** Addresses, and of these the assigned and the cooling ones. */
  readonly total: number;
  readonly assigned: number;
  readonly cooling: number;
  /** Blocks, and of these the ones without a pod; they may hold cooling addresses. */
  readonly blocks: number;
  readonly empty: number;
}

export interface EniView extends PoolEniFacts {
  /** When it was added to the pool, in milliseconds; not EC2's creation time. */
  readonly addedAt: number;
  readonly cidrCount: number;
  readonly groups: Readonly<Record<BlockKind, BlockCounts>>;
  /** Pods with an address of this ENI, in either mode. */
  readonly assigned: number;
  readonly cooling: number;
  /** In order of addition. */
  cidrs(): CidrView[];
  cidr(cidr: string): CidrView | undefined;
}

export interface AddressView {
  readonly address: string;
  readonly state: "assigned" | "cooling" | "ready";
  readonly key?: PodKey;
  readonly metadata?: PodMetadata;
  /** Milliseconds since the epoch; absent when it never happened. */
  readonly assignedAt?: number;
  readonly releasedAt?: number;
}

/** A pod's hold on one address. */
export interface Assignment {
  readonly key: PodKey;
  readonly metadata: PodMetadata | undefined;
  readonly address: string;
  readonly family: 4 | 6;
  readonly eniId: string;
  readonly cidr: string;
  readonly deviceNumber: number;
  readonly routeTable: number;
  readonly assignedAt: number;
}

export type AssignAnswer =
  /** `fresh` is false when the key held the address before: nothing changed, nothing need be written. */
  | { readonly ok: true; readonly assignment: Assignment; readonly fresh: boolean }
  /** No address can be had now; when only cooling ones are left, `coolingUntil` says when the first is ready. */
  | { readonly ok: false; readonly coolingUntil?: number; readonly cooling: number };

/** What a release gave back, with all that is needed to take it back when the checkpoint cannot be written. */
export interface Released {
  readonly assignment: Assignment;
  readonly releasedAt: number;
}

/**
 * Counts over the ENIs that serve pods (not excluded) and the blocks of the pool's own mode. `total` counts
 * cooling addresses too; `assignable` does not.
 */
export interface PoolStats {
  readonly total: number;
  readonly assigned: number;
  readonly cooling: number;
  /** total − assigned: what the official statistics call available. */
  readonly free: number;
  /** total − assigned − cooling: what can be handed out now. */
  readonly assignable: number;
  /** Prefixes of the right mode. */
  readonly prefixes: number;
  /** Prefixes without a pod; cooling addresses do not count as pods. */
  readonly emptyPrefixes: number;
}

/** A released address that is not ready yet. */
export interface CoolingAddress {
  readonly address: string;
  /** Milliseconds since the epoch. */
  readonly releasedAt: number;
}

/** The addresses of one network card of a node. All times in milliseconds; `now` must not go backwards. */
export interface Pool {
  readonly card: number;
  readonly mode: AddressMode;
  readonly cooldownMs: number;
  /** Changes at start-up only: the blocks of the other mode stay until their pods are gone. */
  setMode(mode: AddressMode): void;

  /** Throws `already_exists` for a known id. */
  addEni(facts: PoolEniFacts, now: number): void;
  setExcluded(eniId: string, excluded: boolean): void;
  setTrunk(eniId: string, trunk: boolean): void;
  /** Removes an ENI; with pods on it throws `conflict` unless forced, and then answers with their assignments. */
  removeEni(eniId: string, options?: { readonly force?: boolean }): Assignment[];
  /** Adds a /32, /28 or /80; throws `not_found` (ENI) and `already_exists` (block or address held already). */
  addCidr(eniId: string, cidr: string): void;
  /** As {@link removeEni}, for one block. */
  removeCidr(eniId: string, cidr: string, options?: { readonly force?: boolean }): Assignment[];

  /** Gives the key an address, or the one it has. Its cost does not depend on how many addresses are held. */
  assign(key: PodKey, metadata: PodMetadata | undefined, now: number): AssignAnswer;
  /** Undoes a fresh assignment as if it had never been: no cool-down. For a checkpoint that cannot be written. */
  cancelAssign(key: PodKey): void;
  /** Marks a given address as held; false when no block contains it. Throws `already_exists` when it is held. */
  restore(address: string, key: PodKey, metadata: PodMetadata | undefined, assignedAt: number): boolean;
  /** Marks a free address as cooling since `releasedAt`; false when no block contains it or it is held. */
  restoreCooling(address: string, releasedAt: number, now: number): boolean;
  /** Releases the key's address (or that of the pre-CRI key of the same container); undefined: unknown pod. */
  unassign(key: PodKey, now: number): Released | undefined;
  /** Takes a release back, with the original times. */
  cancelUnassign(released: Released): void;
  lookup(key: PodKey): Assignment | undefined;
  lookupAddress(address: string): Assignment | undefined;

  assignments(): Assignment[];
  /** Released addresses that are not ready at `now`, earliest first; the same list as long as they are the same. */
  coolingAddresses(now: number): readonly CoolingAddress[];
  stats(now: number): PoolStats;
  /** Primary ENI first, then by device number. */
  enis(): EniView[];
  eni(eniId: string): EniView | undefined;
  /** The first time at which another address leaves its cool-down; undefined when none is cooling. */
  nextReadyAt(now: number): number | undefined;
}

/** Something to be done in EC2 for one card. All actions of one decision may be carried out at the same time. */
export type Action =
  | AssignAction
  | CreateEniAction
  | UnassignAction
  | FreeEniAction
  /** Ask the VPC resource controller for a trunk ENI by adding SecurityGroupsForPods to the CNINode. */
  | { readonly kind: "request-trunk"; readonly card: number };

export interface AssignAction {
  readonly kind: "assign";
  readonly card: number;
  readonly eniId: string;
  readonly subnetId: string;
  readonly what: "addresses" | "ipv4-prefixes" | "ipv6-prefixes";
  readonly count: number;
}

export interface CreateEniAction {
  readonly kind: "create-eni";
  readonly card: number;
  /** What the ENI is created with, besides its primary address. */
  readonly what: "addresses" | "ipv4-prefixes" | "ipv6-addresses";
  readonly count: number;
  /** Subnets that are known not to have room for so much: not to be tried. */
  readonly avoidSubnets: readonly string[];
}

export interface UnassignAction {
  readonly kind: "unassign";
  readonly card: number;
  readonly eniId: string;
  /** Blocks as the pool names them: "10.0.1.17/32", "10.0.1.16/28". One EC2 call per kind. */
  readonly addresses: readonly string[];
  readonly prefixes: readonly string[];
}

export interface FreeEniAction {
  readonly kind: "free-eni";
  readonly card: number;
  readonly eniId: string;
}

/** How an action ended. */
export type Outcome =
  /** What EC2 gave, and only that; text without "/32". */
  | { readonly kind: "assigned"; readonly addresses: readonly string[]; readonly prefixes: readonly string[] }
  /** The new ENI is attached and its host network is set up. */
  | {
      readonly kind: "created";
      readonly eni: PoolEniFacts;
      /** Secondary addresses. */
      readonly addresses: readonly string[];
      readonly prefixes: readonly string[];
    }
  | { readonly kind: "done" }
  | {
      readonly kind: "failed";
      readonly error: string;
      /** Those in which EC2 said InsufficientCidrBlocks or InsufficientFreeAddressesInSubnet. */
      readonly insufficientSubnets: readonly string[];
      /** EC2 would not look at the request because the account makes too many. */
      readonly throttled?: boolean;
    };

/** An action that was begun and not finished. */
export interface InFlight {
  readonly id: number;
  readonly action: Action;
  readonly startedAt: number;
}

/** Names what an action is about, so that its failures hold back only its like. */
export function retryKey(action: Action): string {
  return `${action.kind} ${action.card} ${"eniId" in action ? action.eniId : ""}`;
}

export interface CardState {
  readonly pool: Pool;
  /** ENIs on this card that we must not touch; they take up device slots. */
  readonly unmanagedEnis: number;
}

/** All that a decision is made from. `node.ts` keeps one up to date. */
export interface NodeState {
  /** Managed cards in card order; the first is card 0. */
  readonly cards: readonly CardState[];
  /** Pods that ask for an address and have none. */
  readonly waiting: {
    /** Pods that take one address of whatever card has one. */
    readonly anyCard: number;
    /** Multi-NIC pods: one address of every card. */
    readonly everyCard: number;
  };
  /** The node carries the taint node.kubernetes.io/unschedulable:NoSchedule. */
  readonly cordoned: boolean;
  /** SIGTERM was received: no more growing or shrinking. */
  readonly terminating: boolean;
  /** The node's capacity for pods; undefined: unknown, no cap. */
  readonly maxPods: number | undefined;
  readonly inFlight: readonly InFlight[];
  readonly lastDecreaseAt: number | undefined;
  /** What is left in subnets that refused something, by subnet id. */
  readonly subnetRoom: ReadonlyMap<string, SubnetRoom>;
  /** What is left for a new ENI in any subnet, after every one that was tried refused it. */
  readonly newEniRoom: SubnetRoom | undefined;
  /** Until when an action that failed otherwise is not tried again, by {@link retryKey}. */
  readonly retryAt: ReadonlyMap<string, number>;
  /** SecurityGroupsForPods has been written to the CNINode; the trunk itself shows up at a reconcile. */
  readonly trunkRequested: boolean;
  /** Where new ENIs may go, best first, as far as known (`subnet-choice.ts`). */
  readonly newEniSubnets: readonly string[] | undefined;
}

/** Why something is done, not done, or done later. `values` are the numbers that it was computed from. */
export interface Reason {
  readonly rule: RuleName;
  readonly card: number;
  /** The environment variables that took part. */
  readonly settings: readonly string[];
  readonly values: Readonly<Record<string, number | string | boolean>>;
}

export type RuleName =
  | "demand"
  | "warm-ip-target"
  | "minimum-ip-target"
  | "warm-eni-target"
  | "warm-prefix-target"
  | "enough"
  | "max-pods"
  | "max-eni"
  | "insufficient-back-off"
  | "retry-back-off"
  | "create-back-off"
  | "cordoned"
  | "terminating"
  | "provisioning-disabled"
  | "above-target"
  | "decrease-spacing"
  | "cooling"
  | "eni-too-young"
  | "wrong-mode"
  | "excluded-subnet"
  | "extra-eni"
  | "ipv6-prefix"
  | "ipv6-card"
  | "trunk";

export interface PlannedAction {
  readonly action: Action;
  readonly reason: Reason;
}

export interface Decision {
  /** May be carried out in parallel. */
  readonly actions: readonly PlannedAction[];
  /** What was considered and not done, or not yet. */
  readonly notes: readonly Reason[];
  /** When to decide again though nothing happens until then; undefined: only when something happens. */
  readonly wakeAt: number | undefined;
}
