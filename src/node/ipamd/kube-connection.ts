import type { Clock } from "../../base/clock.ts";
import { EniverseError, hasCode, messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import type { KubeClient } from "../../kube/client.ts";
import { type Informer, startInformer } from "../../kube/informer.ts";
import { type Node, nodes } from "../../kube/resources.ts";

export interface KubeConnectionParts {
  /** Absent when this process does not run in a cluster. */
  readonly client: KubeClient | undefined;
  readonly nodeName: string;
  /** True when ipamd is of no use without the API server (pod ENIs, custom networking, annotations). */
  readonly required: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** After each change of the node's own object. */
  readonly onNode: () => void;
}

/** The way to the API server, as far as it is there. */
export interface KubeConnection {
  client(): KubeClient | undefined;
  node(): Node | undefined;
}

const requiredPollMs = 2000;
const optionalPollMs = 5000;
const optionalLimitMs = 30_000;
/** The first tries come quickly: at a cluster's birth the API server is a moment late as a rule. */
const firstPollMs = 100;
const longestFirstNodeMs = 3000;

/**
 * Waits for the API server: for ever when it is required and only times out (any other failure is thrown),
 * otherwise for 30 s, after which ipamd goes on without it and the wait continues in the background. Then follows
 * the node's own object.
 */
export async function connectKube(parts: KubeConnectionParts): Promise<KubeConnection> {
  const { client, clock, log, signal } = parts;
  let reached = false;
  let informer: Informer<Node> | undefined;
  const connection: KubeConnection = {
    client: () => (reached ? client : undefined),
    node: () => informer?.get(parts.nodeName),
  };
  if (client === undefined) {
    if (parts.required) throw noCluster();
    log("warn", "no API server is configured, going on without it");
    return connection;
  }
  const follow = async (): Promise<void> => {
    reached = true;
    if (parts.nodeName === "") return;
    informer = startInformer(client, nodes, {
      fieldSelector: `metadata.name=${parts.nodeName}`,
      onChange: parts.onNode,
      clock,
      log,
      signal,
    });
    const limit = new AbortController();
    await Promise.race([
      informer.synced.catch(() => {}),
      clock.sleep(longestFirstNodeMs, limit.signal).catch(() => {}),
    ]);
    limit.abort();
  };
  if (await reach(parts, client)) {
    await follow();
  } else {
    log("warn", "the API server does not answer, going on without it");
    void reachLater(parts, client).then((late) => (late ? follow() : undefined));
  }
  return connection;
}

async function reach(parts: KubeConnectionParts, client: KubeClient): Promise<boolean> {
  const { clock, log, required, signal } = parts;
  const end = clock.now() + optionalLimitMs;
  let pauseMs = firstPollMs;
  while (!signal.aborted) {
    try {
      const { gitVersion } = await client.version();
      log("info", "API server reached", { version: gitVersion });
      return true;
    } catch (thrown) {
      log("warn", "API server not reached", { error: messageOf(thrown) });
      if (required && !hasCode(thrown, "timeout", "unavailable")) throw thrown;
      if (!required && clock.now() >= end) return false;
    }
    await clock.sleep(pauseMs, signal).catch(() => {});
    pauseMs = Math.min(pauseMs * 2, required ? requiredPollMs : optionalPollMs);
  }
  return false;
}

async function reachLater(parts: KubeConnectionParts, client: KubeClient): Promise<boolean> {
  while (!parts.signal.aborted) {
    await parts.clock.sleep(optionalPollMs, parts.signal).catch(() => {});
    try {
      await client.version();
      return true;
    } catch {
      // Asked again until it answers; the first failures were logged.
    }
  }
  return false;
}

function noCluster(): EniverseError {
  return new EniverseError("unavailable", {
    attempted: "reach the API server",
    found: "no in-cluster configuration",
    wanted: "KUBERNETES_SERVICE_HOST and a service account, or CLUSTER_ENDPOINT",
  });
}
