import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hasCode, messageOf } from "../../base/error.ts";
import type { KubeClient } from "../../kube/client.ts";
import { type Pod, pods } from "../../kube/resources.ts";
import { decodeCheckpoint } from "../../node/ipamd/checkpoint.ts";
import type { PoolPage } from "../../node/ipamd/pool-page.ts";
import { cloudModel, type LabMachine, labStatus } from "../control.ts";
import { httpGetIn } from "../http-in-netns.ts";
import type { LabPaths } from "../paths.ts";
import { podSandboxes } from "../pod-netns.ts";
import { observeKernel, observePod, observeRouterRoutes } from "./observe-kernel.ts";
import { observeMetadata } from "./observe-metadata.ts";
import type { ApiPod, CheckpointEntry, LabPicture, NodePicture, NodeView, Sandbox } from "./picture.ts";

/** What an observation needs of a lab that is up. */
export interface ObservedLab {
  readonly paths: LabPaths;
  readonly kube: KubeClient;
}

/** Where ipamd tells about itself, unless INTROSPECTION_BIND_ADDRESS says otherwise. */
const introspection = { host: "127.0.0.1", port: 61679 } as const;
/** The folder of ipamd's checkpoint in a node. */
const checkpointFolder = "run/aws-node";
const defaultVethPrefix = "eni";

/** Looks at a lab from all sides. A node's view that cannot be had is noted as such; the rest must be there. */
export async function observeLab({ paths, kube }: ObservedLab): Promise<LabPicture> {
  const status = await labStatus(paths);
  const [cloud, { items }, nodes] = await Promise.all([
    cloudModel(paths),
    kube.list(pods),
    Promise.all(status.machines.map(observeNode)),
  ]);
  return {
    takenAt: Date.now(),
    cloud,
    routerRoutes: observeRouterRoutes(status.namespaces.router ?? ""),
    pods: items.flatMap(apiPod),
    nodes,
  };
}

function apiPod(pod: Pod): ApiPod[] {
  const { nodeName, hostNetwork } = pod.spec;
  if (nodeName === undefined) return [];
  const { namespace = "default", name, uid = "" } = pod.metadata;
  const { phase = "Pending", podIP, podIPs = [] } = pod.status ?? {};
  const ips = podIPs.length > 0 ? podIPs.map(({ ip }) => ip) : podIP === undefined ? [] : [podIP];
  return [
    {
      namespace,
      name,
      uid,
      nodeName,
      phase,
      hostNetwork: hostNetwork === true,
      deleting: pod.metadata.deletionTimestamp !== undefined,
      ips,
    },
  ];
}

async function observeNode(machine: LabMachine): Promise<NodePicture> {
  const { instanceId, nodeName, initPid } = machine;
  const netnsPath = `/proc/${initPid}/ns/net`;
  const blind: { view: NodeView; why: string }[] = [];
  const tryTo = async <T>(view: NodeView, look: () => Promise<T> | T): Promise<T | undefined> => {
    try {
      return await look();
    } catch (error) {
      blind.push({ view, why: messageOf(error) });
      return undefined;
    }
  };
  const page = (path: string): Promise<string> =>
    httpGetIn(netnsPath, introspection.host, introspection.port, path);
  const [pool, vethPrefix, checkpoint, imds] = await Promise.all([
    tryTo("pool", async () => JSON.parse(await page("/v1/pool")) as PoolPage),
    page("/v1/networkutils-env-settings").then(vethPrefixIn, () => defaultVethPrefix),
    tryTo("checkpoint", () => readCheckpoints(join(`/proc/${initPid}/root`, checkpointFolder))),
    tryTo("metadata", () => observeMetadata(netnsPath)),
  ]);
  // The kernel last: what the other views promise must be in it by then.
  const kernel = await tryTo("kernel", () => observeKernel(netnsPath));
  return {
    instanceId,
    nodeName,
    blind,
    vethPrefix,
    sandboxes: podSandboxes(machine).map(sandboxOf),
    kernel: kernel ?? { links: [], addresses: [], routes: [], rules: [] },
    ...(pool === undefined ? {} : { pool }),
    ...(checkpoint === undefined ? {} : { checkpoint }),
    ...(imds === undefined ? {} : { imds }),
  };
}

function vethPrefixIn(body: string): string {
  const settings = JSON.parse(body) as { readonly AWS_VPC_K8S_CNI_VETHPREFIX?: string };
  return settings.AWS_VPC_K8S_CNI_VETHPREFIX ?? defaultVethPrefix;
}

/** All cards' files; a node whose ipamd never wrote one has an empty checkpoint. */
function readCheckpoints(folder: string): CheckpointEntry[] {
  const files = readdirSync(folder).filter((file) => /^ipam(-nic-\d+)?\.json$/.test(file));
  return files.flatMap((file) => {
    const path = join(folder, file);
    return decodeCheckpoint(readFileSync(path, "utf8"), path).allocations.map(({ key, address }) => ({
      containerId: key.containerId,
      address,
    }));
  });
}

function sandboxOf({ netns, ...sandbox }: ReturnType<typeof podSandboxes>[number]): Sandbox {
  if (netns === undefined) return sandbox;
  try {
    return { ...sandbox, inside: observePod(netns) };
  } catch (error) {
    if (hasCode(error, "not_found", "invalid_argument", "unavailable")) return sandbox;
    throw error;
  }
}
