import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatIpv4, parseIpv4 } from "../addr/ipv4.ts";
import { formatIpv6, type Ipv6 } from "../addr/ipv6.ts";
import { EniverseError, hasCode } from "../base/error.ts";
import type { Log } from "../base/log.ts";
import type { Cloud, CloudHooks } from "../cloud/cloud.ts";
import type { Fabric } from "../cloud/fabric/spec.ts";
import {
  adoptMachine,
  type Machine,
  type MachineOptions,
  rebootMachine,
  startMachine,
} from "../cloud/machine/machine.ts";
import type { Instance } from "../cloud/model/instance.ts";
import type { NetworkInterface } from "../cloud/model/network-interface.ts";
import type { ApiServer } from "../cluster/apiserver/options.ts";
import { kubeletFlags } from "../cluster/kubelet/flags.ts";
import { timestamp } from "../cluster/time.ts";
import type { KubeClient } from "../kube/client.ts";
import { nodes as nodeResource } from "../kube/resources.ts";
import { instanceLimits } from "../limits/instance-types.ts";
import { eniMaxPods, fallbackMaxPods, recommendedCap } from "../limits/max-pods.ts";
import type { LabConfig, NodeGroupConfig } from "./config.ts";
import type { LabMachine } from "./control.ts";
import type { LabPaths } from "./paths.ts";

const kubeletProgram = fileURLToPath(new URL("../cluster/kubelet/main.ts", import.meta.url));

/** As systemd runs it on EC2: started again when it ends, whether or not a lab process is there to see it. */
const restarted: readonly [string, ...string[]] = [
  "sh",
  "-c",
  'while :; do "$@"; sleep 1; done',
  "kubelet-service",
];

/** Jumbo frames, as EC2 has them inside a VPC. */
const eniMtu = 9001;

export interface NodesParts {
  readonly paths: LabPaths;
  readonly config: LabConfig;
  readonly cloud: Cloud;
  readonly fabric: Fabric;
  readonly apiServer: ApiServer;
  /** "https://10.0.15.5:443": where kubelets find the API server. */
  readonly apiServerUrl: () => string;
  readonly log: Log;
}

/** The machines of a lab's instances: made, booted into nodes, adopted after a restart, ended. */
export class Nodes {
  readonly #parts: NodesParts;
  readonly #machines = new Map<string, Machine>();

  constructor(parts: NodesParts) {
    this.#parts = parts;
  }

  /** What the cloud calls when instances come and go. */
  readonly hooks: Pick<CloudHooks, "createMachine" | "bootMachine" | "endMachine"> = {
    createMachine: (instance) => this.#create(instance),
    bootMachine: (instance) => this.#boot(instance),
    endMachine: (instanceId) => this.#end(instanceId),
  };

