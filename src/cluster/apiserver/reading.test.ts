import { describe, expect, test } from "bun:test";
import type { WatchEvent } from "../../kube/client.ts";
import { type ConfigMap, events, eventsV1, nodes, type Pod, pods } from "../../kube/resources.ts";
import { aPod, settle, startTestServer, type TestServer } from "./test-server.ts";

const table = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" };

async function label(lab: TestServer, name: string, app: string): Promise<void> {
  await lab.server.client.patch(pods, name, { metadata: { labels: { app } } }, { namespace: "default" });
}

describe("list", () => {
  test("selects by label, field and namespace", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    await client.create(
      pods,
      aPod("a", {
        metadata: { labels: { app: "x" } },
        spec: { containers: [{ name: "c", image: "i" }], nodeName: "n1" },
      }),
    );
    await client.create(pods, aPod("b", { metadata: { namespace: "kube-system", labels: { app: "y" } } }));
    const names = async (options: object): Promise<string[]> =>
      (await client.list(pods, options)).items.map(({ metadata }) => metadata.name);
    expect(await names({})).toEqual(["a", "b"]);
    expect(await names({ namespace: "default" })).toEqual(["a"]);
    expect(await names({ labelSelector: "app in (y,z)" })).toEqual(["b"]);
    expect(await names({ fieldSelector: "spec.nodeName=n1" })).toEqual(["a"]);
    expect(await names({ fieldSelector: "spec.nodeName=" })).toEqual(["b"]);
    expect(await names({ fieldSelector: "metadata.namespace=kube-system,status.phase!=Running" })).toEqual([
      "b",
    ]);
    await expect(client.list(pods, { fieldSelector: "spec.containers=x" })).rejects.toThrow(
      /field label not supported/,
    );
    await expect(client.list(pods, { labelSelector: "a=b=c" })).rejects.toThrow(
      /unable to parse requirement/,
    );
  });

  test("comes in pages", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    const wanted = Array.from({ length: 7 }, (_, index) => `p${index}`);
    for (const name of wanted) await client.create(pods, aPod(name));
    const seen: string[] = [];
    let token = "";
    const remaining: (number | undefined)[] = [];
    for (let page = 0; page < 3; page++) {
      const { body } = await lab.call("GET", `/api/v1/pods?limit=3&continue=${token}`);
      seen.push(...body.items.map(({ metadata }) => metadata.name));
      remaining.push(body.metadata.remainingItemCount);
      token = body.metadata.continue ?? "";
    }
    expect(seen).toEqual(wanted);
    expect(remaining).toEqual([4, 1, undefined]);
    expect(token).toBe("");
    expect((await lab.call("GET", "/api/v1/pods?limit=3&continue=nonsense")).status).toBe(400);
    expect((await lab.call("GET", "/api/v1/pods?limit=x")).status).toBe(400);
  });

  test("is a table when the client wants one", async () => {
    await using lab = startTestServer();
    await lab.server.client.create(pods, aPod("a"));
    await lab.clock.advance(90_000);
    const { body } = await lab.call("GET", "/api/v1/namespaces/default/pods", undefined, table);
    expect(body.columnDefinitions.map(({ name, priority }) => `${name}${priority}`)).toEqual([
      "Name0",
      "Ready0",
      "Status0",
      "Restarts0",
      "Age0",
      "IP1",
      "Node1",
      "Nominated Node1",
      "Readiness Gates1",
    ]);
    expect(body.rows[0]).toMatchObject({
      cells: ["a", "0/1", "Pending", "0", "90s", "<none>", "<none>", "<none>", "<none>"],
      object: { kind: "PartialObjectMetadata", metadata: { name: "a", namespace: "default" } },
    });
    const whole = await lab.call(
      "GET",
      "/api/v1/namespaces/default/pods/a?includeObject=Object",
      undefined,
      table,
    );
    expect(whole.body.rows[0]?.object).toMatchObject({ kind: "Pod", spec: { restartPolicy: "Always" } });
    expect(
      (await lab.call("GET", "/api/v1/pods", undefined, { accept: "application/vnd.kubernetes.protobuf" }))
        .status,
    ).toBe(406);
  });
});

