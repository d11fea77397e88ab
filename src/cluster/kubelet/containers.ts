import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { EniverseError, hasCode, messageOf } from "../../base/error.ts";
import type { Container, Pod } from "../../kube/resources.ts";
import { Netns } from "../../linux/netns.ts";
import { placeImageFiles } from "../images/files.ts";
import { findImage, type Image, unknownImageMessage } from "../images/registry.ts";
import { type ConfigSource, containerEnvironment, expand } from "./environment.ts";
import { type StartedProcess, startProcess } from "./process.ts";
import type { ContainerState, PodState } from "./state.ts";
import { prepareMounts, type VolumeFacts } from "./volumes.ts";

/** What containers of this node are started with. */
export interface ContainerFacts {
  readonly nodeIp: string;
  readonly logDir: string;
  readonly podDir: (uid: string) => string;
  readonly source: ConfigSource;
  readonly credentials: VolumeFacts["credentials"];
  /** Where containers find the API server: there is no service proxy that would carry the service's address. */
  readonly apiServer: { readonly host: string; readonly port: string };
}

const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Why a container cannot be started, in the words of its waiting state. */
export class StartRefused extends Error {
  readonly reason: "ErrImagePull" | "CreateContainerConfigError" | "StartError";

  constructor(reason: StartRefused["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}

/** "NS_POD_UID/CONTAINER/N.log" below the log folder. */
export function logFile(logDir: string, pod: Pod, container: string, restartCount: number): string {
  const { namespace = "default", name, uid = "" } = pod.metadata;
  return join(logDir, `${namespace}_${name}_${uid}`, container, `${restartCount}.log`);
}

export const podLogDir = (logDir: string, { metadata }: Pod): string =>
  join(logDir, `${metadata.namespace ?? "default"}_${metadata.name}_${metadata.uid ?? ""}`);

/** Holds the exit code of one run. */
export function exitFile(podDir: string, container: string, runId: string): string {
  return join(podDir, "containers", `${container}-${runId}`);
}

export const newRunId = (): string => randomBytes(32).toString("hex");

/**
 * Starts the container's program in the pod's sandbox. Throws {@link StartRefused}; nothing has been started
 * then.
 */
export async function startContainer(
  state: PodState,
  container: Container,
  run: NonNullable<ContainerState["run"]>,
  facts: ContainerFacts,
): Promise<StartedProcess> {
  const { pod } = state;
  const image = findImage(container.image ?? "");
  const argv = commandOf(container, image);
  if (argv === undefined) throw new StartRefused("ErrImagePull", unknownImageMessage(container.image ?? ""));
  const uid = pod.metadata.uid ?? "";
  const podDir = facts.podDir(uid);
  const hostNetwork = pod.spec.hostNetwork === true;
  const podIps = hostNetwork ? [facts.nodeIp] : (state.sandbox?.ips ?? []);
  const downward = { nodeIp: facts.nodeIp, podIps };
  const hostname = hostNetwork ? undefined : (pod.spec.hostname ?? pod.metadata.name).slice(0, 63);
  const base = {
    PATH: path,
    HOME: "/root",
    HOSTNAME: hostname ?? pod.spec.nodeName ?? "",
    KUBERNETES_SERVICE_HOST: facts.apiServer.host,
    KUBERNETES_SERVICE_PORT: facts.apiServer.port,
    KUBERNETES_SERVICE_PORT_HTTPS: facts.apiServer.port,
  };
  const { env, mounts } = await configured(async () => ({
    env: await containerEnvironment(pod, container, downward, facts.source, base),
    mounts: await prepareMounts(pod, container, {
      ...downward,
      folder: join(podDir, "volumes"),
      source: facts.source,
      credentials: facts.credentials,
    }),
  }));
  if (image !== undefined) placeImageFiles(image);
  const netnsPath = state.sandbox?.netns;
  using netns = netnsPath === undefined ? undefined : Netns.open(netnsPath);
  try {
    return startProcess({
      argv: argv.map((word) => expand(word, env)),
      env,
      cwd: container.workingDir ?? image?.workingDir ?? "/",
      logFile: logFile(
        facts.logDir,
        pod,
        container.name,
        state.containers[container.name]?.restartCount ?? 0,
      ),
      exitFile: exitFile(podDir, container.name, run.id),
      mounts,
      ...(netns !== undefined && { netns }),
      ...(hostname !== undefined && { hostname }),
    });
  } catch (error) {
    const found = error instanceof EniverseError ? (error.parts.found ?? error.message) : messageOf(error);
    throw new StartRefused(
      "StartError",
      `failed to create containerd task: failed to create shim task: OCI runtime create failed: ${found}`,
    );
  }
}

async function configured<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // The API server is away: that is nobody's configuration error, and will pass.
    if (hasCode(error, "unavailable", "timeout")) throw error;
    const text = error instanceof EniverseError ? (error.parts.found ?? error.message) : messageOf(error);
    throw new StartRefused("CreateContainerConfigError", text);
  }
}

/** As Kubernetes joins image and pod: a command replaces the entrypoint and drops the image's own arguments. */
export function commandOf(container: Container, image: Image | undefined): string[] | undefined {
  const { command = [], args = [] } = container;
  if (command.length > 0) return [...command, ...args];
  if (image === undefined) return undefined;
  const all = [...image.entrypoint, ...(args.length > 0 ? args : image.defaultArgs)];
  return all.length > 0 ? all : undefined;
}
