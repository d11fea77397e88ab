import { describe, expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { nodes, pods } from "../../kube/resources.ts";
import { aPod, ask, startTestServer, type TestServer } from "./test-server.ts";

async function statusFor(
  lab: TestServer,
  token: string | undefined,
  method: string,
  path: string,
  body?: unknown,
): Promise<number> {
  const patch = method === "PATCH" ? { "content-type": "application/merge-patch+json" } : {};
  return (await ask(lab.server, token, method, path, body, patch)).status;
}

describe("who may do what", () => {
  test("nobody may do nothing", async () => {
    await using lab = startTestServer();
    expect(await statusFor(lab, undefined, "GET", "/api/v1/pods")).toBe(401);
    expect(await statusFor(lab, undefined, "GET", "/version")).toBe(401);
    const token = lab.server.tokenFor({ admin: true });
    expect(await statusFor(lab, `${token}x`, "GET", "/api/v1/pods")).toBe(401);
    expect(await statusFor(lab, "a.b.c", "GET", "/api/v1/pods")).toBe(401);
    await using other = startTestServer();
    expect(await statusFor(other, token, "GET", "/api/v1/pods")).toBe(401);
  });

  test("a token of somebody else is whose the host says", async () => {
    await using lab = startTestServer({
      authenticate: (token) => (token === "aws-token" ? { admin: true } : undefined),
    });
    expect(await statusFor(lab, "aws-token", "GET", "/api/v1/pods")).toBe(200);
    expect(await statusFor(lab, "other-token", "GET", "/api/v1/pods")).toBe(401);
  });

  test("a node reads everything and writes what is its own", async () => {
    await using lab = startTestServer();
    const { client } = lab.server;
    for (const name of ["n1", "n2"])
      await client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name } });
    for (const [name, nodeName] of [
      ["p1", "n1"],
      ["p2", "n2"],
    ] as const) {
      await client.create(pods, aPod(name, { spec: { containers: [{ name: "c", image: "i" }], nodeName } }));
    }
    const token = lab.server.tokenFor({ node: "n1" });
    const status = (method: string, path: string, body?: unknown) =>
      statusFor(lab, token, method, path, body);
    expect(await status("GET", "/api/v1/pods")).toBe(200);
    const ready = { status: { conditions: [{ type: "Ready", status: "True" }] } };
    expect(await status("PATCH", "/api/v1/nodes/n1/status", ready)).toBe(200);
    expect(await status("PATCH", "/api/v1/nodes/n2/status", ready)).toBe(403);
    expect(
      await status("PATCH", "/api/v1/namespaces/default/pods/p1/status", { status: { phase: "Running" } }),
    ).toBe(200);
    expect(
      await status("PATCH", "/api/v1/namespaces/default/pods/p2/status", { status: { phase: "Running" } }),
    ).toBe(403);
    expect(await status("DELETE", "/api/v1/namespaces/default/pods/p2")).toBe(403);
    expect(await status("DELETE", "/api/v1/namespaces/default/pods/p1?gracePeriodSeconds=0")).toBe(200);
    expect(await status("POST", "/api/v1/namespaces/default/configmaps", { metadata: { name: "m" } })).toBe(
      403,
    );
    const lease = { metadata: { name: "n1" }, spec: { holderIdentity: "n1" } };
    expect(
      await status("POST", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", lease),
    ).toBe(201);
    const event = {
      metadata: { name: "e" },
      involvedObject: { kind: "Pod", name: "p1", namespace: "default" },
    };
    expect(await status("POST", "/api/v1/namespaces/default/events", event)).toBe(201);
  });

  test("a service account has what the cluster's roles give it", async () => {
    await using lab = startTestServer();
    const rbac = "/apis/rbac.authorization.k8s.io/v1";
    const token = lab.server.tokenFor({ serviceAccount: "aws-node", namespace: "kube-system" });
    const status = (method: string, path: string, body?: unknown) =>
      statusFor(lab, token, method, path, body);
    expect(await status("GET", "/version")).toBe(200);
    const refused = await ask(lab.server, token, "GET", "/api/v1/namespaces/default/pods");
    expect(refused).toMatchObject({
      status: 403,
      body: {
        message:
          'pods is forbidden: User "system:serviceaccount:kube-system:aws-node" cannot list resource "pods" in API group "" in the namespace "default"',
      },
    });
    await lab.call("POST", `${rbac}/clusterroles`, {
      metadata: { name: "aws-node" },
      rules: [
        { apiGroups: [""], resources: ["pods"], verbs: ["list", "get"] },
        { apiGroups: [""], resources: ["nodes"], resourceNames: ["n1"], verbs: ["get"] },
        { nonResourceURLs: ["/metrics/*"], verbs: ["get"] },
      ],
    });
    await lab.call("POST", `${rbac}/clusterrolebindings`, {
      metadata: { name: "aws-node" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "aws-node" },
      subjects: [{ kind: "ServiceAccount", name: "aws-node", namespace: "kube-system" }],
    });
    expect(await status("GET", "/api/v1/pods")).toBe(200);
    expect(await status("GET", "/api/v1/pods?watch=true&timeoutSeconds=0")).toBe(403);
    expect(await status("GET", "/api/v1/nodes/n1")).toBe(404);
    expect(await status("GET", "/api/v1/nodes/n2")).toBe(403);
    expect(await status("DELETE", "/api/v1/namespaces/default/pods/p")).toBe(403);
    expect(await status("GET", "/metrics/x")).toBe(404);
    expect(await status("GET", "/logs")).toBe(403);

    await lab.call("POST", `${rbac}/namespaces/default/roles`, {
      metadata: { name: "writer" },
      rules: [{ apiGroups: ["*"], resources: ["configmaps"], verbs: ["*"] }],
    });
    await lab.call("POST", `${rbac}/namespaces/default/rolebindings`, {
      metadata: { name: "writers" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "writer" },
      subjects: [{ kind: "Group", name: "system:serviceaccounts:kube-system" }],
    });
    expect(await status("POST", "/api/v1/namespaces/default/configmaps", { metadata: { name: "m" } })).toBe(
      201,
    );
    expect(
      await status("POST", "/api/v1/namespaces/kube-public/configmaps", { metadata: { name: "m" } }),
    ).toBe(403);

    const review = {
      spec: { resourceAttributes: { verb: "create", resource: "configmaps", namespace: "default" } },
    };
    const may = await ask(
      lab.server,
      token,
      "POST",
      "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
      review,
    );
    expect(may.body.status).toEqual({ allowed: true });
  });

  test("a requested token is good for its time", async () => {
    await using lab = startTestServer();
    const path = "/api/v1/namespaces/default/serviceaccounts/default/token";
    const made = await lab.call("POST", path, { spec: { expirationSeconds: 600 } });
    const { token, expirationTimestamp } = made.body.status;
    expect(expirationTimestamp).toBe("2024-05-01T10:10:00Z");
    const whoami = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    const who = await ask(lab.server, String(token), "POST", whoami, {});
    expect(who.body.status).toMatchObject({
      userInfo: { username: "system:serviceaccount:default:default" },
    });
    await lab.clock.advance(600_000);
    expect(await statusFor(lab, String(token), "GET", "/version")).toBe(401);
  });

  test("the keys are for their owner only", async () => {
    await using lab = startTestServer();
    for (const name of ["ca.key", "token.key"]) {
      expect(existsSync(join(lab.folder, name))).toBe(true);
      expect(statSync(join(lab.folder, name)).mode & 0o077).toBe(0);
    }
  });
});
