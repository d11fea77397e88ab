import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realClock } from "../base/clock.ts";
import { noLog } from "../base/log.ts";
import { seededRandom } from "../base/random.ts";
import type { KubeClient } from "../kube/client.ts";
import {
  controllerRevisions,
  type DaemonSet,
  type Deployment,
  daemonSets,
  deployments,
  events,
  type Node,
  nodes,
  type Pod,
  pods,
  replicaSets,
} from "../kube/resources.ts";
import type { ApiServer } from "./apiserver/options.ts";
import { createApiServer } from "./apiserver/server.ts";
import { type Cluster, startCluster } from "./start.ts";
import { timestamp } from "./time.ts";

// Controllers and scheduler over the real API server; nodes are objects without a machine behind them, and the test
// plays kubelet.

let folder = "";
let server: ApiServer;
let cluster: Cluster;
let client: KubeClient;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "eniverse-start-"));
  const random = seededRandom(7);
  server = createApiServer({ dbPath: ":memory:", tlsDir: folder, clock: realClock, random, log: noLog });
  client = server.client;
  cluster = startCluster({ client, random });
  await cluster.ready;
});
afterEach(async () => {
  await cluster.stop();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const node = (name: string, room = "29"): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: { "kubernetes.io/hostname": name } },
  spec: { taints: [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }] },
  status: {
    capacity: { pods: room, cpu: "2", memory: "8Gi" },
    allocatable: { pods: room, cpu: "2", memory: "8Gi" },
    conditions: [{ type: "Ready", status: "True", lastTransitionTime: timestamp(Date.now()) }],
  },
});
const template = (image: string) => ({
  metadata: { labels: { app: "web" } },
  spec: { containers: [{ name: "c", image }] },
});
const deployment = (replicas: number): Deployment => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "default" },
  spec: { replicas, selector: { matchLabels: { app: "web" } }, template: template("eniverse/echo:1") },
});
const daemonSet: DaemonSet = {
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: { name: "agent", namespace: "default" },
  spec: { selector: { matchLabels: { app: "web" } }, template: template("eniverse/pause:1") },
};

async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await Bun.sleep(5)) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
  }
  throw new Error(
    `no ${what}: ${JSON.stringify((await client.list(pods)).items.map(({ spec, status }) => [spec.nodeName, status]))}`,
  );
}
const allPods = async (): Promise<Pod[]> => (await client.list(pods, { namespace: "default" })).items;
const bound = (all: Pod[]): Pod[] => all.filter(({ spec }) => spec.nodeName !== undefined);
const imageOf = (pod: Pod): string => pod.spec.containers[0]?.image ?? "";

/** Makes every bound pod Ready and lets leaving pods go, as their kubelets would. */
async function playKubelets(): Promise<void> {
  for (const pod of bound(await allPods())) {
    const { name, namespace = "default" } = pod.metadata;
    if (pod.metadata.deletionTimestamp !== undefined) {
      await client.delete(pods, name, { namespace, gracePeriodSeconds: 0 }).catch(() => {});
    } else if (pod.status?.phase !== "Running") {
      const status = {
        phase: "Running",
        conditions: [{ type: "Ready", status: "True", lastTransitionTime: timestamp(Date.now()) }],
      };
      await client.patch(pods, name, { status }, { namespace, subresource: "status" }).catch(() => {});
    }
  }
}

