import type { Cidr4 } from "../addr/cidr.ts";

/**
 * What a lab is made of: the content of a `lab.yaml` after defaults. Units: durations in milliseconds.
 * `config-schema.ts` holds the schema, `config-file.ts` reads the YAML, `layout.ts` fills what was left out.
 */
export interface LabConfig {
  readonly region: string;
  readonly vpc: VpcConfig;
  readonly cluster: ClusterConfig;
  readonly nodeGroups: readonly NodeGroupConfig[];
  readonly awsNode: AwsNodeConfig;
  readonly ec2: Ec2Config;
  /** Seed of every random choice; the same seed gives the same addresses. */
  readonly seed: number;
}

export interface AwsNodeConfig {
  /** Environment of the aws-node DaemonSet beside the manifest's own. */
  readonly env: Readonly<Record<string, string>>;
  /** ENIConfigs to make with the cluster, for custom networking: the name of the pods' subnet by that of each. */
  readonly eniConfigs?: Readonly<Record<string, string>>;
}

export interface VpcConfig {
  /** The first is the primary block. */
  readonly cidrs: readonly string[];
  readonly subnets: readonly SubnetConfig[];
  readonly routeTables: readonly RouteTableConfig[];
  /** An Amazon-like IPv6 /56, a /64 in each subnet. */
  readonly ipv6: boolean;
}

export interface SubnetConfig {
  readonly name: string;
  readonly zone: string;
  readonly cidr: string;
  /** Instances started here get a public address. */
  readonly publicAddresses: boolean;
  /** Name of a route table; the VPC's main one when absent. */
  readonly routeTable?: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly reservations: readonly { readonly cidr: string; readonly type: "prefix" | "explicit" }[];
}

export interface RouteTableConfig {
  readonly name: string;
  readonly routes: readonly RouteConfig[];
}

export interface RouteConfig {
  readonly destination: string;
  /** "internet-gateway", "egress-only-internet-gateway", "nat-gateway:SUBNET" (made in that subnet) or "blackhole". */
  readonly target: string;
}

export interface ClusterConfig {
  readonly name: string;
  readonly version: string;
  /** Names of the subnets that get the control plane's interfaces. */
  readonly subnets: readonly string[];
  /** Family of pods and services. */
  readonly ipFamily: "ipv4" | "ipv6";
  /** IPv4 block of services; EKS chooses one when absent, and always (a unique local one) in IPv6 clusters. */
  readonly serviceCidr?: string;
}

export interface NodeGroupConfig {
  readonly name: string;
  readonly instanceType: string;
  readonly count: number;
  readonly subnets: readonly string[];
  /** kubelet's --max-pods; the type's own figure when absent. */
  readonly maxPods?: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly { readonly key: string; readonly value: string; readonly effect: string }[];
}

export interface Ec2Config {
  /** How EC2 picks free addresses: as AWS does, or from the bottom for lessons that must repeat. */
  readonly addressChoice: "random" | "lowest";
  /** Milliseconds until EC2 answers, by action; "attach" is the time until the device appears. */
  readonly latencies: Readonly<Record<string, number>>;
  /** Milliseconds by which IMDS trails EC2. */
  readonly imdsLag: number;
  /** "off", or "aws" for the published token buckets, or buckets by action. */
  readonly throttling:
    | "off"
    | "aws"
    | Readonly<Record<string, { readonly size: number; readonly refillPerSecond: number }>>;
}

/** The short form of the command line: what `eniverse up --nodes 3 …` says. */
export interface LabShape {
  readonly nodes: number;
  readonly zones: number;
  readonly instanceType: string;
  readonly vpcCidr: Cidr4;
  readonly awsNodeEnv: Readonly<Record<string, string>>;
  /** An IPv6 block for the VPC, and a way out for it. */
  readonly vpcIpv6?: boolean;
  /** "ipv4" when absent; "ipv6" brings `vpcIpv6` with it. */
  readonly ipFamily?: "ipv4" | "ipv6";
}
