import { describe, expect, test } from "bun:test";
import type { OwnerReference } from "../../kube/objects.ts";
import { configMaps, customResourceDefinitions, namespaces, type Pod, pods } from "../../kube/resources.ts";
import { aPod, settle, startTestServer, type TestServer } from "./test-server.ts";

const at = { namespace: "default" };

async function boundPod(lab: TestServer, name: string, more: object = {}): Promise<Pod> {
  await lab.server.client.create(pods, aPod(name, { metadata: more }));
  const binding = {
    apiVersion: "v1",
    kind: "Binding",
    metadata: { name },
    target: { kind: "Node", name: "n1" },
  };
  const bound = await lab.call("POST", `/api/v1/namespaces/default/pods/${name}/binding`, binding);
  expect(bound.status).toBe(201);
  return lab.server.client.get(pods, name, "default");
}

function ownedBy(
  owner: { metadata: { name: string; uid?: string } },
  kind: string,
): { ownerReferences: OwnerReference[] } {
  return {
    ownerReferences: [
      {
        apiVersion: "v1",
        kind,
        name: owner.metadata.name,
        uid: owner.metadata.uid ?? "",
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  };
}

describe("deleting pods", () => {
  test("a pod on a node ends when its kubelet says so", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    const pod = await boundPod(lab, "p");
    expect(pod.status?.conditions?.[0]).toMatchObject({ type: "PodScheduled", status: "True" });
    await client.delete(pods, "p", at);
    const ending = await client.get(pods, "p", "default");
    expect(ending.metadata).toMatchObject({
      deletionTimestamp: "2024-05-01T10:00:30Z",
      deletionGracePeriodSeconds: 30,
    });
    await client.delete(pods, "p", { ...at, gracePeriodSeconds: 60 });
    expect((await client.get(pods, "p", "default")).metadata.resourceVersion).toBe(
      ending.metadata.resourceVersion,
    );
    await client.delete(pods, "p", { ...at, gracePeriodSeconds: 5 });
    expect((await client.get(pods, "p", "default")).metadata.deletionGracePeriodSeconds).toBe(5);
    await client.delete(pods, "p", { ...at, gracePeriodSeconds: 0 });
    expect((await client.list(pods)).items).toEqual([]);
  });

  test("a pod on no node, or one that is over, goes at once", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    await client.create(pods, aPod("p"));
    await client.delete(pods, "p", at);
    const done = await boundPod(lab, "q");
    await client.updateStatus(pods, { ...done, status: { phase: "Succeeded" } });
    await client.delete(pods, "q", at);
    expect((await client.list(pods)).items).toEqual([]);
  });

  test("a pod is bound once", async () => {
    await using lab = startTestServer();
    await boundPod(lab, "p");
    const binding = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name: "p" },
      target: { kind: "Node", name: "n2" },
    };
    const again = await lab.call("POST", "/api/v1/namespaces/default/bindings", binding);
    expect(again).toMatchObject({
      status: 409,
      body: {
        message: 'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"',
      },
    });
  });

  test("preconditions hold a deletion back", async () => {
    await using lab = startTestServer();
    await lab.server.client.create(pods, aPod("p"));
    const path = "/api/v1/namespaces/default/pods/p";
    expect((await lab.call("DELETE", path, { preconditions: { uid: "other" } })).status).toBe(409);
    expect((await lab.call("DELETE", path, { preconditions: { resourceVersion: "1" } })).status).toBe(409);
    expect((await lab.call("DELETE", `${path}?dryRun=All`)).status).toBe(200);
    expect((await lab.call("DELETE", `${path}?gracePeriodSeconds=-1`)).status).toBe(400);
    expect((await lab.call("GET", path)).status).toBe(200);
  });

  test("an eviction asks the budgets", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    for (const name of ["a", "b"]) {
      const pod = await boundPod(lab, name, { labels: { app: "web" } });
      await client.updateStatus(pods, {
        ...pod,
        status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
      });
    }
    const budget = {
      spec: { minAvailable: 1, selector: { matchLabels: { app: "web" } } },
      metadata: { name: "web" },
    };
    expect(
      (await lab.call("POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", budget)).status,
    ).toBe(201);
    const evict = (name: string) =>
      lab.call("POST", `/api/v1/namespaces/default/pods/${name}/eviction`, {
        kind: "Eviction",
        apiVersion: "policy/v1",
        metadata: { name },
      });
    await settle();
    const status = (await lab.call("GET", "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web")).body
      .status;
    expect(status).toMatchObject({
      disruptionsAllowed: 1,
      currentHealthy: 2,
      desiredHealthy: 1,
      expectedPods: 2,
    });
    expect((await evict("a")).status).toBe(201);
    const refused = await evict("b");
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("10");
  });
});