/** Collects events until there are `count`, then ends the watch. */
async function collect<T extends ConfigMap | Pod>(
  stream: AsyncIterable<WatchEvent<T>>,
  stop: AbortController,
  count: number,
): Promise<string[]> {
  const seen: string[] = [];
  for await (const event of stream) {
    seen.push(event.type === "BOOKMARK" ? "BOOKMARK" : `${event.type} ${event.object.metadata.name}`);
    if (seen.length >= count) stop.abort();
  }
  return seen;
}

describe("watch", () => {
  test("tells what happened since a revision, then what happens", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    const { resourceVersion } = await client.list(pods);
    await client.create(pods, aPod("a"));
    const stop = new AbortController();
    const seen = collect(client.watch(pods, { resourceVersion, signal: stop.signal }), stop, 3);
    await label(lab, "a", "x");
    await client.delete(pods, "a", { namespace: "default" });
    expect(await seen).toEqual(["ADDED a", "MODIFIED a", "DELETED a"]);
  });

  test("an object moves into and out of a selection", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    const { resourceVersion } = await client.list(pods);
    for (const app of ["x", "y"]) await client.create(pods, aPod(app, { metadata: { labels: { app } } }));
    await label(lab, "y", "x");
    await label(lab, "x", "z");
    await label(lab, "y", "z");
    const stop = new AbortController();
    const options = { resourceVersion, labelSelector: "app=x", signal: stop.signal };
    expect(await collect(client.watch(pods, options), stop, 4)).toEqual([
      "ADDED x",
      "ADDED y",
      "DELETED x",
      "DELETED y",
    ]);
  });

  test("a revision that is forgotten, or yet to come, is Expired", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    for (const resourceVersion of ["1000000", "-4", "x"]) {
      const stop = new AbortController();
      const watching = collect(client.watch(pods, { resourceVersion, signal: stop.signal }), stop, 1);
      await expect(watching).rejects.toMatchObject({ code: "conflict", parts: { facts: { status: 410 } } });
    }
    const stream = await lab.call("GET", "/api/v1/pods?watch=true&resourceVersion=1000000");
    expect(stream.status).toBe(200);
    expect(stream.body).toMatchObject({ type: "ERROR", object: { code: 410, reason: "Expired" } });
  });

  test("over HTTP it begins with the present state, ends in time, and says how far it came", async () => {
    await using lab = startTestServer();
    await lab.server.client.create(pods, aPod("a"));
    const token = lab.server.tokenFor({ admin: true });
    const query =
      "watch=true&timeoutSeconds=0&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    const response = await lab.server.handler(
      new Request(`https://server/api/v1/pods?${query}`, { headers: { authorization: `Bearer ${token}` } }),
    );
    const lines = (await response.text())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ type }) => type)).toEqual(["ADDED", "BOOKMARK", "BOOKMARK"]);
    expect(lines[1].object.metadata.annotations).toEqual({ "k8s.io/initial-events-end": "true" });
    expect(Number(lines[2].object.metadata.resourceVersion)).toBeGreaterThan(1);
  });
});