describe("the control plane", () => {
  test("brings a deployment on the nodes that are ready, evenly, and says where", async () => {
    for (const name of ["n1", "n2", "n3"]) await client.create(nodes, node(name));
    await client.create(deployments, deployment(12));
    const placed = await until("twelve bound pods", async () => {
      const all = bound(await allPods());
      return all.length === 12 && all;
    });
    const perNode = Map.groupBy(placed, ({ spec }) => spec.nodeName);
    expect([...perNode.values()].map(({ length }) => length)).toEqual([4, 4, 4]);
    const scheduled = await until("events", async () => {
      const { items } = await client.list(events, { namespace: "default" });
      const found = items.filter(({ reason }) => reason === "Scheduled");
      return found.length === 12 && found;
    });
    expect(scheduled[0]?.message).toMatch(/^Successfully assigned default\/web-\S+ to n[123]$/);
    await until("availability", async () => {
      await playKubelets();
      return (await client.get(deployments, "web", "default")).status?.availableReplicas === 12;
    });
    expect(await allPods()).toHaveLength(12);
  });

  test("says why a pod fits nowhere, and places it when there is room", async () => {
    await client.create(nodes, node("n1", "2"));
    await client.create(deployments, deployment(3));
    const event = await until("a refusal", async () => {
      const { items } = await client.list(events, { namespace: "default" });
      return items.find(({ reason }) => reason === "FailedScheduling");
    });
    expect(event.message).toBe("0/1 nodes are available: 1 Too many pods.");
    await client.create(nodes, node("n2"));
    await until("three bound pods", async () => bound(await allPods()).length === 3);
  });

  test("rolls a new template out and keeps one ReplicaSet with pods", async () => {
    await client.create(nodes, node("n1"));
    await client.create(deployments, deployment(4));
    await until("the first rollout", async () => {
      await playKubelets();
      return (await client.get(deployments, "web", "default")).status?.availableReplicas === 4;
    });
    const spec = { template: template("eniverse/echo:2") };
    await client.patch(deployments, "web", { spec }, { namespace: "default" });
    await until("the second rollout", async () => {
      await playKubelets();
      const all = await allPods();
      return all.length === 4 && all.every((pod) => imageOf(pod) === "eniverse/echo:2");
    });
    const { items } = await client.list(replicaSets, { namespace: "default" });
    expect(items.map(({ spec: { replicas } }) => replicas).sort()).toEqual([0, 4]);
    const { status } = await until("the end of it", async () => {
      const found = await client.get(deployments, "web", "default");
      return found.status?.conditions?.some(({ reason }) => reason === "NewReplicaSetAvailable") && found;
    });
    expect(status?.observedGeneration).toBe(2);
  });

  test("keeps a daemon pod on every node as nodes come and go, and updates them all", async () => {
    await client.create(nodes, node("n1"));
    await client.create(nodes, node("n2"));
    await client.create(daemonSets, daemonSet);
    const places = async (): Promise<string> => {
      await playKubelets();
      return (await allPods())
        .map((pod) => `${pod.spec.nodeName}:${imageOf(pod)}`)
        .sort()
        .join();
    };
    await until("two pods", async () => (await places()) === "n1:eniverse/pause:1,n2:eniverse/pause:1");
    await client.create(nodes, node("n3"));
    await client.patch(
      daemonSets,
      "agent",
      { spec: { template: template("eniverse/pause:2") } },
      { namespace: "default" },
    );
    await until(
      "an update",
      async () => (await places()) === "n1:eniverse/pause:2,n2:eniverse/pause:2,n3:eniverse/pause:2",
    );
    const { items } = await client.list(controllerRevisions, { namespace: "default" });
    expect(items.map(({ revision }) => revision).sort()).toEqual([1, 2]);
    await client.delete(nodes, "n3");
    await until("its pod's end", async () => {
      const set = await client.get(daemonSets, "agent", "default");
      return set.status?.desiredNumberScheduled === 2 && set.status.updatedNumberScheduled === 2;
    });
  });

  test("does not create more pods than wanted under a storm of changes", async () => {
    await client.create(nodes, node("n1", "200"));
    await client.create(deployments, deployment(1));
    let most = 0;
    for (const replicas of [40, 5, 60, 20, 50]) {
      await client.patch(deployments, "web", { spec: { replicas } }, { namespace: "default" });
      for (let turn = 0; turn < 5; turn++) {
        await playKubelets();
        most = Math.max(
          most,
          (await allPods()).filter(({ metadata }) => metadata.deletionTimestamp === undefined).length,
        );
      }
    }
    await until("fifty pods", async () => {
      await playKubelets();
      return (await allPods()).length === 50;
    });
    expect(most).toBeLessThanOrEqual(60);
  });
});