  /** Takes over the machines that went on while the lab process was away. */
  adopt(): void {
    for (const instance of this.#parts.cloud.state.instances.values()) {
      if (instance.state !== "running" && instance.state !== "pending") continue;
      const machine = adoptMachine(this.#parts.paths.name, instance.instanceId);
      if (machine === undefined) continue;
      this.#keep(machine);
    }
  }

  machine(instanceId: string): Machine | undefined {
    return this.#machines.get(instanceId);
  }

  list(): LabMachine[] {
    return [...this.#machines.values()].map((machine) => {
      const address = this.#primaryAddress(machine.instanceId);
      const ipv6 = this.#ipv6Address(machine.instanceId);
      return {
        instanceId: machine.instanceId,
        nodeName: nodeNameOf(address, this.#parts.config.region),
        address,
        ...(ipv6 === undefined ? {} : { ipv6Address: formatIpv6(ipv6) }),
        initPid: machine.pid,
        kubeletSocket: kubeletSocket(this.#parts.paths, machine.instanceId),
      };
    });
  }

  /**
   * Ends a machine and starts it again: the instance keeps its id, its ENIs with their addresses and its disk; its
   * processes, its network's settings, /run and /tmp are new.
   */
  async reboot(instanceId: string): Promise<void> {
    const { cloud, fabric } = this.#parts;
    const instance = cloud.state.instances.get(instanceId);
    if (instance?.state !== "running") {
      throw new EniverseError("not_found", {
        attempted: `reboot ${instanceId}`,
        found: `it is ${instance?.state ?? "unknown"}`,
        wanted: "a running instance",
      });
    }
    const machine = this.#machines.get(instanceId);
    if (machine === undefined) await this.#create(instance);
    else {
      this.#machines.delete(instanceId);
      const rebooted = rebootMachine(machine, this.#machineOptions(instance));
      this.#keep(await rebooted.finally(() => fabric.removePlace(instanceId)));
    }
    await fabric.apply(cloud.fabricSpec());
    this.#boot(instance);
  }

  /** Whether {@link bootMissing} has something to do. */
  areMissing(): boolean {
    return this.#missing().length > 0;
  }

  #missing(): Instance[] {
    return [...this.#parts.cloud.state.instances.values()].filter(
      ({ instanceId, state }) => state === "running" && !this.#machines.has(instanceId),
    );
  }

  /**
   * Boots what runs as far as EC2 knows but has no machine, as after a reboot of this machine or when a node's
   * processes were killed; answers how many. Their nodes are Unknown until the kubelets report.
   */
  async bootMissing(): Promise<number> {
    const { cloud, fabric, apiServer, config } = this.#parts;
    const missing = this.#missing();
    await Promise.all(
      missing.map(async (instance) => {
        await markUnknown(
          apiServer.client,
          nodeNameOf(this.#primaryAddress(instance.instanceId), config.region),
        );
        await this.#create(instance);
      }),
    );
    await fabric.apply(cloud.fabricSpec());
    for (const instance of missing) this.#boot(instance);
    return missing.length;
  }

  async #create(instance: Instance): Promise<void> {
    this.#keep(await startMachine(this.#machineOptions(instance)));
  }

  #machineOptions(instance: Instance): MachineOptions {
    const { paths, config } = this.#parts;
    return {
      lab: paths.name,
      instanceId: instance.instanceId,
      hostname: nodeNameOf(this.#primaryAddress(instance.instanceId), config.region),
      sharedFolders: [paths.run],
    };
  }

  #keep(machine: Machine): void {
    this.#machines.set(machine.instanceId, machine);
    this.#parts.fabric.addPlace(machine.instanceId, machine.netnsPath);
  }

  /** What a node does at its start: addresses, credentials, kubelet. */
  #boot(instance: Instance): void {
    const { cloud, config, paths, apiServer } = this.#parts;
    const machine = this.#machines.get(instance.instanceId);
    const subnet = cloud.state.subnets.get(instance.subnetId);
    if (machine === undefined || subnet === undefined) {
      throw new EniverseError("internal", {
        attempted: `boot ${instance.instanceId}`,
        found: "no machine or subnet",
      });
    }
    const address = this.#primaryAddress(instance.instanceId);
    const ipv6Address = this.#ipv6Address(instance.instanceId);
    machine.primaryUp({
      device: "eth0",
      address: parseIpv4(address),
      subnet: subnet.cidr,
      mtu: eniMtu,
      ...(ipv6Address === undefined ? {} : { ipv6Address }),
    });
    const group = this.#groupOf(instance);
    if (group === undefined) return;
    const nodeName = nodeNameOf(address, config.region);
    const kubernetes = join(machine.rootPath, "etc/kubernetes");
    mkdirSync(join(kubernetes, "pki"), { recursive: true });
    writeFileSync(join(kubernetes, "pki/ca.crt"), apiServer.ca);
    writeFileSync(join(kubernetes, "kubelet-token"), apiServer.tokenFor({ node: nodeName }), { mode: 0o600 });
    rmSync(kubeletSocket(paths, instance.instanceId), { force: true });
    const flags = kubeletFlags({
      nodeName,
      nodeIp: this.#nodeIp(address, ipv6Address),
      apiServer: this.#parts.apiServerUrl(),
      caFile: "/etc/kubernetes/pki/ca.crt",
      tokenFile: "/etc/kubernetes/kubelet-token",
      providerId: `aws:///${instance.zone}/${instance.instanceId}`,
      maxPods: group.maxPods ?? this.#maxPods(instance.instanceType),
      labels: {
        "topology.kubernetes.io/region": config.region,
        "topology.kubernetes.io/zone": instance.zone,
        "node.kubernetes.io/instance-type": instance.instanceType,
        "eks.amazonaws.com/nodegroup": group.name,
        ...group.labels,
      },
      taints: group.taints,
      socket: kubeletSocket(paths, instance.instanceId),
    });
    const kubeletLog = openSync(join(machine.rootPath, "var/log/kubelet.log"), "a");
    const child = machine.spawn([...restarted, process.execPath, kubeletProgram, ...flags], {
      detached: true,
      stdio: ["ignore", kubeletLog, kubeletLog],
    });
    closeSync(kubeletLog);
    child.unref();
  }

