import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { EC2Client } from "@aws-sdk/client-ec2";
import { messageOf } from "../../base/error.ts";
import type { KubeClient } from "../../kube/client.ts";
import {
  daemonSets,
  type Event,
  eniConfigs,
  events,
  type Node,
  nodes,
  type Pod,
  pods,
} from "../../kube/resources.ts";
import { instanceLimits } from "../../limits/instance-types.ts";
import type { DecisionEntry } from "../../node/ipamd/decision-log.ts";
import { eniConfigName } from "../../node/ipamd/eniconfig.ts";
import type { PoolPage } from "../../node/ipamd/pool-page.ts";
import { type LabMachine, labStatus, latestCalls } from "../control.ts";
import { httpGetIn } from "../http-in-netns.ts";
import type { LabPaths } from "../paths.ts";
import { podSandboxes } from "../pod-netns.ts";
import type { EniSeen, EventSeen, IpamdSeen, NodeSeen, Observation, PodSeen } from "./observation.ts";
import { metadataSeen } from "./observe-metadata.ts";
import { observeVpc } from "./observe-vpc.ts";
import { unknownToPool } from "./stale-metadata.ts";

/** What an observation needs of a lab that is up. */
export interface AskedLab {
  readonly paths: LabPaths;
  readonly kube: KubeClient;
  readonly ec2: EC2Client;
}

/** Where ipamd tells about itself, unless INTROSPECTION_BIND_ADDRESS says otherwise. */
const introspection = { host: "127.0.0.1", port: 61679 } as const;
const ipamdLog = "var/log/aws-routed-eni/ipamd.log";
/** How much of the end of ipamd's log is read, in bytes. */
const logTail = 64 * 1024;

/** Looks at the whole lab; the parts that cannot be had (an ipamd that is down) are noted as such. */
export async function observe({ paths, kube, ec2 }: AskedLab): Promise<Observation> {
  const [status, nodeList, podList, eventList, daemonSet, configs, vpc, calls] = await Promise.all([
    labStatus(paths),
    kube.list(nodes),
    kube.list(pods),
    kube.list(events),
    kube.get(daemonSets, "aws-node", "kube-system"),
    kube.list(eniConfigs),
    // EC2 that throttles everybody is one of the causes to be named.
    observeVpc(ec2).catch((error: unknown) => ({ subnets: [], enis: [], ec2Blind: messageOf(error) })),
    latestCalls(paths),
  ]);
  const seenPods = podList.items.map((pod) => podSeen(pod, eventList.items));
  const byName = new Map(nodeList.items.map((node) => [node.metadata.name, node]));
  const awsNodes = podList.items.filter(
    ({ metadata }) => metadata.labels?.["k8s-app"] === "aws-node" && metadata.deletionTimestamp === undefined,
  );
  return {
    takenAt: Date.now(),
    nodes: await Promise.all(
      status.machines.map((machine) => {
        const awsNode = awsNodes.find(({ spec }) => spec.nodeName === machine.nodeName);
        const env = awsNodeEnv(awsNode?.spec ?? daemonSet.spec.template.spec);
        const pod = seenPods.find(({ uid }) => uid === awsNode?.metadata.uid);
        return nodeSeen(machine, byName.get(machine.nodeName), vpc.enis, {
          env,
          ...(pod === undefined ? {} : { awsNode: pod }),
        });
      }),
    ),
    pods: seenPods,
    ...vpc,
    eniConfigs: configs.items.map(({ metadata }) => metadata.name),
    failedCalls: calls.filter(({ service, code }) => service === "ec2" && code !== "Success"),
  };
}

/** A pod may run with other settings than the DaemonSet has by now. */
function awsNodeEnv({ containers }: Pod["spec"]): Record<string, string> {
  const env = containers.find(({ name }) => name === "aws-node")?.env ?? [];
  return Object.fromEntries(env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])));
}

function podSeen(pod: Pod, all: readonly Event[]): PodSeen {
  const { namespace = "default", name, uid = "" } = pod.metadata;
  const { phase = "Pending", podIP, podIPs = [], conditions = [], containerStatuses = [] } = pod.status ?? {};
  return {
    namespace,
    name,
    uid,
    phase,
    createdAt: timeOf(pod.metadata.creationTimestamp),
    ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    hostNetwork: pod.spec.hostNetwork === true,
    deleting: pod.metadata.deletionTimestamp !== undefined,
    ready: conditions.some(({ type, status }) => type === "Ready" && status === "True"),
    ips: podIPs.length > 0 ? podIPs.map(({ ip }) => ip) : podIP === undefined ? [] : [podIP],
    containers: containerStatuses.flatMap(({ name: container, state }) => {
      const stop = state?.waiting ?? state?.terminated;
      if (stop === undefined) return [];
      return [[container, stop.reason, stop.message].filter((word) => word !== undefined).join(": ")];
    }),
    restarts: containerStatuses.reduce((sum, { restartCount }) => sum + restartCount, 0),
    events: all
      .filter(({ involvedObject: { uid: about, kind, name: named, namespace: where } }) =>
        about === undefined || about === ""
          ? kind === "Pod" && named === name && (where ?? "default") === namespace
          : about === uid,
      )
      .map(eventSeen)
      .sort((a, b) => a.lastAt - b.lastAt),
  };
}