describe("finalizers and owners", () => {
  test("an object waits for its finalizers", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    const map = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "m", namespace: "default", finalizers: ["a/b"] },
    };
    await client.create(configMaps, map);
    await client.delete(configMaps, "m", at);
    expect((await client.get(configMaps, "m", "default")).metadata.deletionTimestamp).toBeDefined();
    await client.patch(configMaps, "m", { metadata: { finalizers: null } }, at);
    expect((await lab.call("GET", "/api/v1/namespaces/default/configmaps/m")).status).toBe(404);
  });

  test("dependents follow their owner", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    const make = (name: string, metadata: object) =>
      client.create(configMaps, {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name, namespace: "default", ...metadata },
      });
    const grandparent = await make("a", {});
    const parent = await make("b", ownedBy(grandparent, "ConfigMap"));
    await make("c", ownedBy(parent, "ConfigMap"));
    await client.delete(configMaps, "a", at);
    await settle();
    const left = await client.list(configMaps, at);
    expect(left.items.map(({ metadata }) => metadata.name)).toEqual(["kube-root-ca.crt"]);
    // An owner that never was: the object goes as soon as it is looked at.
    await make("d", ownedBy({ metadata: { name: "x", uid: "no-such-uid" } }, "ConfigMap"));
    await settle();
    expect((await client.list(configMaps, at)).items.length).toBe(1);
  });

  test("orphans stay, and the foreground waits for its dependents", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    const make = (name: string, metadata: object) =>
      client.create(configMaps, {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name, namespace: "default", ...metadata },
      });
    const path = "/api/v1/namespaces/default/configmaps";
    const owner = await make("a", {});
    await make("b", ownedBy(owner, "ConfigMap"));
    await lab.call("DELETE", `${path}/a`, { propagationPolicy: "Orphan" });
    await settle();
    expect((await lab.call("GET", `${path}/a`)).status).toBe(404);
    expect((await client.get(configMaps, "b", "default")).metadata.ownerReferences).toBeUndefined();

    const second = await make("c", {});
    await make("d", { ...ownedBy(second, "ConfigMap"), finalizers: ["a/hold"] });
    await lab.call("DELETE", `${path}/c`, { propagationPolicy: "Foreground" });
    await settle();
    expect((await client.get(configMaps, "c", "default")).metadata.finalizers).toEqual([
      "foregroundDeletion",
    ]);
    await client.patch(configMaps, "d", { metadata: { finalizers: null } }, at);
    await settle();
    expect((await lab.call("GET", `${path}/d`)).status).toBe(404);
    expect((await lab.call("GET", `${path}/c`)).status).toBe(404);
  });

  test("deletecollection takes what is selected", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    for (const app of ["x", "y"]) await client.create(pods, aPod(app, { metadata: { labels: { app } } }));
    await lab.call("DELETE", "/api/v1/namespaces/default/pods?labelSelector=app%3Dx");
    expect((await client.list(pods)).items.map(({ metadata }) => metadata.name)).toEqual(["y"]);
  });
});

describe("namespaces", () => {
  const namespace = (name: string) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } });

  test("a namespace takes its contents with it, and lets nothing in meanwhile", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    await client.create(namespaces, namespace("x"));
    const held = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "m", namespace: "x", finalizers: ["a/b"] },
    };
    await client.create(configMaps, held);
    await client.create(pods, aPod("p", { metadata: { namespace: "x" } }));
    await client.delete(namespaces, "x");
    await settle();
    expect((await client.get(namespaces, "x")).status?.phase).toBe("Terminating");
    expect((await client.list(pods, { namespace: "x" })).items).toEqual([]);
    const late = await lab.call("POST", "/api/v1/namespaces/x/configmaps", { metadata: { name: "late" } });
    expect(late).toMatchObject({
      status: 403,
      body: { details: { causes: [{ reason: "NamespaceTerminating" }] } },
    });
    await client.patch(configMaps, "m", { metadata: { finalizers: null } }, { namespace: "x" });
    await settle();
    expect((await lab.call("GET", "/api/v1/namespaces/x")).status).toBe(404);
  });

  test("a new namespace has a service account and the cluster's certificate", async () => {
    await using lab = startTestServer();
    await lab.server.client.create(namespaces, namespace("x"));
    expect((await lab.call("GET", "/api/v1/namespaces/x/serviceaccounts/default")).status).toBe(200);
    const map = await lab.server.client.get(configMaps, "kube-root-ca.crt", "x");
    expect(map.data?.["ca.crt"]).toBe(lab.server.ca);
  });

  test("the cluster's own namespaces stay", async () => {
    await using lab = startTestServer();
    expect((await lab.call("DELETE", "/api/v1/namespaces/kube-system")).status).toBe(403);
  });
});

test("a definition takes its resources with it", async () => {
  await using lab = startTestServer();
  await lab.server.client.create(customResourceDefinitions, {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "things.example.com" },
    spec: {
      group: "example.com",
      scope: "Cluster",
      names: { plural: "things", kind: "Thing" },
      versions: [
        { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } },
      ],
    },
  });
  expect((await lab.call("POST", "/apis/example.com/v1/things", { metadata: { name: "t" } })).status).toBe(
    201,
  );
  await lab.server.client.delete(customResourceDefinitions, "things.example.com");
  expect((await lab.call("GET", "/apis/example.com/v1/things")).status).toBe(404);
});
