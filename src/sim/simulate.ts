import { cidr4Size, parseCidr4 } from "../addr/cidr.ts";
import { EniverseError } from "../base/error.ts";
import { type Random, seededRandom } from "../base/random.ts";
import { Ec2Fault } from "../cloud/model/fault.ts";
import { createEni } from "../cloud/model/network-interface.ts";
import type { Context } from "../cloud/model/state.ts";
import { createSubnet } from "../cloud/model/subnet.ts";
import { createReservation } from "../cloud/model/subnet-reservation.ts";
import { associateVpcCidr, createVpc } from "../cloud/model/vpc.ts";
import { effectiveSettings } from "../ipam/settings.ts";
import { instanceLimits } from "../limits/instance-types.ts";
import { podAddresses } from "../limits/max-pods.ts";
import { settingsFromEnv } from "./aws-node-env.ts";
import { Cluster, type ClusterNode, type Group } from "./cluster.ts";
import { SimEc2 } from "./ec2.ts";
import { EventQueue } from "./events.ts";
import type { Machine, NodeDriver } from "./machine.ts";
import { EniverseNode } from "./node.ts";
import { OfficialNode } from "./official.ts";
import type { SimPod } from "./pods.ts";
import { Recorder } from "./recorder.ts";
import type { Report } from "./report.ts";
import type { DriverName, FaultScenario, NodeGroupScenario, Scenario } from "./scenario.ts";
import { checkScenario } from "./scenario-check.ts";
import { LeastLoaded } from "./scheduler.ts";
import { play } from "./workloads.ts";

/** The virtual clock begins here: the time itself means nothing. */
const startAt = Date.UTC(2026, 0, 1);

/** aws-node and kube-proxy take two of a node's pods and no address. */
const hostNetworkPods = 2;

export interface SimulateOptions {
  /** Called now and then with the share of the run that is done, 0…1, and the events so far. */
  readonly onProgress?: (share: number, events: number) => void;
}

/**
 * Plays a scenario on a virtual clock: ipamd's decision core on every node, against the local cloud's model of EC2
 * behind its token buckets. The same scenario and seed give the same report. Throws `invalid_argument` for
 * scenarios that cannot be: overlapping subnets, unknown instance types, settings that contradict each other.
 */
export function simulate(scenario: Scenario, options: SimulateOptions = {}): Report {
  checkScenario(scenario);
  const run = new Run(scenario);
  run.play(options);
  return run.report();
}

/** One run; tests look at its parts. */
export class Run {
  readonly queue = new EventQueue(startAt);
  readonly ec2: SimEc2;
  readonly cluster: Cluster;
  readonly #scenario: Scenario;
  readonly #recorder: Recorder;
  readonly #random: Random;
  /** Names by subnet id. */
  readonly #subnets = new Map<string, string>();
  #podNumber = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#random = seededRandom(scenario.seed + 1);
    this.#recorder = new Recorder(this.queue);
    this.ec2 = new SimEc2({
      queue: this.queue,
      random: seededRandom(scenario.seed),
      scenario: scenario.ec2,
      zones: [...new Set(scenario.vpc.subnets.map(({ zone }) => zone))],
    });
    const vpcId = this.#buildNetwork();
    this.cluster = new Cluster({
      queue: this.queue,
      ec2: this.ec2,
      random: this.#random,
      vpcId,
      groups: scenario.nodeGroups.map((group) => this.#group(group)),
      podsPerSecond: scenario.scheduler.podsPerSecond,
      makeDriver: (machine) => makeDriver(scenario.driver, machine),
      failed: (failure) => this.#recorder.failed(failure),
      served: (_pod, waitedMs) => this.#recorder.served(waitedMs),
    });
  }

  /** Puts everything on the clock. */
  start(): void {
    const { queue, cluster } = this;
    const { workloads, faults } = this.#scenario;
    for (const group of cluster.groups) {
      queue.at(startAt + group.spec.startAtMs, () => cluster.launch(group, group.spec.count));
    }
    for (const fault of faults) this.#plan(fault);
    for (const workload of workloads) {
      play(workload, {
        queue,
        cluster,
        startAt,
        newPod: ({ name, nodeGroup }, hooks): SimPod => ({
          key: {
            networkName: "aws-cni",
            containerId: `${name}-${++this.#podNumber}`,
            ifName: "eth0",
          },
          nodeGroup,
          createdAt: queue.now,
          node: undefined,
          askedAt: undefined,
          servedAt: undefined,
          isReady: false,
          isGone: false,
          ...hooks,
        }),
      });
    }
  }

  /** Puts everything on the clock and lets it run to the end. */
  play({ onProgress }: SimulateOptions = {}): void {
    const { queue, cluster } = this;
    const { durationMs, sampleMs } = this.#scenario;
    this.start();
    for (let at = 0; at <= durationMs; at += sampleMs) {
      queue.runUntil(startAt + at);
      this.#recorder.sample(cluster, this.ec2, this.#subnets);
      onProgress?.(at / durationMs, queue.ran);
    }
    if (queue.now < startAt + durationMs) {
      queue.runUntil(startAt + durationMs);
      this.#recorder.sample(cluster, this.ec2, this.#subnets);
    }
  }

