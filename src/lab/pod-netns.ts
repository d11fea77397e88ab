import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { PodState, SandboxState } from "../cluster/kubelet/state.ts";
import type { LabMachine } from "./control.ts";

/** Where kubelets keep their state, inside a node. */
const kubeletPods = "var/lib/kubelet/pods";

/** A pod's sandbox as this machine sees it. */
export interface PodSandbox {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Absent while the pod has no sandbox. */
  readonly id?: string;
  readonly phase?: SandboxState["phase"];
  readonly hostNetwork: boolean;
  /** The pod was told to end. */
  readonly deleting: boolean;
  /** What the plugins answered, the first address first. */
  readonly ips: readonly string[];
  /** Path of its network namespace; absent for pods of the host network. */
  readonly netns?: string;
}

/** The sandboxes of a node, read from the kubelet's own notes. */
export function podSandboxes(machine: LabMachine): PodSandbox[] {
  const root = `/proc/${machine.initPid}/root`;
  const folder = join(root, kubeletPods);
  return listing(folder).flatMap((uid) => {
    const state = readPodState(join(folder, uid));
    if (state === undefined) return [];
    const { pod, sandbox } = state;
    const { namespace = "default", name } = pod.metadata;
    return [
      {
        uid,
        namespace,
        name,
        hostNetwork: pod.spec.hostNetwork === true,
        deleting: pod.metadata.deletionTimestamp !== undefined,
        ips: sandbox?.ips ?? [],
        ...(sandbox === undefined ? {} : { id: sandbox.id, phase: sandbox.phase }),
        // /var/run is an absolute link to /run, which would lead out of the node's root.
        ...(sandbox?.netns === undefined
          ? {}
          : { netns: join(root, sandbox.netns.replace(/^\/var\/run\//, "/run/")) }),
      },
    ];
  });
}

function listing(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The kubelet may be replacing the file or removing the folder just now; a new state has another name at first. */
function readPodState(folder: string): PodState | undefined {
  for (const file of ["state.json", "state.json.tmp", "state.json"]) {
    try {
      return JSON.parse(readFileSync(join(folder, file), "utf8")) as PodState;
    } catch {}
  }
  return undefined;
}

/** Paths of the network namespaces of a node's pods, by pod uid. */
export function podNetnsPaths(machine: LabMachine): Map<string, string> {
  return new Map(
    podSandboxes(machine).flatMap(({ uid, netns }) => (netns === undefined ? [] : [[uid, netns] as const])),
  );
}
