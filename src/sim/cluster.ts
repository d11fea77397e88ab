import { messageOf } from "../base/error.ts";
import type { Random } from "../base/random.ts";
import { finishLaunch, terminateInstances } from "../cloud/model/instance.ts";
import { runInstances } from "../cloud/model/instance-launch.ts";
import type { Settings } from "../ipam/settings.ts";
import { fullRetryQuota, type SimEc2 } from "./ec2.ts";
import type { EventQueue } from "./events.ts";
import type { Failure, Machine, NodeDriver } from "./machine.ts";
import type { SimPod } from "./pods.ts";
import type { NodeGroupScenario } from "./scenario.ts";
import type { LeastLoaded, Placeable } from "./scheduler.ts";

/** How long an autoscaler looks at pods that fit nowhere before it launches nodes, and between two looks. */
const autoscaleMs = 10_000;
/** A launch that was refused is tried again after so long. */
const relaunchMs = 30_000;

export interface ClusterNode extends Placeable {
  readonly name: string;
  readonly group: Group;
  readonly instanceId: string;
  readonly subnetId: string;
  readonly driver: NodeDriver;
  readonly pods: Set<SimPod>;
  isReady: boolean;
  emptySince: number;
}

export interface Group {
  readonly spec: NodeGroupScenario;
  readonly settings: Settings;
  readonly maxPods: number;
  readonly capacity: number;
  /** Subnets by id with their zone, in the order of the scenario. */
  readonly subnets: readonly { readonly subnetId: string; readonly zone: string }[];
  readonly podSubnets: ReadonlyMap<string, string>;
  readonly scheduler: LeastLoaded<ClusterNode>;
  /** Nodes in each subnet, launching ones too. */
  readonly nodesIn: Map<string, number>;
  nodes: number;
  /** Launched and not ready. */
  starting: number;
}

export interface ClusterParts {
  readonly queue: EventQueue;
  readonly ec2: SimEc2;
  readonly random: Random;
  readonly vpcId: string;
  readonly groups: readonly Group[];
  readonly podsPerSecond: number;
  readonly makeDriver: (machine: Machine) => NodeDriver;
  readonly failed: (failure: Failure) => void;
  readonly served: (pod: SimPod, waitedMs: number) => void;
}

/** Nodes, the scheduler and the autoscaler on the virtual clock. */
export class Cluster {
  readonly nodes = new Set<ClusterNode>();
  readonly groups: readonly Group[];
  /** Pods that are bound and have no address yet. */
  readonly asking = new Set<SimPod>();
  podsRunning = 0;
  podsCreated = 0;
  nodesLaunched = 0;
  nodesPeak = 0;
  readonly #parts: ClusterParts;
  #toBind: SimPod[] = [];
  #bound = 0;
  #bindAt = 0;
  #isBinding = false;
  /** Pods that fit on no node, by their group ("" for any). */
  readonly #homeless = new Map<string, Set<SimPod>>();
  #isScaling = false;
  #nodeNumber = 0;

  constructor(parts: ClusterParts) {
    this.#parts = parts;
    this.groups = parts.groups;
  }

