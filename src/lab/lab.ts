/**
 * `lab/` brings a whole EKS-like cluster up on one machine and takes it down again: the local AWS and its packet
 * plane, the control plane, the nodes. It is the only room that knows all of them; each knows nothing of the lab.
 * `launch.ts` starts the lab process, `lab.ts` is what that process does, `control.ts` how others talk to it,
 * `teardown.ts` takes away what a lab left, dead or alive, and `verify/` checks the network model.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { realClock } from "../base/clock.ts";
import { EniverseError } from "../base/error.ts";
import type { Log } from "../base/log.ts";
import { seededRandom } from "../base/random.ts";
import type { Cloud } from "../cloud/cloud.ts";
import { accessKeyOfEksToken } from "../cloud/eks/token.ts";
import { createFabric, type LiveFabric } from "../cloud/fabric/fabric.ts";
import type { EksCluster } from "../cloud/model/eks-cluster.ts";
import { createCloud } from "../cloud/service.ts";
import { openCloudStore } from "../cloud/store.ts";
import type { ApiServer, TokenOwner } from "../cluster/apiserver/options.ts";
import { createApiServer } from "../cluster/apiserver/server.ts";
import { type Cluster, startCluster } from "../cluster/start.ts";
import { compiledRelay } from "../node/plugin/build.ts";
import { cloudConfigOf } from "./cloud-config.ts";
import type { LabConfig } from "./config.ts";
import type { LabEndpoints, LabMachine } from "./control.ts";
import { ControlPlane, ensureCluster, subnetId } from "./control-plane.ts";
import type { LabJournal } from "./control-server.ts";
import { FaultDesk } from "./faults/desk.ts";
import { type Listeners, openListeners } from "./listeners.ts";
import { applyManifests } from "./manifests.ts";
import { Nodes } from "./nodes.ts";
import type { LabPaths } from "./paths.ts";
import { execThroughKubelet } from "./pod-exec.ts";
import { readPodLogThroughKubelet } from "./pod-logs.ts";

/** Loopback ports, kept so that kubeconfigs and exports stay good over a restart of the lab process. */
interface Ports {
  readonly endpoint: number;
  readonly kubernetes: number;
}

export interface Lab {
  readonly cloud: Cloud;
  readonly fabric: LiveFabric;
  readonly apiServer: ApiServer;
  readonly faults: FaultDesk;
  readonly endpoints: LabEndpoints;
  machines(): LabMachine[];
  namespaces(): Record<string, string>;
  /** Ends the lab process's own parts; nodes, pods and the packet plane go on. */
  close(): Promise<void>;
}