  report(): Report {
    return this.#recorder.report(this.#scenario, this.cluster, this.ec2, this.#subnets);
  }

  #buildNetwork(): string {
    const { vpc } = this.#scenario;
    try {
      return this.ec2.model((ctx) => {
        const [primary = "", ...more] = vpc.cidrs;
        const { vpcId } = createVpc(ctx, { cidr: parseCidr4(primary) });
        for (const cidr of more) associateVpcCidr(ctx, vpcId, parseCidr4(cidr));
        for (const { name, zone, cidr, tags, reservations, usedPercent } of vpc.subnets) {
          const { subnetId } = createSubnet(ctx, {
            vpcId,
            cidr: parseCidr4(cidr),
            zone,
            tags: Object.entries({ Name: name, ...tags }),
          });
          this.#subnets.set(subnetId, name);
          for (const { cidr: block, type } of reservations) {
            createReservation(ctx, { subnetId, cidr: parseCidr4(block), type, description: "" });
          }
          fill(ctx, subnetId, usedPercent);
        }
        return vpcId;
      });
    } catch (thrown) {
      if (!(thrown instanceof Ec2Fault)) throw thrown;
      throw new EniverseError("invalid_argument", {
        attempted: "build the scenario's VPC",
        found: `${thrown.code}: ${thrown.message}`,
        cause: thrown,
      });
    }
  }

  #subnetId(name: string): string {
    for (const [id, known] of this.#subnets) if (known === name) return id;
    throw new EniverseError("invalid_argument", {
      attempted: `find the subnet ${name}`,
      wanted: `one of ${[...this.#subnets.values()].join(", ")}`,
    });
  }

  #group(spec: NodeGroupScenario): Group {
    const limits = instanceLimits(spec.instanceType);
    if (limits === undefined) {
      throw new EniverseError("invalid_argument", {
        attempted: `use nodeGroups.${spec.name}.instanceType`,
        found: JSON.stringify(spec.instanceType),
        wanted: "a known instance type",
      });
    }
    const { awsNode } = this.#scenario;
    const env = { ...awsNode.env, ...spec.env };
    const { settings } = effectiveSettings(settingsFromEnv(env, "awsNode.env"), limits);
    const { mode, customNetworking, maxEni } = settings;
    const most = podAddresses(limits, { prefixDelegation: mode === "prefix", customNetworking, maxEni });
    const maxPods = spec.maxPods ?? Math.min(most + hostNetworkPods, mode === "prefix" ? 110 : most + 2);
    return {
      spec,
      settings,
      maxPods,
      capacity: Math.max(maxPods - hostNetworkPods - spec.daemonPods, 0),
      subnets: spec.subnets.map((name) => {
        const subnetId = this.#subnetId(name);
        return { subnetId, zone: this.ec2.state.subnets.get(subnetId)?.zone ?? "" };
      }),
      podSubnets: new Map(
        Object.entries(awsNode.eniConfigs).map(([zone, name]) => [zone, this.#subnetId(name)]),
      ),
      scheduler: new LeastLoaded<ClusterNode>(),
      nodesIn: new Map(),
      nodes: 0,
      starting: 0,
    };
  }

  #plan(fault: FaultScenario): void {
    const { queue, ec2, cluster } = this;
    queue.at(startAt + fault.atMs, () => {
      if (fault.kind === "calls") {
        const { action, rate, delayMs, errorCode } = fault;
        const id = ec2.faults.add({
          action,
          rate,
          delayMs,
          ...(errorCode === undefined ? {} : { errorCode }),
        });
        queue.at(startAt + fault.untilMs, () => ec2.faults.clear(id));
      } else if (fault.kind === "fill") {
        ec2.model((ctx) => fill(ctx, this.#subnetId(fault.subnet), fault.usedPercent));
      } else {
        const nodes = [...cluster.nodes].filter(({ group }) => group.spec.name === fault.nodeGroup);
        for (const node of this.#random.shuffle(nodes).slice(0, fault.nodes)) {
          cluster.end(node);
          // The group replaces what was taken from it.
          if (node.group.nodes < node.group.spec.count) cluster.launch(node.group, 1);
        }
      }
    });
  }
}

function makeDriver(name: DriverName, machine: Machine): NodeDriver {
  return name === "official" ? new OfficialNode(machine) : new EniverseNode(machine);
}

/** Others take addresses at random until so much of a subnet is used. */
function fill({ state, ...ctx }: Context, subnetId: string, usedPercent: number): void {
  const space = state.spaces.get(subnetId);
  const subnet = state.subnets.get(subnetId);
  if (space === undefined || subnet === undefined) return;
  const wanted = Math.floor(((cidr4Size(subnet.cidr) - 5) * usedPercent) / 100) - space.usedCount;
  const count = Math.min(wanted, space.freeCount);
  if (count <= 0) return;
  createEni(
    { state, ...ctx, settings: { ...ctx.settings, addressChoice: "random" } },
    { subnetId, description: "others", requesterId: "others", addressCount: count - 1 },
  );
}
