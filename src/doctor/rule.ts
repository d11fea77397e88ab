/**
 * `doctor/` holds a network against good practice: a table of rules, each a pure function over what is known of the
 * network (an {@link Input}, every part of it optional) that names what it saw, why it matters and how to fix it. A rule
 * whose parts are missing is "not checked", which is not the same as "fine". `examine.ts` has
 * the table and runs it, `read-….ts` make inputs from exported JSON and from lab files.
 */

export type Severity = "error" | "warning";

/** What is known; a part that is absent was not asked for or could not be had. */
export interface Input {
  readonly subnets?: readonly SubnetInput[];
  /** Names or ids, as in `subnets`, of the subnets of the control plane's interfaces. */
  readonly clusterSubnets?: readonly string[];
  readonly enis?: readonly EniInput[];
  readonly nodes?: readonly NodeInput[];
  /** Environment of the container aws-node; a variable that is not set is absent. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of its init container. */
  readonly initEnv?: Readonly<Record<string, string>>;
  /** Probe time-outs of aws-node, in seconds. */
  readonly probeTimeouts?: readonly number[];
  /** Annotations of the service account aws-node. */
  readonly serviceAccount?: Readonly<Record<string, string>>;
  /** Variables in aws-node's pods by which EKS Pod Identity or IRSA gives them a role. */
  readonly podCredentials?: readonly string[];
  readonly eniConfigs?: readonly EniConfigInput[];
  readonly daemonSets?: readonly WorkloadInput[];
  readonly pods?: readonly PodInput[];
  /** Policy of the FORWARD chain, by node. */
  readonly forwardPolicies?: Readonly<Record<string, string>>;
}

export interface SubnetInput {
  readonly id: string;
  readonly name: string;
  readonly zone: string;
  readonly cidr: string;
  /** Free addresses; absent in a plan. */
  readonly free?: number;
  /** Whole free /28 blocks; absent when nobody knows what is in use. */
  readonly freeBlocks?: number;
  /** Instances get public addresses in it. */
  readonly isPublic?: boolean;
  readonly dns64?: boolean;
  /** Blocks that are reserved for prefixes; absent when it was not asked for. */
  readonly prefixReservations?: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
}

export interface EniInput {
  readonly id: string;
  readonly subnetId: string;
  readonly instanceId?: string;
  readonly addresses: number;
  readonly prefixes: number;
}

export interface NodeInput {
  readonly name: string;
  readonly instanceType: string;
  readonly zone: string;
  readonly maxPods?: number;
  /** Names or ids of the subnets that it may be in. */
  readonly subnets?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Nodes that the entry stands for; 1 when absent. */
  readonly count?: number;
}

export interface EniConfigInput {
  readonly name: string;
  readonly subnetId: string;
}

export interface WorkloadInput {
  readonly namespace: string;
  readonly name: string;
  readonly images: readonly string[];
}

export interface PodInput {
  readonly namespace: string;
  readonly name: string;
  readonly graceSeconds?: number;
  readonly hostNetwork: boolean;
}

/** One thing that a rule saw. */
export interface Sight {
  /** "subnet private-a", "aws-node", "node ip-10-0-1-5". */
  readonly about: string;
  /** With numbers. */
  readonly seen: string;
  /** When it is worse or milder than the rule's own. */
  readonly severity?: Severity;
}

/** The parts of an input that are all there. */
export type With<P extends keyof Input> = Input & { readonly [K in P]-?: NonNullable<Input[K]> };

export interface Rule {
  readonly id: string;
  readonly severity: Severity;
  /** What should be so. */
  readonly title: string;
  readonly why: string;
  readonly fix: string;
  /** Where the advice is from. */
  readonly source: string;
  readonly needs: readonly (keyof Input)[];
  readonly check: (input: Input) => readonly Sight[];
}

/** A rule whose check gets its parts as present. */
export function rule<P extends keyof Input>(
  needs: readonly P[],
  words: Omit<Rule, "needs" | "check">,
  check: (input: With<P>) => readonly Sight[],
): Rule {
  // `examine` calls a check only with an input that has what it needs.
  return { ...words, needs, check: (input) => check(input as With<P>) };
}

export const isOn = (env: Readonly<Record<string, string>>, name: string): boolean =>
  /^(1|t|true)$/i.test(env[name] ?? "");

/** The number of a variable; undefined when it is not set or 0, which ipamd takes as not set. */
export function targetOf(env: Readonly<Record<string, string>>, name: string): number | undefined {
  const value = Number(env[name] ?? "");
  return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

const bestPractices = "EKS Best Practices Guide, Networking";
export const sources = {
  vpcCni: `${bestPractices}: VPC CNI`,
  subnets: `${bestPractices}: VPC and Subnet Considerations`,
  prefixes: `${bestPractices}: Prefix Mode for Linux`,
  custom: `${bestPractices}: Custom Networking`,
  podGroups: `${bestPractices}: Security Groups per Pod`,
  ipv6: `${bestPractices}: Running IPv6 Clusters`,
  targets: "amazon-vpc-cni-k8s docs/eni-and-ip-target.md",
  readme: "amazon-vpc-cni-k8s README",
} as const;
