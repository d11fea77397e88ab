import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { jsonLog } from "../../base/log.ts";
import { serviceOf } from "../../node/rpc/load.ts";
import { unaryServer } from "../../node/rpc/unary-server.ts";

/**
 * The program of the image `aws-network-policy-agent`: serves rpc.NPBackend, which the plugin aws-cni calls for
 * every pod when a policy mode is set. It answers success and enforces nothing yet; its log says so for each pod.
 */
const socketPath = process.env.NPA_SOCKET ?? "/var/run/aws-node/npa.sock";
const log = jsonLog((line) => process.stdout.write(line), { caller: "aws-eks-nodeagent" });

interface PodRequest {
  readonly K8S_POD_NAME: string;
  readonly K8S_POD_NAMESPACE: string;
  readonly NETWORK_POLICY_MODE?: string;
  readonly InterfaceCount?: number;
}

const handlers = {
  EnforceNpToPod: async (request: PodRequest) => {
    const { K8S_POD_NAMESPACE, K8S_POD_NAME, NETWORK_POLICY_MODE, InterfaceCount } = request;
    log("info", "policies are not enforced in this version: all traffic of the pod is let through", {
      pod: `${K8S_POD_NAMESPACE}/${K8S_POD_NAME}`,
      mode: NETWORK_POLICY_MODE,
      interfaces: InterfaceCount,
    });
    return { Success: true };
  },
  DeletePodNp: async ({ K8S_POD_NAMESPACE, K8S_POD_NAME }: PodRequest) => {
    log("info", "pod is gone", { pod: `${K8S_POD_NAMESPACE}/${K8S_POD_NAME}` });
    return { Success: true };
  },
};

mkdirSync(dirname(socketPath), { recursive: true });
rmSync(socketPath, { force: true });
const server = unaryServer(serviceOf("NPBackend"), handlers);
server.on("error", (error: Error) => {
  log("error", "cannot listen", { socket: socketPath, error: error.message });
  process.exit(1);
});
server.listen(socketPath, () => {
  chmodSync(socketPath, 0o660);
  log("warn", "network policies are NOT enforced in this version; calls are answered with success", {
    socket: socketPath,
  });
});
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    server.close();
    rmSync(socketPath, { force: true });
    process.exit(0);
  });
}
