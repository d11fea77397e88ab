import { EniverseError, messageOf } from "../base/error.ts";
import type { PodLogOptions } from "../cluster/apiserver/options.ts";
import type { LabMachine } from "./control.ts";

/** Reads a container's log from the kubelet of the pod's node, through the socket that both share. */
export async function readPodLogThroughKubelet(
  machines: readonly LabMachine[],
  pod: { readonly namespace: string; readonly name: string; readonly node: string },
  options: PodLogOptions,
): Promise<ReadableStream<Uint8Array>> {
  const machine = machines.find(({ nodeName }) => nodeName === pod.node);
  const attempted = `read the log of ${pod.namespace}/${pod.name} (${options.container})`;
  if (machine === undefined) {
    throw new EniverseError("unavailable", {
      attempted,
      found: `the node ${pod.node || "(none)"} has no machine`,
    });
  }
  const query = new URLSearchParams({
    follow: String(options.follow),
    previous: String(options.previous),
    timestamps: String(options.timestamps),
  });
  if (options.tailLines !== undefined) query.set("tail", String(options.tailLines));
  if (options.sinceMs !== undefined) query.set("since", String(options.sinceMs));
  if (options.limitBytes !== undefined) query.set("limit", String(options.limitBytes));
  const path = [pod.namespace, pod.name, options.container].map(encodeURIComponent).join("/");
  let response: Response;
  try {
    response = await fetch(`http://kubelet/logs/${path}?${query}`, {
      unix: machine.kubeletSocket,
      signal: options.signal,
    });
  } catch (cause) {
    throw new EniverseError("unavailable", { attempted, found: messageOf(cause), cause });
  }
  if (!response.ok || response.body === null) {
    const code = response.status === 404 ? "not_found" : "unavailable";
    throw new EniverseError(code, { attempted, found: (await response.text()).trim() });
  }
  return response.body;
}
