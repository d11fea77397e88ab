import type { Condition, Node, NodeStatus, Taint } from "../../kube/resources.ts";
import { knownImages } from "../images/registry.ts";
import { timestamp } from "../time.ts";
import type { KubeletSettings } from "./flags.ts";
import { networkNotReady } from "./network.ts";

/** What the machine says about itself. */
export interface MachineFacts {
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly architecture: "amd64" | "arm64";
  readonly machineId: string;
  readonly bootId: string;
}

export const kubeletVersion = "v1.33.0-eks-eniverse";
const networkNotReadyTaint = "node.kubernetes.io/not-ready";

/** The Node as the kubelet registers it: not ready, so that nothing is put on it before it is. Pure. */
export function newNode(settings: KubeletSettings, machine: MachineFacts, now: number): Node {
  const startup: Taint = { key: networkNotReadyTaint, effect: "NoSchedule" };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: settings.nodeName,
      labels: nodeLabels(settings, machine),
      annotations: { "node.alpha.kubernetes.io/ttl": "0" },
    },
    spec: {
      ...(settings.providerId !== undefined && { providerID: settings.providerId }),
      taints: [...settings.taints.map((taint) => taint as Taint), startup],
    },
    status: nodeStatus(settings, machine, undefined, false, now),
  };
}

/** The labels that the kubelet keeps in force; others on the node are left as they are. */
export function nodeLabels(settings: KubeletSettings, machine: MachineFacts): Record<string, string> {
  const zone = settings.labels["topology.kubernetes.io/zone"];
  const region = settings.labels["topology.kubernetes.io/region"] ?? zone?.replace(/[a-z]$/, "");
  const type = settings.labels["node.kubernetes.io/instance-type"];
  return {
    "beta.kubernetes.io/arch": machine.architecture,
    "beta.kubernetes.io/os": "linux",
    "kubernetes.io/arch": machine.architecture,
    "kubernetes.io/os": "linux",
    "kubernetes.io/hostname": settings.nodeName,
    ...(region !== undefined && { "topology.kubernetes.io/region": region }),
    ...(zone !== undefined && { "failure-domain.beta.kubernetes.io/zone": zone }),
    ...(region !== undefined && { "failure-domain.beta.kubernetes.io/region": region }),
    ...(type !== undefined && { "beta.kubernetes.io/instance-type": type }),
    ...settings.labels,
  };
}

/**
 * Capacity, addresses and conditions. Resources that others gave the node (vpc.amazonaws.com/pod-eni) stay, and
 * become allocatable as the kubelet makes them.
 */
export function nodeStatus(
  settings: KubeletSettings,
  machine: MachineFacts,
  before: NodeStatus | undefined,
  networkReady: boolean,
  now: number,
): NodeStatus {
  const own = {
    cpu: cpuText(settings.cpuMillis),
    memory: `${Math.floor(settings.memoryBytes / 1024)}Ki`,
    "ephemeral-storage": "20959212Ki",
    "hugepages-1Gi": "0",
    "hugepages-2Mi": "0",
    pods: String(settings.maxPods),
  };
  const extended = Object.fromEntries(
    Object.entries(before?.capacity ?? {}).filter(([name]) => name.includes("/")),
  );
  return {
    capacity: { ...extended, ...own },
    allocatable: { ...extended, ...own, ...reservedParts(settings) },
    conditions: nodeConditions(before?.conditions ?? [], networkReady, now),
    addresses: [
      { type: "InternalIP", address: settings.nodeIp },
      { type: "InternalDNS", address: settings.nodeName },
      { type: "Hostname", address: settings.nodeName },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    nodeInfo: {
      machineID: machine.machineId,
      systemUUID: machine.machineId,
      bootID: machine.bootId,
      kernelVersion: machine.kernelVersion,
      osImage: machine.osImage,
      containerRuntimeVersion: "containerd://2.0.0-eniverse",
      kubeletVersion,
      kubeProxyVersion: kubeletVersion,
      operatingSystem: "linux",
      architecture: machine.architecture,
    },
    images: knownImages.map((name) => ({ names: [name], sizeBytes: 0 })),
  };
}

/** What an EKS node keeps for itself: 70 m of the first core, 11 MiB per pod and 255 MiB beside 100 MiB of slack. */
function reservedParts({ cpuMillis, memoryBytes, maxPods }: KubeletSettings): {
  cpu: string;
  memory: string;
} {
  const reservedMiB = 11 * maxPods + 255 + 100;
  return {
    cpu: cpuText(cpuMillis - 70),
    memory: `${Math.max(0, Math.floor(memoryBytes / 1024) - reservedMiB * 1024)}Ki`,
  };
}

const cpuText = (millis: number): string => (millis % 1000 === 0 ? String(millis / 1000) : `${millis}m`);

function nodeConditions(before: readonly Condition[], networkReady: boolean, now: number): Condition[] {
  const fine = (type: string, reason: string, message: string): Condition => ({
    type,
    status: "False",
    reason,
    message,
  });
  const ready: Condition = networkReady
    ? { type: "Ready", status: "True", reason: "KubeletReady", message: "kubelet is posting ready status" }
    : { type: "Ready", status: "False", reason: "KubeletNotReady", message: networkNotReady };
  const own = [
    fine("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    fine("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    fine("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ready,
  ];
  const time = timestamp(now);
  const types = new Set(own.map(({ type }) => type));
  return [
    ...before.filter(({ type }) => !types.has(type)),
    ...own.map((condition) => {
      const was = before.find(({ type }) => type === condition.type);
      const since = was?.status === condition.status ? was.lastTransitionTime : undefined;
      return { ...condition, lastHeartbeatTime: time, lastTransitionTime: since ?? time };
    }),
  ];
}