describe("events", () => {
  test("are one collection in two forms", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    await client.create(eventsV1, {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name: "e.1", namespace: "default" },
      eventTime: "2024-05-01T09:59:00.000000Z",
      reportingController: "aws-node",
      reportingInstance: "aws-node-x",
      action: "Attach",
      reason: "Attached",
      note: "an ENI was attached",
      type: "Normal",
      regarding: { kind: "Pod", name: "p", namespace: "default" },
    });
    const old = await client.get(events, "e.1", "default");
    expect(old).toMatchObject({
      apiVersion: "v1",
      message: "an ENI was attached",
      reportingComponent: "aws-node",
      involvedObject: { kind: "Pod", name: "p" },
    });
    const patched = await client.patch(
      eventsV1,
      "e.1",
      { series: { count: 2, lastObservedTime: "2024-05-01T10:00:00.000000Z" } },
      { namespace: "default" },
    );
    expect(patched).toMatchObject({
      apiVersion: "events.k8s.io/v1",
      note: "an ENI was attached",
      series: { count: 2 },
    });
    const list = await client.list(events, { fieldSelector: "involvedObject.name=p,type=Normal" });
    expect(list.items.length).toBe(1);
    for (const path of ["/api/v1/events", "/apis/events.k8s.io/v1/events"]) {
      const { body } = await lab.call("GET", path, undefined, table);
      expect(body.rows[0]?.cells.slice(0, 4)).toEqual(["0s", "Normal", "Attached", "pod/p"]);
    }
  });

  test("lie in the namespace of what they are about", async () => {
    await using lab = startTestServer();
    const event = {
      metadata: { name: "e" },
      involvedObject: { kind: "Pod", name: "p", namespace: "kube-system" },
    };
    expect((await lab.call("POST", "/api/v1/namespaces/default/events", event)).status).toBe(422);
  });
});

test("events are kept for an hour after they were last seen", async () => {
  await using lab = startTestServer();
  const { client } = lab.server;
  const event = (name: string) => ({
    apiVersion: "v1",
    kind: "Event",
    metadata: { name, namespace: "default" },
    involvedObject: { kind: "Pod", name: "p", namespace: "default" },
  });
  await client.create(events, event("old"));
  await client.create(events, event("renewed"));
  await lab.clock.advance(1_800_000);
  const lastTimestamp = "2024-05-01T10:30:00Z";
  await client.patch(events, "renewed", { lastTimestamp }, { namespace: "default" });
  await lab.clock.advance(1_800_001);
  await client.create(events, event("new"));
  await settle();
  const { items } = await client.list(events);
  expect(items.map(({ metadata }) => metadata.name)).toEqual(["new", "renewed"]);
});