function eventSeen(event: Event): EventSeen {
  const { reason = "", message = "", type, count = 1, metadata, series } = event;
  const created = event.eventTime ?? metadata.creationTimestamp;
  return {
    reason,
    message,
    warning: type === "Warning",
    count: Math.max(count, series?.count ?? 1),
    firstAt: timeOf(event.firstTimestamp ?? created),
    lastAt: timeOf(series?.lastObservedTime ?? event.lastTimestamp ?? created),
  };
}

const timeOf = (text: string | null | undefined): number => {
  const time = Date.parse(text ?? "");
  return Number.isNaN(time) ? 0 : time;
};

async function nodeSeen(
  machine: LabMachine,
  node: Node | undefined,
  enis: readonly EniSeen[],
  own: Pick<NodeSeen, "env" | "awsNode">,
): Promise<NodeSeen> {
  const labels = node?.metadata.labels ?? {};
  const ready = node?.status?.conditions?.find(({ type }) => type === "Ready");
  const instanceType = labels["node.kubernetes.io/instance-type"] ?? "";
  const limits = instanceLimits(instanceType);
  const { env } = own;
  const allocatable = node?.status?.allocatable ?? node?.status?.capacity ?? {};
  const ipamd = await ipamdSeen(machine);
  const mayLag = !ipamd.answers || unknownToPool(enis, machine.instanceId, ipamd.pool).length > 0;
  return {
    name: machine.nodeName,
    instanceId: machine.instanceId,
    instanceType,
    zone: labels["topology.kubernetes.io/zone"] ?? "",
    address: machine.address,
    ready: ready?.status === "True",
    silent: ready?.status === "Unknown",
    readyMessage: ready?.message ?? "the node has not registered with the API server",
    cordoned: node?.spec?.unschedulable === true,
    taints: (node?.spec?.taints ?? []).map(({ key, value, effect }) =>
      value === undefined || value === "" ? `${key}:${effect}` : `${key}=${value}:${effect}`,
    ),
    maxPods: Number(allocatable.pods ?? 0),
    branchEnis: Number(allocatable["vpc.amazonaws.com/pod-eni"] ?? 0),
    ...(limits === undefined ? {} : { limits: { enis: limits.enis, ipv4PerEni: limits.ipv4PerEni } }),
    eniConfig: eniConfigName(node, {
      annotation: env.ENI_CONFIG_ANNOTATION_DEF ?? "",
      label: env.ENI_CONFIG_LABEL_DEF ?? "",
    }),
    sandboxes: podSandboxes(machine).map(({ uid, id, phase, ips }) => ({
      uid,
      ips,
      ...(id === undefined ? {} : { id }),
      ...(phase === undefined ? {} : { phase }),
    })),
    ...own,
    ipamd,
    ...(mayLag ? { metadata: await metadataSeen(machine) } : {}),
  };
}

async function ipamdSeen({ initPid }: LabMachine): Promise<IpamdSeen> {
  const page = (path: string): Promise<string> =>
    httpGetIn(`/proc/${initPid}/ns/net`, introspection.host, introspection.port, path);
  try {
    const [pool, decisions] = await Promise.all([page("/v1/pool"), page("/v1/decisions")]);
    return {
      answers: true,
      pool: JSON.parse(pool) as PoolPage,
      decisions: JSON.parse(decisions) as DecisionEntry[],
    };
  } catch (error) {
    return {
      answers: false,
      why: messageOf(error),
      lastErrors: errorsIn(tailOf(join(`/proc/${initPid}/root`, ipamdLog))),
    };
  }
}

function tailOf(file: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch {
    return "";
  }
  try {
    const { size } = fstatSync(descriptor);
    const bytes = Buffer.alloc(Math.min(size, logTail));
    const read = readSync(descriptor, bytes, 0, bytes.length, Math.max(0, size - bytes.length));
    return bytes.toString("utf8", 0, read);
  } finally {
    closeSync(descriptor);
  }
}

/** The error lines since ipamd was last started, as text. */
function errorsIn(log: string): string[] {
  const lines = log.split("\n").flatMap((line) => {
    try {
      return [JSON.parse(line) as { level?: string; msg?: string; error?: string }];
    } catch {
      return [];
    }
  });
  const start = lines.findLastIndex(({ msg }) => msg === "starting ipamd");
  return lines
    .slice(Math.max(start, 0))
    .filter(({ level }) => level === "error" || level === "warn")
    .map(({ msg = "", error }) => (error === undefined ? msg : `${msg}: ${error}`))
    .slice(-5);
}
