/**
 * What a local cloud is made of: the account, the zones, the network to build at the first start, and how slow,
 * how strict and how faulty its services are. Every number can be changed at run time through `Cloud.settings`.
 */

/** The account, the region and the network that exist when the cloud starts for the first time. */
export interface CloudConfig {
  readonly region: string;
  readonly accountId: string;
  /** The account in which EKS holds its side of the cross-account ENIs; never equal to `accountId`. */
  readonly serviceAccountId: string;
  readonly zones: readonly ZoneConfig[];
  readonly vpc: VpcConfig;
  /** Block from which elastic and automatic public IPv4 addresses come. */
  readonly publicCidr: string;
  /** Block from which VPCs get their /56, as from Amazon's pool. */
  readonly ipv6Pool: string;
  readonly roles: readonly RoleConfig[];
  readonly credentials: readonly CredentialConfig[];
  readonly settings: CloudSettings;
}

export interface ZoneConfig {
  /** "us-west-2a". */
  readonly name: string;
  /** "usw2-az1". */
  readonly id: string;
}

export interface VpcConfig {
  readonly name: string;
  /** The primary block first. */
  readonly cidrs: readonly string[];
  /** True asks for a /56 of IPv6. */
  readonly ipv6: boolean;
  readonly subnets: readonly SubnetConfig[];
  /** False builds a VPC without a way out. */
  readonly internetGateway: boolean;
  readonly egressOnlyInternetGateway: boolean;
  /** Where private subnets send what leaves the VPC: one NAT gateway for all, one per zone, or none. */
  readonly natGateways: "none" | "single" | "per-zone";
  /** Spelled-out route tables; when given, `public` and `natGateways` do not route. */
  readonly routeTables?: readonly RouteTableConfig[];
}

export interface RouteTableConfig {
  readonly name: string;
  readonly routes: readonly {
    readonly destination: string;
    /** "internet-gateway", "egress-only-internet-gateway", "nat-gateway:SUBNET" or "blackhole". */
    readonly target: string;
  }[];
}

export interface SubnetConfig {
  readonly name: string;
  readonly zone: string;
  readonly cidr: string;
  /** True gives instances a public address and, without `routeTables`, routes to the internet gateway. */
  readonly public: boolean;
  /** Name of one of the VPC's spelled-out route tables. */
  readonly routeTable?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly reservations?: readonly {
    readonly cidr: string;
    readonly type: "prefix" | "explicit";
    readonly description?: string;
  }[];
}

/** An IAM role: which actions its sessions may call. */
export interface RoleConfig {
  readonly name: string;
  /** "ec2:*", "ec2:Describe*", "eks:DescribeCluster" …; case-insensitive, `*` matches any text. */
  readonly actions: readonly string[];
  /** Wins over `actions`. */
  readonly deny?: readonly string[];
}

/** A long-lived access key and the role that its requests act as. */
export interface CredentialConfig {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly role: string;
}

/** The behaviour of the services; all of it may be changed while they run. */
export interface CloudSettings {
  /** "random" as AWS does (and so fragments subnets), "lowest" for reproducible lessons. */
  readonly addressChoice: "random" | "lowest";
  /** Time before an action answers, in milliseconds, by action name ("CreateNetworkInterface"); others 0. */
  readonly actionDelayMs: Readonly<Record<string, number>>;
  /** How long the cloud stays in its in-between states. */
  readonly transitionsMs: TransitionTimes;
  /** For so long a describe by id says NotFound for a new ENI, and filters do not find it. */
  readonly consistencyLagMs: number;
  readonly imds: ImdsSettings;
  readonly throttling: ThrottlingSettings;
  readonly limits: AccountLimits;
}

export interface TransitionTimes {
  /** AttachNetworkInterface until the device is in the machine and the state is "attached". */
  readonly attach: number;
  readonly detach: number;
  /** TerminateInstances until "terminated"; launching takes as long as the machine takes. */
  readonly terminate: number;
  /** How long DescribeInstances still shows a terminated instance. */
  readonly forgetTerminated: number;
  readonly natGateway: number;
}

export interface ImdsSettings {
  /** How much later than EC2 the metadata of an interface change. */
  readonly lagMs: number;
  /** How much later than its directory the leaves of a new interface appear (404 until then). */
  readonly leafLagMs: number;
  /** True keeps answering with what was true at the moment it was set. */
  readonly frozen: boolean;
}

