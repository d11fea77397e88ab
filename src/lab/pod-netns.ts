import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { PodState } from "../cluster/kubelet/state.ts";
import type { LabMachine } from "./control.ts";

/** Where kubelets keep their state, inside a node. */
const kubeletPods = "var/lib/kubelet/pods";

/** A pod's sandbox as this machine sees it. */
export interface PodSandbox {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Path of its network namespace; absent for pods of the host network. */
  readonly netns?: string;
}

/** The sandboxes of a node, read from the kubelet's own notes. */
export function podSandboxes(machine: LabMachine): PodSandbox[] {
  const root = `/proc/${machine.initPid}/root`;
  const folder = join(root, kubeletPods);
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((uid) => {
    const file = join(folder, uid, "state.json");
    if (!existsSync(file)) return [];
    const { pod, sandbox } = JSON.parse(readFileSync(file, "utf8")) as PodState;
    const { namespace = "default", name } = pod.metadata;
    // /var/run is an absolute link to /run, which would lead out of the node's root.
    const netns =
      sandbox?.netns === undefined
        ? {}
        : { netns: join(root, sandbox.netns.replace(/^\/var\/run\//, "/run/")) };
    return [{ uid, namespace, name, ...netns }];
  });
}

/** Paths of the network namespaces of a node's pods, by pod uid. */
export function podNetnsPaths(machine: LabMachine): Map<string, string> {
  return new Map(
    podSandboxes(machine).flatMap(({ uid, netns }) => (netns === undefined ? [] : [[uid, netns] as const])),
  );
}
