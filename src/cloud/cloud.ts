import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { CloudConfig, CloudSettings } from "./config.ts";
import type { CallLog } from "./ec2/call-log.ts";
import type { FaultBoard } from "./ec2/fault-board.ts";
import type { FabricSpec } from "./fabric/spec.ts";
import type { BuiltNetwork } from "./model/build-network.ts";
import type { ClusterChange, CreateClusterRequest, EksCluster } from "./model/eks-cluster.ts";
import type { CreateNodegroupRequest, EksNodegroup } from "./model/eks-nodegroup.ts";
import type { Instance } from "./model/instance.ts";
import type { RunInstancesRequest } from "./model/instance-launch.ts";
import type { OccupyRequest } from "./model/occupation.ts";
import type { CloudState, ResourceChange } from "./model/state.ts";
import type { CloudStore } from "./store.ts";

/**
 * The local AWS as the lab sees it: one VPC model with the EC2, STS, EKS and metadata services over it.
 * The services are plain request handlers, so that the lab can listen in whatever namespace it likes.
 */
export interface Cloud {
  /** The model itself, for views and checks; to be read, never written. */
  readonly state: CloudState;
  readonly config: CloudConfig;
  /** Error rates, delays and refusals per action, set and cleared while running. */
  readonly faults: FaultBoard;
  /** What was asked of EC2, STS and EKS, and how it ended. */
  readonly calls: CallLog;
  settings(): CloudSettings;
  /** Replaces parts of the settings from now on; nested objects are merged. */
  changeSettings(change: SettingsChange): void;

  /** EC2, STS and EKS at one listener: looks at the request and calls the right service. */
  endpoint(request: Request): Promise<Response>;
  ec2(request: Request): Promise<Response>;
  eks(request: Request): Promise<Response>;
  /**
   * The metadata service. `sourceAddress` is the peer's address as the socket tells it, IPv4 or IPv6;
   * `setTtl` sets the IP TTL of the connection's answers and may be absent.
   */
  imds(request: Request, sourceAddress: string, setTtl?: (ttl: number) => void): Promise<Response>;

  /**
   * Listens for metadata requests, with the hop limit of each instance as the TTL of token answers. Makes its socket in
   * the call: make the call in the namespace where it is to listen.
   */
  listenImds(hostname: string, port: number): { readonly port: number; stop(): void };

  /** Ids of the network that the configuration asked for. */
  readonly network: BuiltNetwork;
  /** Launches instances and resolves when each is running, its machine made and its interface in it. */
  runInstances(request: RunInstancesRequest): Promise<Instance[]>;
  /** Resolves when they are terminated and their interfaces gone from the packet plane. */
  terminateInstances(instanceIds: readonly string[]): Promise<void>;
  /** Creates the cluster and its cross-account ENIs in the subnets given. */
  createCluster(request: CreateClusterRequest): Promise<EksCluster>;
  updateCluster(name: string, change: ClusterChange): Promise<EksCluster>;
  deleteCluster(name: string): Promise<void>;
  createNodegroup(request: CreateNodegroupRequest): Promise<EksNodegroup>;
  resizeNodegroup(clusterName: string, name: string, size: EksNodegroup["size"]): Promise<void>;

  /** Makes a subnet fuller or more fragmented, as other people's interfaces would; tells how many addresses it took. */
  occupySubnet(request: OccupyRequest): Promise<number>;
  /** Frees what {@link Cloud.occupySubnet} took, in one subnet or in all. */
  clearOccupation(subnetId?: string): Promise<number>;

  /** The packet plane that the model wants now, of the configured VPC. */
  fabricSpec(): FabricSpec;
  /** Gives the cloud its machines and its packet plane. Call once, then {@link Cloud.resume}. */
  connect(hooks: CloudHooks): void;
  /** After a restart: applies the packet plane and takes up launches and terminations that were under way. */
  resume(): Promise<void>;
  /** Tells of every change after it is stored; returns a function that ends the subscription. */
  onChange(listener: (changes: readonly ResourceChange[]) => void): () => void;
  /** Broken invariants of the model, each with its evidence; empty when all is well. */
  check(): string[];
  /** Stops timers and closes the store. */
  close(): void;
}

/** What the lab does for the cloud. */
export interface CloudHooks {
  /** Makes the packet plane equal to `spec`; a call that changes it answers only after this has resolved. */
  applyFabric?(spec: FabricSpec): Promise<void>;
  /** Makes the empty machine of a pending instance and registers its place, whose key is the instance id. */
  createMachine?(instance: Instance): Promise<void>;
  /** Called when the machine has its primary interface and the instance is "running". */
  bootMachine?(instance: Instance): void;
  /** Ends the machine of an instance that is being terminated. */
  endMachine?(instanceId: string): Promise<void>;
}

export type SettingsChange = {
  readonly [K in keyof CloudSettings]?: CloudSettings[K] extends object
    ? Partial<CloudSettings[K]>
    : CloudSettings[K];
};

export interface CloudParts {
  readonly config: CloudConfig;
  readonly clock: Clock;
  readonly random: Random;
  /** Where the state outlives the process; absent keeps it in memory. */
  readonly store?: CloudStore;
  readonly log?: Log;
}
