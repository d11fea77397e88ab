import { describe, expect, test } from "bun:test";
import { EniverseError } from "../../base/error.ts";
import {
  configMaps,
  type Deployment,
  deployments,
  type Node,
  nodes,
  pods,
  secrets,
  services,
} from "../../kube/resources.ts";
import { aPod, startTestServer } from "./test-server.ts";

const template = {
  metadata: { labels: { app: "web" } },
  spec: { containers: [{ name: "c", image: "echo" }] },
};
const deployment = (more: object = {}): Deployment => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "default" },
  spec: { selector: { matchLabels: { app: "web" } }, template, ...more },
});

async function refusal(promise: Promise<unknown>): Promise<{ code: string; status: unknown; text: string }> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof EniverseError)) throw new Error(`expected a refusal, got ${String(error)}`);
  return { code: error.code, status: error.parts.facts?.status, text: error.parts.found ?? "" };
}

describe("create", () => {
  test("fills in what the server gives and defaults what was not said", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    const made = await client.create(deployments, deployment());
    expect(made.metadata).toMatchObject({ generation: 1, creationTimestamp: "2024-05-01T10:00:00Z" });
    expect(made.metadata.uid).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(made.spec).toMatchObject({
      replicas: 1,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
    });
    const pod = await client.create(
      pods,
      aPod("p", {
        spec: { containers: [{ name: "c", image: "x", resources: { limits: { cpu: "1", memory: "1Gi" } } }] },
      }),
    );
    expect(pod.status).toEqual({ phase: "Pending", qosClass: "Guaranteed" });
    expect(pod.spec).toMatchObject({
      serviceAccountName: "default",
      priority: 0,
      terminationGracePeriodSeconds: 30,
    });
    expect(pod.spec.containers[0]).toMatchObject({
      imagePullPolicy: "Always",
      resources: { requests: { cpu: "1" } },
    });
    expect(pod.spec.tolerations?.map(({ key }) => key)).toEqual([
      "node.kubernetes.io/not-ready",
      "node.kubernetes.io/unreachable",
    ]);
  });

  test("completes generateName", async () => {
    await using lab = startTestServer();
    const pod = aPod("", { metadata: { generateName: "web-" } });
    const made = await lab.server.client.create(pods, pod);
    expect(made.metadata.name).toMatch(/^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });

  test("a name that is taken is AlreadyExists, a namespace that is none NotFound", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    await client.create(pods, aPod("p"));
    expect(await refusal(client.create(pods, aPod("p")))).toEqual({
      code: "already_exists",
      status: 409,
      text: 'pods "p" already exists',
    });
    expect(await refusal(client.create(pods, aPod("p", { metadata: { namespace: "no" } })))).toEqual({
      code: "not_found",
      status: 404,
      text: 'namespaces "no" not found',
    });
  });

  test("invalid objects name the fields", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    const container = {
      name: "Not_a_label",
      image: "",
      ports: [{ containerPort: 70_000 }],
      volumeMounts: [{ name: "v", mountPath: "/v" }],
    };
    const found = await lab.call(
      "POST",
      "/api/v1/namespaces/default/pods",
      aPod("p", { spec: { containers: [container] } }),
    );
    expect(found.status).toBe(422);
    expect(found.body.details.causes.map(({ reason, field }) => `${field} ${reason}`)).toEqual([
      "spec.containers[0].name FieldValueInvalid",
      "spec.containers[0].image FieldValueRequired",
      "spec.containers[0].ports[0].containerPort FieldValueInvalid",
      "spec.containers[0].volumeMounts[0].name FieldValueNotFound",
    ]);
    expect(
      await refusal(client.create(deployments, deployment({ selector: { matchLabels: { app: "other" } } }))),
    ).toMatchObject({
      code: "invalid_argument",
      status: 422,
      text: 'Deployment.apps "web" is invalid: spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    });
    expect(await refusal(client.create(pods, aPod("Bad_Name")))).toMatchObject({ status: 422 });
    expect(
      await refusal(client.create(pods, aPod("p", { spec: { priorityClassName: "no" } }))),
    ).toMatchObject({ status: 403 });
  });

  test("a value of the wrong type is refused, an unknown field dropped with a warning or refused", async () => {
    await using lab = startTestServer();
    const path = "/apis/apps/v1/namespaces/default/deployments";
    const wrong = await lab.call("POST", path, deployment({ replicas: "three" }));
    expect(wrong).toMatchObject({
      status: 400,
      body: {
        message:
          'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
      },
    });
    const strict = await lab.call("POST", `${path}?fieldValidation=Strict`, deployment({ replicaz: 3 }));
    expect(strict.body.message).toContain('strict decoding error: unknown field "spec.replicaz"');
    const warned = await lab.call("POST", path, deployment({ replicaz: 3 }));
    expect(warned.status).toBe(201);
    expect(warned.body.spec.replicaz).toBeUndefined();
    expect(warned.headers.get("warning")).toBe('299 - "unknown field \\"spec.replicaz\\""');
    expect((await lab.call("POST", path, "{no json")).status).toBe(400);
    expect((await lab.call("POST", path, { ...deployment(), kind: "Pod" })).status).toBe(400);
    expect((await lab.call("POST", path, "x", { "content-type": "text/plain" })).status).toBe(415);
  });

  test("a dry run does everything but keep", async () => {
    await using lab = startTestServer();
    const before = (await lab.call("GET", "/api/v1/pods")).body.metadata.resourceVersion;
    const made = await lab.call("POST", "/api/v1/namespaces/default/pods?dryRun=All", aPod("p"));
    expect(made.body.status.phase).toBe("Pending");
    expect((await lab.call("GET", "/api/v1/namespaces/default/pods/p")).status).toBe(404);
    expect((await lab.call("GET", "/api/v1/pods")).body.metadata.resourceVersion).toBe(before);
  });

  test("services get addresses and ports of their own, secrets their text encoded", async () => {
    await using lab = startTestServer({ serviceCidr: "10.0.0.0/28" });
    const { client } = lab.server;
    const addresses = new Set<string | undefined>();
    for (let index = 0; index < 13; index++) {
      const made = await client.create(services, {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: `s${index}`, namespace: "default" },
        spec: { type: "NodePort", ports: [{ port: 80 }] },
      });
      addresses.add(made.spec.clusterIP);
      expect(made.spec.ports?.[0]?.nodePort).toBeGreaterThanOrEqual(30_000);
    }
    expect(addresses.size).toBe(13);
    expect(addresses).not.toContain("10.0.0.1");
    const secret = await client.create(secrets, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "s", namespace: "default" },
      stringData: { a: "b" },
    });
    expect(secret).toMatchObject({ type: "Opaque", data: { a: "Yg==" } });
    expect(secret.stringData).toBeUndefined();
  });
});

