import { EniverseError } from "../base/error.ts";
import type { KubeClient, ListOptions } from "../kube/client.ts";
import type { KubeObject, Resource } from "../kube/objects.ts";
import { type Deployment, deployments, events, type Node, nodes } from "../kube/resources.ts";

/** How long the lab may take to get what it was asked for. */
const waitMs = 120_000;

/** Resolves when `count` nodes are Ready; throws `timeout` naming those that are not and why. */
export async function waitForNodes(kube: KubeClient, count: number): Promise<void> {
  const isReady = (node: Node): boolean => conditionOf(node)?.status === "True";
  await until(
    kube,
    nodes,
    {},
    (items) => items.filter(isReady).length >= count,
    (items) => {
      const late = items.filter((node) => !isReady(node));
      const reasons = late.map(
        (node) => `${node.metadata.name}: ${conditionOf(node)?.message ?? "no status yet"}`,
      );
      return `${items.length - late.length} of ${count} nodes are Ready${reasons.length > 0 ? ` (${reasons.join("; ")})` : ""}`;
    },
    `wait for ${count} nodes`,
  );
}

const conditionOf = (node: Node) => node.status?.conditions?.find(({ type }) => type === "Ready");

/** Resolves when every replica of the deployment is Ready; throws `timeout` with the latest warning event. */
export async function waitForDeployment(kube: KubeClient, name: string, namespace: string): Promise<void> {
  const isDone = (deployment: Deployment): boolean =>
    (deployment.status?.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0) &&
    (deployment.status?.readyReplicas ?? 0) === (deployment.spec.replicas ?? 1) &&
    (deployment.status?.replicas ?? 0) === (deployment.spec.replicas ?? 1);
  try {
    await until(
      kube,
      deployments,
      { namespace, fieldSelector: `metadata.name=${name}` },
      (items) => items.some(isDone),
      ([deployment]) =>
        `${deployment?.status?.readyReplicas ?? 0} of ${deployment?.spec.replicas ?? "?"} pods are Ready`,
      `wait for deployment ${name}`,
    );
  } catch (error) {
    const warnings = (await kube.list(events, { namespace })).items.filter(({ type }) => type === "Warning");
    const last = warnings.at(-1);
    if (!(error instanceof EniverseError) || last === undefined) throw error;
    throw new EniverseError(error.code, {
      ...error.parts,
      found: `${error.parts.found}; last warning: ${last.message}`,
    });
  }
}

/** Lists, then watches, until `done` holds of all objects. */
async function until<T extends KubeObject>(
  kube: KubeClient,
  resource: Resource<T>,
  options: ListOptions,
  done: (items: readonly T[]) => boolean,
  state: (items: readonly T[]) => string,
  attempted: string,
): Promise<void> {
  const objects = new Map<string, T>();
  const deadline = AbortSignal.timeout(waitMs);
  while (!deadline.aborted) {
    const { items, resourceVersion } = await kube.list(resource, options);
    objects.clear();
    for (const item of items) objects.set(item.metadata.name, item);
    if (done([...objects.values()])) return;
    try {
      for await (const event of kube.watch(resource, { ...options, resourceVersion, signal: deadline })) {
        if (event.type === "BOOKMARK") continue;
        if (event.type === "DELETED") objects.delete(event.object.metadata.name);
        else objects.set(event.object.metadata.name, event.object);
        if (done([...objects.values()])) return;
      }
    } catch (error) {
      if (!deadline.aborted) throw error;
    }
  }
  throw new EniverseError("timeout", {
    attempted,
    found: `${state([...objects.values()])} after ${waitMs / 1000} s`,
  });
}
