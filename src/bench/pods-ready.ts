import { EniverseError } from "../base/error.ts";
import { deploymentOf } from "../cli/commands/run.ts";
import type { KubeClient } from "../kube/client.ts";
import { deployments, events, type Pod, pods } from "../kube/resources.ts";
import { withLab } from "./bench-lab.ts";
import { rounded, type Section } from "./report.ts";
import { quantile } from "./statistics.ts";

const nodes = 4;
const instanceType = "m5.xlarge";
const name = "crowd";
const longestWaitMs = 120_000;

/** A server with its own address book, and the least that a pod can be. */
const images = ["eniverse/echo", "eniverse/pause"] as const;

/** A hundred pods at once on nodes that have just come up. */
export const podsReady: Section = {
  name: "pods",
  title: "Pods Ready per second",
  run: async ({ quick }) => {
    const count = quick ? 40 : 100;
    const runs: { readonly image: string; readonly readyAtMs: number[] }[] = [];
    for (const image of images) {
      const readyAtMs = await withLab("pods", { nodes, instanceType }, ({ kube }) =>
        land(kube, image, count),
      );
      runs.push({ image, readyAtMs });
      if (quick) break;
    }
    return {
      about:
        `A Deployment of ${count} replicas on a fresh lab of ${nodes} ${instanceType}, default settings of aws-node; ` +
        "from the request to the watch event that shows the pod Ready. An echo pod is a server on a runtime of its own, a pause pod sleeps.",
      table: {
        columns: ["Image", "First (s)", "Half (s)", "All (s)", "Pods per second"],
        rows: runs.map(({ image, readyAtMs }) => {
          const times = [0, 0.5, 1].map((share) => quantile(readyAtMs, share) / 1000);
          return [image, ...times.map(rounded), rounded(count / (times[2] ?? 1))];
        }),
      },
      goals: [],
      raw: { count, nodes, instanceType, runs },
    };
  },
};

/** Milliseconds until each of the pods was Ready. */
async function land(kube: KubeClient, image: string, count: number): Promise<number[]> {
  const selector = { namespace: "default", labelSelector: `app=${name}` };
  const deadline = AbortSignal.timeout(longestWaitMs);
  const readyAt = new Map<string, number>();
  const start = performance.now();
  const look = (pod: Pod): void => {
    const { uid = "" } = pod.metadata;
    if (isReady(pod) && !readyAt.has(uid)) readyAt.set(uid, performance.now() - start);
  };
  await kube.create(deployments, deploymentOf(name, { replicas: count, image, namespace: "default" }));
  while (!deadline.aborted) {
    const { items, resourceVersion } = await kube.list(pods, selector);
    for (const pod of items) look(pod);
    if (readyAt.size >= count) return [...readyAt.values()];
    try {
      for await (const event of kube.watch(pods, { ...selector, resourceVersion, signal: deadline })) {
        if (event.type !== "BOOKMARK") look(event.object);
        if (readyAt.size >= count) return [...readyAt.values()];
      }
    } catch (error) {
      if (!deadline.aborted) throw error;
    }
  }
  const { items } = await kube.list(pods, selector);
  const warnings = (await kube.list(events, { namespace: "default" })).items.filter(
    ({ type }) => type === "Warning",
  );
  throw new EniverseError("timeout", {
    attempted: `wait for ${count} pods`,
    found:
      `the watch has shown ${readyAt.size} Ready in ${longestWaitMs / 1000} s; a list shows ${items.filter(isReady).length} of ${items.length} Ready, ` +
      `${items.filter(({ spec }) => spec.nodeName !== undefined).length} bound; last warning: ${warnings.at(-1)?.message ?? "none"}`,
  });
}

const isReady = (pod: Pod): boolean =>
  pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