describe("update", () => {
  test("a stale write is a conflict; one that changes nothing is none", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    const made = await client.create(deployments, deployment());
    const scaled = await client.update(deployments, { ...made, spec: { ...made.spec, replicas: 3 } });
    expect(scaled.metadata.generation).toBe(2);
    expect(await refusal(client.update(deployments, made))).toEqual({
      code: "conflict",
      status: 409,
      text: 'Operation cannot be fulfilled on deployments.apps "web": the object has been modified; please apply your changes to the latest version and try again',
    });
    expect(await client.update(deployments, scaled)).toEqual(scaled);
    const labelled = await client.patch(
      deployments,
      "web",
      { metadata: { labels: { a: "b" } } },
      { namespace: "default" },
    );
    expect(labelled.metadata.generation).toBe(2);
  });

  test("spec and status are written through their own doors", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    const made = await client.create(deployments, deployment());
    const both = { ...made, spec: { ...made.spec, replicas: 5 }, status: { replicas: 4 } };
    const status = await client.updateStatus(deployments, both);
    expect([status.spec.replicas, status.status?.replicas, status.metadata.generation]).toEqual([1, 4, 1]);
    const spec = await client.update(deployments, {
      ...status,
      spec: { ...status.spec, replicas: 2 },
      status: {},
    });
    expect([spec.spec.replicas, spec.status?.replicas]).toEqual([2, 4]);
    const patched = await client.patch(
      deployments,
      "web",
      { status: { readyReplicas: 1 }, spec: { replicas: 9 } },
      { namespace: "default", subresource: "status" },
    );
    expect([patched.spec.replicas, patched.status?.readyReplicas]).toEqual([2, 1]);
  });

  test("what is immutable stays", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    const made = await client.create(deployments, deployment());
    const selector = { matchLabels: { app: "web", more: "x" } };
    const labels = { labels: selector.matchLabels };
    expect(
      (
        await refusal(
          client.update(deployments, {
            ...made,
            spec: { ...made.spec, selector, template: { ...template, metadata: labels } },
          }),
        )
      ).text,
    ).toContain("field is immutable");
    const pod = await client.create(pods, aPod("p"));
    expect(
      (await refusal(client.update(pods, { ...pod, spec: { ...pod.spec, hostNetwork: true } }))).text,
    ).toContain("pod updates may not change fields other than");
    const image = await client.patch(
      pods,
      "p",
      { spec: { containers: [{ name: "c", image: "echo:2" }] } },
      { namespace: "default", kind: "strategic" },
    );
    expect(image.spec.containers[0]?.image).toBe("echo:2");
    const renamed = await client.patch(
      pods,
      "p",
      { metadata: { uid: null, creationTimestamp: null } },
      { namespace: "default" },
    );
    expect(renamed.metadata.uid).toBe(pod.metadata.uid);
    expect(
      await refusal(client.patch(pods, "p", { metadata: { uid: "other" } }, { namespace: "default" })),
    ).toMatchObject({ status: 409 });
    const map = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "m", namespace: "default" },
      data: { a: "1" },
      immutable: true,
    };
    await client.create(configMaps, map);
    expect(
      (await refusal(client.patch(configMaps, "m", { data: { a: "2" } }, { namespace: "default" }))).status,
    ).toBe(422);
  });

  test("every kind of patch", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    await client.create(deployments, deployment());
    const at = { namespace: "default" };
    await client.patch(deployments, "web", [{ op: "replace", path: "/spec/replicas", value: 4 }], {
      ...at,
      kind: "json",
    });
    await client.patch(
      deployments,
      "web",
      { spec: { template: { spec: { containers: [{ name: "c", env: [{ name: "A", value: "1" }] }] } } } },
      { ...at, kind: "strategic" },
    );
    const made = await client.patch(deployments, "web", { spec: { paused: true } }, { ...at, kind: "merge" });
    expect(made.spec).toMatchObject({ replicas: 4, paused: true });
    expect(made.spec.template.spec.containers[0]).toMatchObject({
      image: "echo",
      env: [{ name: "A", value: "1" }],
    });
    expect(
      (
        await refusal(
          client.patch(deployments, "web", [{ op: "test", path: "/spec/replicas", value: 1 }], {
            ...at,
            kind: "json",
          }),
        )
      ).status,
    ).toBe(400);

    const yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {a: b}\n";
    const path = "/api/v1/namespaces/default/configmaps/m?fieldManager=me";
    const apply = { "content-type": "application/apply-patch+yaml" };
    expect((await lab.call("PATCH", path, yaml, apply)).status).toBe(201);
    const again = await lab.call("PATCH", path, yaml.replace("a: b", "c: d"), apply);
    expect(again.status).toBe(200);
    // What the manager names no more goes.
    expect(again.body).toHaveProperty("data", { c: "d" });
  });

  test("an object that was given out is the caller's own", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    const node: Node = { apiVersion: "v1", kind: "Node", metadata: { name: "n" }, spec: {} };
    const made = await client.create(nodes, node);
    made.metadata.labels = { spoiled: "yes" };
    node.spec = { unschedulable: true };
    const found = await client.get(nodes, "n");
    expect(found.metadata.labels).toBeUndefined();
    expect(found.spec).toEqual({});
  });
});
