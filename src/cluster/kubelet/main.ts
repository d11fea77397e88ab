import { messageOf } from "../../base/error.ts";
import { jsonLog } from "../../base/log.ts";
import { createKubeClient } from "../../kube/fetch-client.ts";
import { parseKubeletFlags } from "./flags.ts";
import { Kubelet } from "./kubelet.ts";
import { readMachine } from "./machine.ts";
import { serveKubelet } from "./server.ts";

try {
  const settings = parseKubeletFlags(process.argv.slice(2));
  const log = jsonLog((line) => process.stderr.write(line), { caller: "kubelet" });
  const client = createKubeClient({
    server: settings.apiServer,
    ...(settings.tokenFile !== undefined && { tokenFile: settings.tokenFile }),
    ...(settings.caFile !== undefined && { caFile: settings.caFile }),
  });
  const machine = readMachine(settings.providerId?.split("/").at(-1) ?? settings.nodeName);
  const kubelet = new Kubelet({ client, settings, machine, log });
  const server = serveKubelet(kubelet, settings.socket, settings.logDir);
  process.on("unhandledRejection", (error) => log("error", "unhandled", { error: messageOf(error) }));
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      log("info", "stopping; pods go on", { signal });
      void Promise.all([server.stop(), kubelet.stop()]).finally(() => process.exit(0));
    });
  }
  await kubelet.start();
  log("info", "kubelet runs", { node: settings.nodeName });
} catch (error) {
  process.stderr.write(`kubelet: ${messageOf(error)}\n`);
  process.exit(1);
}