  /** Pods without a node. */
  get podsUnscheduled(): number {
    let count = this.#toBind.length - this.#bound;
    for (const pods of this.#homeless.values()) count += pods.size;
    return count;
  }

  /** Launches nodes of a group. */
  launch(group: Group, count: number): void {
    for (let node = 0; node < count; node++) this.#launchOne(group);
  }

  create(pod: SimPod): void {
    this.podsCreated++;
    this.#toBind.push(pod);
    this.#bindSoon();
  }

  /** Ends a pod, wherever it is. */
  remove(pod: SimPod): void {
    if (pod.isGone) return;
    pod.isGone = true;
    const { node } = pod;
    if (node === undefined) {
      this.#homeless.get(pod.nodeGroup ?? "")?.delete(pod);
      return;
    }
    if (pod.isReady) this.podsRunning--;
    this.asking.delete(pod);
    node.pods.delete(pod);
    node.driver.release(pod.key);
    if (!node.isReady) return;
    node.group.scheduler.change(node, -1);
    this.#roomOn(node.group);
    if (node.pods.size === 0) this.#empty(node);
  }

  /** Ends a node; its pods are lost. */
  end(node: ClusterNode): void {
    const { ec2 } = this.#parts;
    const { group } = node;
    if (!this.nodes.delete(node)) return;
    group.nodes--;
    group.nodesIn.set(node.subnetId, (group.nodesIn.get(node.subnetId) ?? 1) - 1);
    if (node.isReady) group.scheduler.remove(node);
    else group.starting--;
    node.isReady = false;
    node.driver.stop();
    ec2.model((ctx) => terminateInstances(ctx, [node.instanceId]));
    ec2.model(() => {});
    for (const pod of node.pods) {
      pod.isGone = true;
      if (pod.isReady) this.podsRunning--;
      this.asking.delete(pod);
      pod.onLost?.(pod);
    }
    node.pods.clear();
  }

  #launchOne(group: Group): void {
    const { queue, ec2, failed } = this.#parts;
    const name = `${group.spec.name}-${++this.#nodeNumber}`;
    group.nodes++;
    group.starting++;
    // As an Auto Scaling group does: the zone with the fewest nodes first.
    const inOrder = group.subnets.toSorted(
      (a, b) => (group.nodesIn.get(a.subnetId) ?? 0) - (group.nodesIn.get(b.subnetId) ?? 0),
    );
    let why = "";
    for (const { subnetId, zone } of inOrder) {
      try {
        const [instance] = ec2.model((ctx) =>
          runInstances(ctx, { instanceType: group.spec.instanceType, subnetId }, "autoscaling"),
        );
        if (instance === undefined) continue;
        group.nodesIn.set(subnetId, (group.nodesIn.get(subnetId) ?? 0) + 1);
        this.nodesLaunched++;
        this.#start(this.#nodeOn(group, name, instance.instanceId, subnetId, zone));
        return;
      } catch (thrown) {
        why = messageOf(thrown);
      }
    }
    failed({ what: "RunInstances: a node could not be launched", why, node: name });
    group.nodes--;
    group.starting--;
    queue.after(relaunchMs, () => {
      if (group.nodes < group.spec.count) this.#launchOne(group);
    });
  }