export interface ThrottlingSettings {
  readonly enabled: boolean;
  /** Replaces the bucket of an action: `size` tokens, `refill` tokens a second. */
  readonly buckets: Readonly<Record<string, { readonly size: number; readonly refill: number }>>;
}

/** Quotas of the account and region; AWS's defaults. */
export interface AccountLimits {
  readonly vpcs: number;
  readonly subnetsPerVpc: number;
  readonly cidrsPerVpc: number;
  readonly networkInterfaces: number;
  readonly securityGroupsPerInterface: number;
  readonly rulesPerSecurityGroup: number;
  readonly routesPerTable: number;
  readonly addresses: number;
}

export const defaultSettings: CloudSettings = {
  addressChoice: "random",
  actionDelayMs: {},
  transitionsMs: { attach: 0, detach: 0, terminate: 0, forgetTerminated: 3_600_000, natGateway: 0 },
  consistencyLagMs: 0,
  imds: { lagMs: 0, leafLagMs: 0, frozen: false },
  throttling: { enabled: false, buckets: {} },
  limits: {
    vpcs: 5,
    subnetsPerVpc: 200,
    cidrsPerVpc: 5,
    networkInterfaces: 5000,
    securityGroupsPerInterface: 5,
    rulesPerSecurityGroup: 60,
    routesPerTable: 500,
    addresses: 5,
  },
};

/** What AmazonEKS_CNI_Policy allows (EKS user guide, security-iam-awsmanpol). */
export const cniPolicyActions: readonly string[] = [
  "ec2:AssignPrivateIpAddresses",
  "ec2:AttachNetworkInterface",
  "ec2:CreateNetworkInterface",
  "ec2:DeleteNetworkInterface",
  "ec2:DescribeInstances",
  "ec2:DescribeTags",
  "ec2:DescribeNetworkInterfaces",
  "ec2:DescribeInstanceTypes",
  "ec2:DescribeSubnets",
  "ec2:DetachNetworkInterface",
  "ec2:ModifyNetworkInterfaceAttribute",
  "ec2:UnassignPrivateIpAddresses",
  "ec2:CreateTags",
];

/** What an IPv6 cluster's CNI needs beside AmazonEKS_CNI_Policy (EKS user guide, cni-iam-role). */
export const cniIpv6Actions: readonly string[] = ["ec2:AssignIpv6Addresses", "ec2:UnassignIpv6Addresses"];

/** The role that the metadata service gives to nodes when a launch names none. */
export const nodeRoleName = "eniverse-node";

/** A VPC of two zones with a public and a private subnet in each, as eksctl makes them. */
export function defaultConfig(zoneCount = 2): CloudConfig {
  const region = "us-west-2";
  const zones = Array.from({ length: zoneCount }, (_, index) => {
    const letter = String.fromCharCode(97 + index);
    return { name: `${region}${letter}`, id: `usw2-az${index + 1}` };
  });
  return {
    region,
    accountId: "111122223333",
    serviceAccountId: "444455556666",
    zones,
    vpc: {
      name: "eniverse",
      cidrs: ["192.168.0.0/16"],
      ipv6: false,
      subnets: zones.flatMap((zone, index) => [
        {
          name: `public-${zone.name}`,
          zone: zone.name,
          cidr: `192.168.${index * 32}.0/19`,
          public: true,
          tags: { "kubernetes.io/role/elb": "1" },
        },
        {
          name: `private-${zone.name}`,
          zone: zone.name,
          cidr: `192.168.${(index + zoneCount) * 32}.0/19`,
          public: false,
          tags: { "kubernetes.io/role/internal-elb": "1" },
        },
      ]),
      internetGateway: true,
      egressOnlyInternetGateway: false,
      natGateways: "single",
    },
    publicCidr: "203.0.113.0/24",
    ipv6Pool: "2600:1f14::/36",
    roles: [
      { name: "admin", actions: ["*"] },
      { name: nodeRoleName, actions: [...cniPolicyActions, ...cniIpv6Actions, "eks:DescribeCluster"] },
    ],
    credentials: [
      { accessKeyId: "AKIAENIVERSEADMIN000", secretAccessKey: "eniverse-local-cloud-secret", role: "admin" },
    ],
    settings: defaultSettings,
  };
}
