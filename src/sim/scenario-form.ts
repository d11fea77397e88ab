/** A scenario as YAML has it: times as "90s", everything may be left out but names. `docs/simulate.md` explains it. */
export interface ScenarioForm {
  readonly name?: string;
  readonly description?: string;
  readonly seed?: number;
  readonly duration?: string;
  readonly sample?: string;
  readonly driver?: "eniverse" | "official";
  readonly vpc?: {
    readonly cidrs?: readonly string[];
    readonly subnets?: readonly {
      readonly name: string;
      readonly zone: string;
      readonly cidr: string;
      readonly tags?: Readonly<Record<string, string>>;
      readonly used?: number;
      readonly reservations?: readonly { readonly cidr: string; readonly type: "prefix" | "explicit" }[];
    }[];
  };
  readonly nodeGroups?: readonly {
    readonly name: string;
    readonly instanceType?: string;
    readonly count?: number;
    readonly min?: number;
    readonly max?: number;
    readonly startAt?: string;
    readonly subnets?: readonly string[];
    readonly maxPods?: number;
    readonly daemonPods?: number;
    readonly boot?: string;
    readonly scaleDownAfter?: string;
    readonly env?: Readonly<Record<string, string>>;
  }[];
  readonly awsNode?: {
    readonly env?: Readonly<Record<string, string>>;
    readonly eniConfigs?: Readonly<Record<string, string>>;
  };
  readonly scheduler?: { readonly podsPerSecond?: number };
  readonly workloads?: {
    readonly bursts?: readonly (WorkloadForm & {
      readonly at?: string;
      readonly over?: string;
      readonly pods: number;
      readonly lifetime?: string;
    })[];
    readonly deployments?: readonly (WorkloadForm & {
      readonly at?: string;
      readonly replicas: number;
      readonly scale?: readonly { readonly at: string; readonly replicas: number }[];
      readonly rollouts?: readonly string[];
      readonly maxSurge?: number;
      readonly maxUnavailable?: number;
    })[];
    readonly jobs?: readonly (WorkloadForm & {
      readonly every: string;
      readonly pods: number;
      readonly duration: string;
      readonly from?: string;
      readonly until?: string;
    })[];
    readonly traces?: readonly (WorkloadForm & { readonly csv: string })[];
  };
  readonly ec2?: {
    readonly addressChoice?: "random" | "lowest";
    readonly latencies?: Readonly<Record<string, number>>;
    readonly imdsLag?: number;
    readonly throttling?:
      | "off"
      | "aws"
      | Readonly<Record<string, { readonly size: number; readonly refillPerSecond: number }>>;
    readonly limits?: { readonly networkInterfaces?: number; readonly cidrsPerVpc?: number };
  };
  readonly faults?: {
    readonly calls?: readonly {
      readonly action: string;
      readonly at: string;
      readonly until?: string;
      readonly rate?: number;
      readonly error?: string;
      readonly delay?: string;
    }[];
    readonly fills?: readonly { readonly subnet: string; readonly at: string; readonly used: number }[];
    readonly interruptions?: readonly {
      readonly nodeGroup: string;
      readonly at: string;
      readonly nodes: number;
    }[];
  };
}

interface WorkloadForm {
  readonly name: string;
  readonly nodeGroup?: string;
}
