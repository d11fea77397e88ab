import { EniverseError } from "../base/error.ts";
import type { ExecInPod } from "../cluster/apiserver/options.ts";
import { execInPod } from "../cluster/kubelet/exec-client.ts";
import type { LabMachine } from "./control.ts";

/** The terminal's size until the client tells its own. */
const firstSize = { columns: 80, rows: 24 };

/** Runs commands in containers through the kubelets of `machines`, by the sockets that both sides share. */
export function execThroughKubelet(machines: () => readonly LabMachine[]): ExecInPod {
  return async ({ namespace, name, node }, { tty, ...options }) => {
    const machine = machines().find(({ nodeName }) => nodeName === node);
    if (machine === undefined) {
      throw new EniverseError("unavailable", {
        attempted: `run ${options.command[0] ?? "nothing"} in ${namespace}/${name}`,
        found: `the node ${node} has no machine`,
      });
    }
    return await execInPod({
      socket: machine.kubeletSocket,
      namespace,
      pod: name,
      ...options,
      ...(tty && { tty: firstSize }),
    });
  };
}
