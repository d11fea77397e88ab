import { type Ec2Scenario, type NodeGroupScenario, type Scenario, usualLatencies } from "./scenario.ts";

/** What of a node group must be said; the rest has defaults. */
export type NodeGroupInput = Pick<NodeGroupScenario, "name" | "count"> & Partial<NodeGroupScenario>;

export interface ScenarioInput
  extends Partial<Omit<Scenario, "nodeGroups" | "ec2" | "awsNode" | "scheduler">> {
  readonly nodeGroups: readonly NodeGroupInput[];
  readonly ec2?: Partial<Ec2Scenario>;
  readonly awsNode?: Partial<Scenario["awsNode"]>;
  readonly scheduler?: Partial<Scenario["scheduler"]>;
}

const defaultVpc: Scenario["vpc"] = {
  cidrs: ["192.168.0.0/16"],
  subnets: ["a", "b"].map((letter, index) => ({
    name: `private-us-west-2${letter}`,
    zone: `us-west-2${letter}`,
    cidr: `192.168.${(index + 2) * 32}.0/19`,
    tags: {},
    reservations: [],
    usedPercent: 0,
  })),
};

/** EC2 quotas as a large account has them raised; AWS's own start is 5,000 interfaces and 5 blocks. */
const quotas = { networkInterfaces: 100_000, cidrsPerVpc: 50 };

/** A whole scenario from what differs from the usual: a lab's VPC, m5.large, AWS's latencies and buckets. */
export function completeScenario(input: ScenarioInput): Scenario {
  const vpc = input.vpc ?? defaultVpc;
  const durationMs = input.durationMs ?? 600_000;
  return {
    name: input.name ?? "scenario",
    description: input.description ?? "",
    seed: input.seed ?? 1,
    durationMs,
    sampleMs: input.sampleMs ?? Math.max(Math.ceil(durationMs / 240), 1),
    driver: input.driver ?? "eniverse",
    vpc,
    nodeGroups: input.nodeGroups.map((group) => ({
      instanceType: "m5.large",
      min: group.min ?? Math.min(group.count, group.max ?? group.count),
      max: group.max ?? Math.max(group.count, group.min ?? group.count),
      startAtMs: 0,
      subnets: vpc.subnets.map(({ name }) => name),
      daemonPods: 0,
      bootMs: 30_000,
      scaleDownAfterMs: 600_000,
      env: {},
      ...group,
    })),
    awsNode: { env: input.awsNode?.env ?? {}, eniConfigs: input.awsNode?.eniConfigs ?? {} },
    scheduler: { podsPerSecond: input.scheduler?.podsPerSecond ?? 200 },
    workloads: input.workloads ?? [],
    ec2: {
      addressChoice: input.ec2?.addressChoice ?? "random",
      latencies: { ...usualLatencies, ...input.ec2?.latencies },
      imdsLag: input.ec2?.imdsLag ?? 1_000,
      throttling: input.ec2?.throttling ?? true,
      buckets: input.ec2?.buckets ?? {},
      limits: { ...quotas, ...input.ec2?.limits },
    },
    faults: input.faults ?? [],
  };
}