  async #end(instanceId: string): Promise<void> {
    const machine = this.#machines.get(instanceId);
    if (machine === undefined) return;
    this.#machines.delete(instanceId);
    await machine.stop();
    await this.#parts.fabric.removePlace(instanceId);
    rmSync(kubeletSocket(this.#parts.paths, instanceId), { force: true });
  }

  #groupOf(instance: Instance): NodeGroupConfig | undefined {
    const name = instance.tags.get("eks:nodegroup-name");
    return this.#parts.config.nodeGroups.find((group) => group.name === name);
  }

  /** The kubelet names the address of the cluster's family; a node of an IPv6 cluster is known by no other. */
  #nodeIp(address: string, ipv6: Ipv6 | undefined): string {
    return this.#parts.config.cluster.ipFamily === "ipv6" && ipv6 !== undefined ? formatIpv6(ipv6) : address;
  }

  #maxPods(instanceType: string): number {
    const limits = instanceLimits(instanceType);
    if (limits === undefined) return fallbackMaxPods;
    return this.#parts.config.cluster.ipFamily === "ipv6"
      ? recommendedCap(limits.vcpus ?? 0)
      : eniMaxPods(limits);
  }

  #ipv6Address(instanceId: string): Ipv6 | undefined {
    return this.#primaryEni(instanceId)?.ipv6Addresses[0];
  }

  #primaryEni(instanceId: string): NetworkInterface | undefined {
    const { state } = this.#parts.cloud;
    const eniId = state.instances.get(instanceId)?.eniIds[0];
    return eniId === undefined ? undefined : state.enis.get(eniId);
  }

  #primaryAddress(instanceId: string): string {
    const primary = this.#primaryEni(instanceId)?.addresses[0];
    if (primary === undefined) {
      throw new EniverseError("internal", {
        attempted: `find the address of ${instanceId}`,
        found: "no interface",
      });
    }
    return formatIpv4(primary);
  }
}

/** What the node controller says of a node whose kubelet is silent, said at once. */
async function markUnknown(kube: KubeClient, nodeName: string): Promise<void> {
  const unknown = {
    type: "Ready",
    status: "Unknown",
    reason: "NodeStatusUnknown",
    message: "Kubelet stopped posting node status.",
    lastTransitionTime: timestamp(Date.now()),
  };
  try {
    await kube.patch(
      nodeResource,
      nodeName,
      { status: { conditions: [unknown] } },
      {
        kind: "strategic",
        subresource: "status",
      },
    );
  } catch (error) {
    // It was ended before its kubelet had registered it.
    if (!hasCode(error, "not_found")) throw error;
  }
}

function kubeletSocket(paths: LabPaths, instanceId: string): string {
  return join(paths.run, `${instanceId}-kubelet.sock`);
}

/** EC2's private DNS name: us-east-1 has a form of its own. */
export function nodeNameOf(address: string, region: string): string {
  const host = `ip-${address.replaceAll(".", "-")}`;
  return region === "us-east-1" ? `${host}.ec2.internal` : `${host}.${region}.compute.internal`;
}