describe("custom resources", () => {
  const definition = {
    metadata: { name: "eniconfigs.crd.k8s.amazonaws.com" },
    spec: {
      group: "crd.k8s.amazonaws.com",
      scope: "Cluster",
      names: { plural: "eniconfigs", singular: "eniconfig", kind: "ENIConfig", shortNames: ["eni"] },
      versions: [
        {
          name: "v1alpha1",
          served: true,
          storage: true,
          subresources: {
            status: {},
            scale: { specReplicasPath: ".spec.count", statusReplicasPath: ".status.count" },
          },
          additionalPrinterColumns: [
            { name: "Subnet", type: "string", jsonPath: ".spec.subnet" },
            { name: "Groups", type: "string", jsonPath: ".spec.securityGroups[*]", priority: 1 },
            { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
          ],
          schema: {
            openAPIV3Schema: {
              type: "object",
              properties: {
                spec: {
                  type: "object",
                  required: ["subnet"],
                  properties: {
                    subnet: { type: "string" },
                    securityGroups: { type: "array", items: { type: "string" } },
                    count: { type: "integer", default: 1 },
                  },
                },
                status: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
              },
            },
          },
        },
      ],
    },
  };
  const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  const path = "/apis/crd.k8s.amazonaws.com/v1alpha1/eniconfigs";

  test("are served as soon as they are defined, by their schema", async () => {
    await using lab = startTestServer();
    const made = await lab.call("POST", crds, definition);
    expect(made.body.status).toMatchObject({
      conditions: [{ type: "NamesAccepted" }, { type: "Established", status: "True" }],
    });
    const discovered = await lab.call("GET", "/apis/crd.k8s.amazonaws.com/v1alpha1");
    expect(discovered.body.resources.map(({ name }) => name)).toEqual([
      "eniconfigs",
      "eniconfigs/status",
      "eniconfigs/scale",
    ]);

    const bad = await lab.call("POST", path, { metadata: { name: "a" }, spec: { securityGroups: [1] } });
    expect(bad.body.message).toBe(
      'ENIConfig.crd.k8s.amazonaws.com "a" is invalid: [spec.subnet: Required value, spec.securityGroups[0]: Invalid value: 1: spec.securityGroups[0] in body must be of type string: "integer"]',
    );
    const good = await lab.call("POST", path, {
      metadata: { name: "a" },
      spec: { subnet: "subnet-1", securityGroups: ["sg-1", "sg-2"], strange: true },
      status: { x: 1 },
    });
    expect(good.body).toMatchObject({ spec: { subnet: "subnet-1", count: 1 }, metadata: { generation: 1 } });
    expect(good.body.spec.strange).toBeUndefined();
    expect(good.body.status).toBeUndefined();
    const listed = await lab.call("GET", path, undefined, table);
    expect(listed.body.rows[0]?.cells).toEqual(["a", "subnet-1", "sg-1,sg-2", "0s"]);
    const merge = { "content-type": "application/merge-patch+json" };
    const status = await lab.call(
      "PATCH",
      `${path}/a/status`,
      { status: { count: 4 }, spec: { subnet: "x" } },
      merge,
    );
    expect(status.body).toMatchObject({ spec: { subnet: "subnet-1" }, status: { count: 4 } });
    const scale = await lab.call("PATCH", `${path}/a/scale`, { spec: { replicas: 3 } }, merge);
    expect(scale.body).toMatchObject({ kind: "Scale", spec: { replicas: 3 }, status: { replicas: 4 } });
    const strategic = { "content-type": "application/strategic-merge-patch+json" };
    expect((await lab.call("PATCH", `${path}/a`, {}, strategic)).status).toBe(415);
  });

  test("a definition that contradicts itself is refused", async () => {
    await using lab = startTestServer();
    const bad = { ...definition, metadata: { name: "other.example.com" } };
    expect((await lab.call("POST", crds, bad)).status).toBe(422);
  });
});

test("scale is a door to the replicas", async () => {
  await using lab = startTestServer();
  const path = "/apis/apps/v1/namespaces/default/deployments";
  const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } };
  await lab.call("POST", path, {
    metadata: { name: "web" },
    spec: { selector: { matchLabels: { a: "b" } }, template },
  });
  const scale = await lab.call("GET", `${path}/web/scale`);
  expect(scale.body).toMatchObject({ spec: { replicas: 1 }, status: { replicas: 0, selector: "a=b" } });
  const put = (replicas: number, resourceVersion?: string) =>
    lab.call("PUT", `${path}/web/scale`, { metadata: { name: "web", resourceVersion }, spec: { replicas } });
  expect((await put(4)).body.spec.replicas).toBe(4);
  expect((await put(5, scale.body.metadata.resourceVersion)).status).toBe(409);
  expect((await put(-1)).status).toBe(422);
});

test("what is not there is NotFound, what cannot be done MethodNotAllowed", async () => {
  await using lab = startTestServer();
  await lab.server.client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name: "n" } });
  for (const [method, path, status] of [
    ["GET", "/api/v1/nothings", 404],
    ["GET", "/apis/no.such.group/v1", 404],
    ["GET", "/api/v1/namespaces/default/nodes/n", 404],
    ["GET", "/api/v1/nodes/n/nothing", 404],
    ["GET", "/api/v1/nodes/n/scale", 404],
    ["GET", "/no/such/path", 404],
    ["POST", "/api/v1/nodes/n", 405],
    ["PUT", "/api/v1/nodes", 405],
    ["POST", "/api/v1/pods", 405],
  ] as const) {
    const answer = await lab.call(method, path, method === "GET" ? undefined : {});
    expect([path, answer.status]).toEqual([path, status]);
  }
  expect((await lab.call("GET", "/version")).body).toMatchObject({ major: "1" });
  expect((await lab.call("GET", "/readyz")).body as unknown).toBe("ok");
});