  #nodeOn(group: Group, name: string, instanceId: string, subnetId: string, zone: string): ClusterNode {
    const { queue, ec2, random, vpcId, failed, makeDriver } = this.#parts;
    const driver = makeDriver({
      name,
      instanceId,
      vpcId,
      zone,
      subnetId,
      settings: group.settings,
      maxPods: group.maxPods,
      podSubnetId: group.podSubnets.get(zone),
      queue,
      ec2,
      client: { retryTokens: fullRetryQuota },
      random,
      imdsLagMs: ec2.settings.imds.lagMs,
      failed,
    });
    const { capacity } = group;
    return {
      name,
      group,
      instanceId,
      subnetId,
      driver,
      pods: new Set(),
      isReady: false,
      emptySince: queue.now,
      load: 0,
      capacity,
      slot: 0,
    };
  }

  #start(node: ClusterNode): void {
    const { queue, ec2, random } = this.#parts;
    this.nodes.add(node);
    this.nodesPeak = Math.max(this.nodesPeak, this.nodes.size);
    // No two machines start in the same time.
    queue.after(Math.round(node.group.spec.bootMs * (0.9 + 0.2 * random.next())), () => {
      if (!this.nodes.has(node)) return;
      ec2.model((ctx) => finishLaunch(ctx, node.instanceId));
      node.driver.start(() => this.#ready(node));
    });
  }

  #ready(node: ClusterNode): void {
    if (!this.nodes.has(node)) return;
    const { group } = node;
    node.isReady = true;
    group.starting--;
    group.scheduler.add(node);
    for (let number = 0; number < group.spec.daemonPods; number++) {
      const key = { networkName: "aws-cni", containerId: `${node.name}-daemon-${number}`, ifName: "eth0" };
      node.driver.ask({ key, served: () => {} });
    }
    this.#empty(node);
    this.#roomOn(group);
  }

  /** A node without pods is ended after a while when the group is larger than it must be. */
  #empty(node: ClusterNode): void {
    const { queue } = this.#parts;
    const { spec } = node.group;
    if (node.group.nodes <= spec.min || !Number.isFinite(spec.scaleDownAfterMs)) return;
    node.emptySince = queue.now;
    const since = queue.now;
    queue.after(spec.scaleDownAfterMs, () => {
      const isIdle = node.isReady && node.pods.size === 0 && node.emptySince === since;
      if (isIdle && node.group.nodes > spec.min) this.end(node);
    });
  }

  /** Pods that found no room may find it now. */
  #roomOn(group: Group): void {
    for (const target of [group.spec.name, ""]) {
      const waiting = this.#homeless.get(target);
      if (waiting === undefined) continue;
      let room = (group.scheduler.best() === undefined ? 0 : 1) * this.#roomOf(group);
      for (const pod of waiting) {
        if (room-- <= 0) break;
        waiting.delete(pod);
        this.#toBind.push(pod);
      }
    }
    this.#bindSoon();
  }

  #roomOf(group: Group): number {
    const best = group.scheduler.best();
    return best === undefined ? 0 : best.capacity - best.load;
  }

  #bindSoon(): void {
    if (this.#isBinding || this.#toBind.length === this.#bound) return;
    const { queue, podsPerSecond } = this.#parts;
    this.#isBinding = true;
    queue.at(Math.max(this.#bindAt, queue.now), () => {
      this.#isBinding = false;
      // All that are due at this moment at once, so that a node decides about them together.
      this.#bindAt = Math.max(this.#bindAt, queue.now);
      while (this.#bindAt <= queue.now && this.#bound < this.#toBind.length) {
        this.#bindNext();
        this.#bindAt += 1000 / podsPerSecond;
      }
      this.#bindSoon();
    });
  }

  #bindNext(): void {
    const pod = this.#toBind[this.#bound++];
    if (this.#bound > 4096 && this.#bound * 2 > this.#toBind.length) {
      this.#toBind = this.#toBind.slice(this.#bound);
      this.#bound = 0;
    }
    if (pod === undefined || pod.isGone) return;
    const node = this.#choose(pod.nodeGroup);
    if (node === undefined) this.#putAside(pod);
    else this.#bind(pod, node);
  }

  #choose(target: string | undefined): ClusterNode | undefined {
    let best: ClusterNode | undefined;
    for (const group of this.groups) {
      if (target !== undefined && group.spec.name !== target) continue;
      const node = group.scheduler.best();
      if (node === undefined) continue;
      if (best === undefined || node.load / node.capacity < best.load / best.capacity) best = node;
    }
    return best;
  }

  #putAside(pod: SimPod): void {
    const target = pod.nodeGroup ?? "";
    let aside = this.#homeless.get(target);
    if (aside === undefined) {
      aside = new Set();
      this.#homeless.set(target, aside);
    }
    aside.add(pod);
    this.#scaleSoon();
  }

  #bind(pod: SimPod, node: ClusterNode): void {
    const { queue, served } = this.#parts;
    pod.node = node;
    pod.askedAt = queue.now;
    node.pods.add(pod);
    node.group.scheduler.change(node, 1);
    this.asking.add(pod);
    node.driver.ask({
      key: pod.key,
      served: () => {
        if (pod.isGone) return;
        this.asking.delete(pod);
        pod.servedAt = queue.now;
        pod.isReady = true;
        this.podsRunning++;
        served(pod, queue.now - (pod.askedAt ?? queue.now));
        // Not within the driver's own work.
        if (pod.onReady !== undefined) queue.at(queue.now, () => pod.onReady?.(pod));
      },
    });
  }

  #scaleSoon(): void {
    if (this.#isScaling || this.groups.every(({ nodes, spec }) => nodes >= spec.max)) return;
    this.#isScaling = true;
    this.#parts.queue.after(autoscaleMs, () => {
      this.#isScaling = false;
      for (const [target, pods] of this.#homeless) {
        let count = pods.size;
        for (const group of this.groups) {
          if (count <= 0) break;
          if (target !== "" && group.spec.name !== target) continue;
          const coming = group.starting * group.capacity;
          const wanted = Math.ceil(Math.max(count - coming, 0) / group.capacity);
          const more = Math.min(wanted, group.spec.max - group.nodes);
          this.launch(group, Math.max(more, 0));
          count -= coming + Math.max(more, 0) * group.capacity;
        }
      }
      if ([...this.#homeless.values()].some(({ size }) => size > 0)) this.#scaleSoon();
    });
  }
}
