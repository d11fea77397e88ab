import type { Ipv6Space } from "../../addr/ipv6-space.ts";
import type { SubnetSpace } from "../../addr/subnet-space.ts";
import type { Random } from "../../base/random.ts";
import type { CloudSettings, ZoneConfig } from "../config.ts";
import { AddressOwners } from "./address-owners.ts";
import type { EksAddon } from "./eks-addon.ts";
import type { EksCluster } from "./eks-cluster.ts";
import type { EksNodegroup } from "./eks-nodegroup.ts";
import type { ElasticIp } from "./elastic-ip.ts";
import type { EgressOnlyGateway, InternetGateway } from "./gateway.ts";
import type { Instance } from "./instance.ts";
import type { NatGateway } from "./nat-gateway.ts";
import type { NetworkAcl } from "./network-acl.ts";
import type { NetworkInterface } from "./network-interface.ts";
import type { RouteTable } from "./route-table.ts";
import type { SecurityGroup } from "./security-group.ts";
import type { Session } from "./session.ts";
import type { Subnet } from "./subnet.ts";
import type { SubnetReservation } from "./subnet-reservation.ts";
import type { Vpc } from "./vpc.ts";

/** Every kind of resource and its shape; all are plain values that the store can keep. */
export interface Resources {
  readonly vpc: Vpc;
  readonly subnet: Subnet;
  readonly "subnet-cidr-reservation": SubnetReservation;
  readonly "network-interface": NetworkInterface;
  readonly instance: Instance;
  readonly "security-group": SecurityGroup;
  readonly "route-table": RouteTable;
  readonly "internet-gateway": InternetGateway;
  readonly "egress-only-internet-gateway": EgressOnlyGateway;
  readonly natgateway: NatGateway;
  readonly "elastic-ip": ElasticIp;
  readonly "network-acl": NetworkAcl;
  readonly cluster: EksCluster;
  readonly nodegroup: EksNodegroup;
  readonly addon: EksAddon;
  readonly session: Session;
}

export type ResourceKind = keyof Resources;

export interface ResourceChange {
  readonly kind: ResourceKind;
  readonly id: string;
  readonly change: "created" | "changed" | "deleted";
}

/**
 * The VPC model: every resource of one account and region, and the indexes over them. The functions of this
 * folder read and change it; each either carries its whole request out or throws an `Ec2Fault` and changes
 * nothing. No function does I/O: time, randomness and settings come with the {@link Context}, so the same model
 * serves the lab and the simulator's virtual clock.
 */
export class CloudState {
  readonly vpcs = new Map<string, Vpc>();
  readonly subnets = new Map<string, Subnet>();
  readonly reservations = new Map<string, SubnetReservation>();
  readonly enis = new Map<string, NetworkInterface>();
  readonly instances = new Map<string, Instance>();
  readonly securityGroups = new Map<string, SecurityGroup>();
  readonly routeTables = new Map<string, RouteTable>();
  readonly internetGateways = new Map<string, InternetGateway>();
  readonly egressOnlyGateways = new Map<string, EgressOnlyGateway>();
  readonly natGateways = new Map<string, NatGateway>();
  readonly elasticIps = new Map<string, ElasticIp>();
  readonly networkAcls = new Map<string, NetworkAcl>();
  readonly clusters = new Map<string, EksCluster>();
  /** By "cluster/nodegroup". */
  readonly nodegroups = new Map<string, EksNodegroup>();
  /** By "cluster/add-on". */
  readonly addons = new Map<string, EksAddon>();
  /** By access key id. */
  readonly sessions = new Map<string, Session>();

  readonly tables: { readonly [K in ResourceKind]: Map<string, Resources[K]> } = {
    vpc: this.vpcs,
    subnet: this.subnets,
    "subnet-cidr-reservation": this.reservations,
    "network-interface": this.enis,
    instance: this.instances,
    "security-group": this.securityGroups,
    "route-table": this.routeTables,
    "internet-gateway": this.internetGateways,
    "egress-only-internet-gateway": this.egressOnlyGateways,
    natgateway: this.natGateways,
    "elastic-ip": this.elasticIps,
    "network-acl": this.networkAcls,
    cluster: this.clusters,
    nodegroup: this.nodegroups,
    addon: this.addons,
    session: this.sessions,
  };

  /** Free addresses of each subnet; follows from the interfaces and reservations, so it is not stored. */
  readonly spaces = new Map<string, SubnetSpace>();
  readonly ipv6Spaces = new Map<string, Ipv6Space>();
  /** Which interface has which address. */
  readonly owners = new AddressOwners();
  /** Interface ids by MAC and by attachment id. */
  readonly macs = new Map<string, string>();
  readonly attachments = new Map<string, string>();
  /** Interfaces by subnet. */
  readonly enisOfSubnet = new Map<string, Set<string>>();
  /** Transitions to come, the earliest first. */
  readonly due: DueTransition[] = [];

  #changes = new Map<string, ResourceChange>();

  /** Adds a new resource. */
  put<K extends ResourceKind>(kind: K, id: string, resource: Resources[K]): void {
    this.tables[kind].set(id, resource);
    this.#changes.set(`${kind} ${id}`, { kind, id, change: "created" });
  }

  /** Says that a resource was changed in place. */
  touch(kind: ResourceKind, id: string): void {
    const key = `${kind} ${id}`;
    if (this.#changes.get(key)?.change !== "created") this.#changes.set(key, { kind, id, change: "changed" });
  }

  drop(kind: ResourceKind, id: string): void {
    this.tables[kind].delete(id);
    this.#changes.set(`${kind} ${id}`, { kind, id, change: "deleted" });
  }

  /** What was changed since the last call. */
  takeChanges(): ResourceChange[] {
    const changes = [...this.#changes.values()];
    this.#changes = new Map();
    return changes;
  }
}

/** A change of state that comes by itself when its time has come. */
export interface DueTransition {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly kind:
    | "attach"
    | "detach"
    | "terminate"
    | "stop"
    | "forget-instance"
    | "nat-gateway"
    | "forget-nat-gateway";
  readonly id: string;
}

/** What every function of the model gets beside its request. */
export interface Context {
  readonly state: CloudState;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly random: Random;
  readonly account: Account;
  readonly settings: CloudSettings;
}

export interface Account {
  readonly accountId: string;
  readonly serviceAccountId: string;
  readonly region: string;
  readonly zones: readonly ZoneConfig[];
  readonly publicCidr: string;
  readonly ipv6Pool: string;
}
