import { createEc2 } from "../../aws/ec2-sdk.ts";
import { loadEc2Sdk } from "../../aws/ec2-sdk-bundle.ts";
import { createImds } from "../../aws/imds.ts";
import { realClock } from "../../base/clock.ts";
import { EniverseError, messageOf } from "../../base/error.ts";
import { jsonLog, type Log, type LogLevel } from "../../base/log.ts";
import { HostNetns } from "../../hostnet/host.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { KubeClientConfig } from "../../kube/fetch-client.ts";
import { inClusterConfig } from "../../kube/in-cluster.ts";
import { type NodeEnvironment, readEnvironment } from "../environment.ts";
import { handleCniRequest } from "../plugin/handler.ts";
import { cniSocket } from "../plugin/protocol.ts";
import { serveCni } from "../plugin/server.ts";
import { kernelWiring } from "../plugin/wiring.ts";
import { ipamdSocket, policyAgentSocket } from "../rpc/messages.ts";
import { nodeVersion } from "../version.ts";
import { type Daemon, startDaemon } from "./daemon.ts";
import { createHostNetwork } from "./host-network.ts";
import { serveIntrospection } from "./introspection.ts";
import { logFile } from "./log-file.ts";
import { createMetrics, type Metrics, noMetrics } from "./metrics.ts";
import { serveMetrics } from "./metrics-server.ts";
import { serveRpc } from "./rpc-server.ts";

/**
 * The program `ipamd`. Everything is set by environment variables (`node/environment.ts`); three more, which only
 * ipamd has, move its sockets for tests: IPAMD_SOCKET, CNI_SOCKET and METRICS_PORT.
 */
const startedAt = performance.timeOrigin;
const { settings: env, complaints } = readEnvironment(process.env);
const log = logOf(env);
let metrics: Metrics = noMetrics;

for (const complaint of complaints)
  log("warn", `${complaint.variable} is not used as it is`, { ...complaint });
process.on("unhandledRejection", (thrown) => log("error", "unhandled", { error: messageOf(thrown) }));

try {
  const fatal = complaints.find((complaint) => complaint.fatal);
  if (fatal !== undefined) {
    throw new EniverseError("invalid_argument", {
      attempted: `start with ${fatal.variable}=${JSON.stringify(fatal.found)}`,
      wanted: fatal.wanted,
    });
  }
  log("info", "starting ipamd", { version: nodeVersion, runtime: `bun ${process.versions.bun}` });
  await main();
} catch (thrown) {
  log("error", "ipamd cannot go on", { error: messageOf(thrown) });
  process.stderr.write(`ipamd: ${messageOf(thrown)}\n`);
  process.exit(1);
}

async function main(): Promise<void> {
  // Loaded while the metadata service, the API server and EC2 are asked.
  const libraries = loadEc2Sdk().then(() => import("@grpc/grpc-js"));
  libraries.catch(() => {});
  const kubeClient = await kubernetes();
  const netns = HostNetns.open();
  const daemon = await startDaemon({
    env,
    imds: createImds({ attempts: 10 }),
    makeEc2: (region, onCall) =>
      createEc2({
        region,
        userAgent: ["amazon-vpc-cni-k8s", env.vpcCniVersion || nodeVersion],
        timeoutMs: env.httpTimeoutSeconds * 1000,
        onCall,
      }),
    makeHost: (facts, limits) =>
      createHostNetwork({ netns, env, facts, maxEnisPerCard: limits.enis, clock: realClock }),
    kubeClient,
    makeMetrics: (readGauges) => {
      metrics = env.disableMetrics ? noMetrics : createMetrics({ version: nodeVersion, readGauges });
      return metrics;
    },
    clock: realClock,
    log,
  });
  const stopServing = await serve(daemon, netns);
  const seconds = (Date.now() - startedAt) / 1000;
  metrics.startedUp(seconds, {
    success: true,
    withApiServer: daemon.ctx.kube() !== undefined,
    failureReason: "",
  });
  log("info", "ipamd serves", { seconds });
  await signalled();
  log("info", "stopping");
  await Promise.all([stopServing(), daemon.stop()]);
  process.exit(0);
}

/** Opens all doors; the gRPC one last, because the node counts as ready when it answers there. */
async function serve(daemon: Daemon, netns: HostNetns): Promise<() => Promise<void>> {
  const stops: (() => unknown)[] = [];
  const wiring = kernelWiring(netns);
  const { policyAgentDialer } = await import("../plugin/grpc.ts");
  const dialPolicyAgent = policyAgentDialer(policyAgentSocket);
  const parts = {
    backend: daemon.backend,
    wiring,
    dialPolicyAgent,
    version: nodeVersion,
    log,
  };
  const cni = serveCni((request) => handleCniRequest(request, parts), process.env.CNI_SOCKET || cniSocket);
  stops.push(() => cni.close());
  if (!env.disableIntrospection)
    stops.push(serveIntrospection(daemon.introspection, env.introspectionBindAddress));
  if (!env.disableMetrics) stops.push(serveMetrics(metrics, Number(process.env.METRICS_PORT || 61678)));
  const { facts, settings } = daemon.ctx;
  const ipv6 = settings.mode === "ipv6";
  const rpc = await serveRpc({
    backend: daemon.backend,
    policyConfig: () => ({
      NetworkPolicyMode: env.networkPolicyMode ?? "",
      MultiNICEnabled: settings.multiNic,
      NodeIPv4: ipv6 ? "" : facts.localIpv4,
      NodeIPv6: ipv6 ? facts.localIpv6 : "",
      InstanceID: facts.instanceId,
      Region: facts.region,
    }),
    socket: process.env.IPAMD_SOCKET || ipamdSocket,
  });
  stops.push(() => rpc.stop());
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}

/** The API server of the cluster whose pod this is; undefined, and a line in the log, outside a cluster. */
async function kubernetes(): Promise<KubeClient | undefined> {
  let config: KubeClientConfig;
  try {
    config = inClusterConfig(process.env);
  } catch (thrown) {
    log("warn", messageOf(thrown));
    return undefined;
  }
  const { createKubeClient } = await import("../../kube/fetch-client.ts");
  const userAgent = `ipamd-${env.vpcCniVersion || nodeVersion}`;
  return createKubeClient({ ...config, userAgent, requestTimeoutMs: 5000 });
}

function signalled(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => resolve());
  });
}

function logOf(settings: NodeEnvironment): Log {
  const levels: Readonly<Record<string, LogLevel>> = {
    debug: "debug",
    info: "info",
    warn: "warn",
    error: "error",
    fatal: "error",
  };
  const level = levels[settings.logLevel.toLowerCase()] ?? "debug";
  return jsonLog(writerTo(settings.logFile), { caller: "ipamd", level });
}

function writerTo(file: string): (line: string) => void {
  if (file === "stdout") return (line) => process.stdout.write(line);
  if (file === "stderr" || file === "") return (line) => process.stderr.write(line);
  return logFile(file);
}