/** Brings the lab up, or takes over what an earlier process of the same lab left. */
export async function startLab(
  paths: LabPaths,
  config: LabConfig,
  journal: LabJournal,
  log: Log,
): Promise<Lab> {
  const random = seededRandom(config.seed + countStart(paths));
  const portsFile = join(paths.state, "ports.json");
  const ports = readPorts(portsFile);

  const cloud = await journal.run(
    "the VPC is laid out",
    () =>
      createCloud({
        config: cloudConfigOf(config),
        clock: realClock,
        random,
        store: openCloudStore(join(paths.state, "cloud.sqlite")),
        log,
      }),
    (made) => `${config.vpc.cidrs.join(", ")}: ${made.network.subnets.length} subnets`,
  );
  const eks = await ensureCluster(cloud, config);
  const fabric = await journal.run("the packet plane stands", () =>
    createFabric({ labName: paths.name, log }),
  );
  // Nodes would each compile it for themselves.
  compiledRelay();
  const apiServer = createApiServer({
    dbPath: join(paths.state, "cluster.sqlite"),
    tlsDir: paths.tls,
    clock: realClock,
    random,
    log,
    ...serviceCidrOf(eks),
    readPodLog: (pod, options) => readPodLogThroughKubelet(nodes.list(), pod, options),
    execInPod: execThroughKubelet(() => nodes.list()),
    authenticate: (token) => ownerOfEksToken(cloud, token),
  });
  const controlPlane = new ControlPlane(paths, config, cloud, fabric, apiServer);
  const nodes = new Nodes({
    paths,
    config,
    cloud,
    fabric,
    apiServer,
    apiServerUrl: () => controlPlane.url(),
    log,
  });
  await controlPlane.addPlace();
  nodes.adopt();
  cloud.connect({ applyFabric: (spec) => fabric.apply(spec), ...nodes.hooks });
  let listeners: Listeners | undefined;
  let cluster: Cluster | undefined;
  let faults: FaultDesk | undefined;
  let stopServing = async (): Promise<void> => {};
  const close = async (): Promise<void> => {
    faults?.close();
    await cluster?.stop();
    await stopServing();
    listeners?.stop();
    await apiServer.close();
    cloud.close();
    await fabric.close();
  };
  try {
    await journal.run("routes, gateways and translation are in the kernel", () => cloud.resume());
    listeners = openListeners(cloud, fabric.routerNetns, ports.endpoint);
    const kubernetes = await journal.run(
      "the control plane serves",
      () => controlPlane.start(ports.kubernetes),
      (server) => `${server.url}, inside the VPC ${controlPlane.url()}`,
    );
    stopServing = kubernetes.stop;
    writeFileSync(
      portsFile,
      JSON.stringify({ endpoint: listeners.endpointPort, kubernetes: kubernetes.port }),
    );
    writeFileSync(paths.kubeconfig, apiServer.kubeconfig(kubernetes.url, config.cluster.name), {
      mode: 0o600,
    });
    await journal.run("the aws-node DaemonSet is applied", () =>
      applyManifests(apiServer.client, config, cloud, controlPlane.url()),
    );
    cluster = startCluster({
      client: apiServer.client,
      clock: realClock,
      random,
      log,
      instanceExists: (providerId) => instanceExists(cloud, providerId),
    });
    await journal.run(
      `${nodeCount(config)} nodes start`,
      () => launchNodeGroups(cloud, config),
      (started) => (started > 0 ? `${started} launched` : "all were running"),
    );
    if (nodes.areMissing())
      await journal.run(
        "nodes whose machines are gone boot again",
        () => nodes.bootMissing(),
        (booted) => `${booted} booted`,
      );
    faults = new FaultDesk({
      cloud,
      routerNetns: fabric.routerNetns,
      apiServer: controlPlane,
      nodes,
      kube: apiServer.client,
      file: join(paths.state, "faults.json"),
      clock: realClock,
      log,
    });
    await faults.resume();
    return {
      cloud,
      fabric,
      apiServer,
      faults,
      endpoints: endpointsOf(cloud, listeners, kubernetes.url),
      machines: () => nodes.list(),
      namespaces: () => ({ router: fabric.routerNetns, internet: fabric.internetNetns }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** As in EKS, who made the cluster is its administrator: all users of the cloud, here. */
function ownerOfEksToken(cloud: Cloud, token: string): TokenOwner | undefined {
  const accessKeyId = accessKeyOfEksToken(token, Date.now());
  return cloud.config.credentials.some((user) => user.accessKeyId === accessKeyId)
    ? { admin: true }
    : undefined;
}

/** Zeros, which take free ports, where none were kept: a file that a full disk cut off is as none. */
function readPorts(file: string): Ports {
  try {
    const { endpoint, kubernetes } = JSON.parse(readFileSync(file, "utf8")) as Partial<Ports>;
    if (Number.isInteger(endpoint) && Number.isInteger(kubernetes)) return { endpoint, kubernetes } as Ports;
  } catch {}
  return { endpoint: 0, kubernetes: 0 };
}

function serviceCidrOf(cluster: EksCluster): { serviceCidr?: string } {
  const serviceCidr = cluster.serviceIpv6Cidr ?? cluster.serviceIpv4Cidr;
  return serviceCidr === undefined ? {} : { serviceCidr };
}

/** What the cloud controller asks EC2: whether a node's instance ("aws:///ZONE/i-…") is still there. */
function instanceExists(cloud: Cloud, providerId: string): boolean {
  const state = cloud.state.instances.get(providerId.split("/").at(-1) ?? "")?.state;
  return state !== undefined && state !== "terminated" && state !== "shutting-down";
}

/**
 * How often the lab was started before. Each start has random numbers of its own: with those of the start before, new
 * resources would get the ids of old ones.
 */
function countStart(paths: LabPaths): number {
  const file = join(paths.state, "starts");
  const kept = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  // A number that no start had stands for one that cannot be read.
  const before = Number.isInteger(kept) ? kept : Math.floor(Date.now() / 1000);
  writeFileSync(file, String(before + 1));
  return before;
}

function endpointsOf(cloud: Cloud, listeners: Listeners, kubernetesUrl: string): LabEndpoints {
  const admin = cloud.config.credentials[0];
  if (admin === undefined)
    throw new EniverseError("internal", { attempted: "find the administrator's credentials" });
  return {
    aws: `http://127.0.0.1:${listeners.endpointPort}`,
    kubernetes: kubernetesUrl,
    region: cloud.config.region,
    accessKeyId: admin.accessKeyId,
    secretAccessKey: admin.secretAccessKey,
  };
}

const nodeCount = (config: LabConfig): number =>
  config.nodeGroups.reduce((sum, group) => sum + group.count, 0);

/** Launches what is missing of each node group, spread over its subnets; answers how many that were. */
async function launchNodeGroups(cloud: Cloud, config: LabConfig): Promise<number> {
  const launches = config.nodeGroups.map(async (group) => {
    const subnetIds = group.subnets.map((name) => subnetId(cloud, name));
    if (!cloud.state.nodegroups.has(`${config.cluster.name}/${group.name}`)) {
      await cloud.createNodegroup({
        clusterName: config.cluster.name,
        name: group.name,
        instanceTypes: [group.instanceType],
        subnetIds,
        size: { min: 0, max: Math.max(group.count, 1), desired: group.count },
        labels: group.labels,
        ...(group.maxPods === undefined ? {} : { maxPods: group.maxPods }),
      });
    }
    const running = [...cloud.state.instances.values()].filter(
      (instance) =>
        instance.tags.get("eks:nodegroup-name") === group.name &&
        (instance.state === "running" || instance.state === "pending"),
    );
    const missing = Math.max(0, group.count - running.length);
    const started = Array.from({ length: missing }, (_, index) =>
      cloud.runInstances({
        instanceType: group.instanceType,
        subnetId: subnetIds[(running.length + index) % subnetIds.length] ?? "",
        securityGroupIds: [clusterSecurityGroup(cloud, config.cluster.name)],
        tags: {
          Name: `${config.cluster.name}-${group.name}-Node`,
          "eks:cluster-name": config.cluster.name,
          "eks:nodegroup-name": group.name,
          [`kubernetes.io/cluster/${config.cluster.name}`]: "owned",
        },
      }),
    );
    await Promise.all(started);
    return missing;
  });
  return (await Promise.all(launches)).reduce((sum, count) => sum + count, 0);
}

function clusterSecurityGroup(cloud: Cloud, clusterName: string): string {
  const cluster = cloud.state.clusters.get(clusterName);
  if (cluster === undefined)
    throw new EniverseError("internal", { attempted: `find the cluster ${clusterName}` });
  return cluster.clusterSecurityGroupId;
}
