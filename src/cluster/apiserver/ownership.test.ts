import { describe, expect, test } from "bun:test";
import { parse } from "yaml";
import type { ManagedFieldsEntry } from "../../kube/objects.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

const path = "/apis/apps/v1/namespaces/default/deployments/web";
const container = (name: string, image: string): string => `{name: ${name}, image: ${image}}`;
const yaml = (fields: { replicas?: number; containers?: string[]; labels?: string }): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {${fields.labels ?? "app: web"}}}
spec:
  ${fields.replicas === undefined ? "" : `replicas: ${fields.replicas}`}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [${(fields.containers ?? [container("main", "a")]).join(", ")}]}
`;

const apply = (lab: TestServer, manager: string, body: string, force = false) =>
  lab.call("PATCH", `${path}?fieldManager=${manager}&force=${force}`, body, {
    "content-type": "application/apply-patch+yaml",
  });
const scale = (lab: TestServer, manager: string, replicas: number) =>
  lab.call(
    "PATCH",
    `${path}?fieldManager=${manager}`,
    { spec: { replicas } },
    {
      "content-type": "application/merge-patch+json",
    },
  );

interface Seen {
  readonly metadata: {
    readonly labels?: Record<string, string>;
    readonly managedFields?: ManagedFieldsEntry[];
  };
  readonly spec: {
    readonly replicas?: number;
    readonly template: { readonly spec: { readonly containers: { name: string; image: string }[] } };
  };
}
const seen = async (lab: TestServer): Promise<Seen> => (await lab.call("GET", path)).body as unknown as Seen;
const managers = async (lab: TestServer): Promise<string[]> =>
  ((await seen(lab)).metadata.managedFields ?? []).map((entry) => `${entry.manager} ${entry.operation}`);

describe("server-side apply", () => {
  test("does not take a field from another manager, and says which", async () => {
    await using lab = startTestServer();
    expect((await apply(lab, "ci", yaml({ replicas: 3 }))).status).toBe(201);
    const refused = await apply(lab, "ops", yaml({ replicas: 5 }));
    expect(refused.status).toBe(409);
    expect(refused.body.message).toBe(
      'Apply failed with 1 conflict: conflict with "ci" using apps/v1: .spec.replicas',
    );
    expect(refused.body.details.causes).toEqual([
      expect.objectContaining({ reason: "FieldManagerConflict", field: ".spec.replicas" }),
    ]);
    expect((await seen(lab)).spec.replicas).toBe(3);
    expect((await apply(lab, "ops", yaml({ replicas: 5 }), true)).status).toBe(200);
    expect((await seen(lab)).spec.replicas).toBe(5);
    expect((await apply(lab, "ci", yaml({ replicas: 3 }))).status).toBe(409);
    expect((await apply(lab, "ci", yaml({}))).status).toBe(200);
  });

  test("agrees to values that are the same: both own them", async () => {
    await using lab = startTestServer();
    await apply(lab, "ci", yaml({ replicas: 3 }));
    expect((await apply(lab, "ops", yaml({ replicas: 3 }))).status).toBe(200);
    expect(await managers(lab)).toEqual(["ci Apply", "ops Apply"]);
    await apply(lab, "ci", yaml({}));
    expect((await seen(lab)).spec.replicas).toBe(3);
    await apply(lab, "ops", yaml({}));
    expect((await seen(lab)).spec.replicas).toBe(1);
  });

  test("takes away what it applied and names no more: labels, containers", async () => {
    await using lab = startTestServer();
    const both = [container("main", "a"), container("side", "b")];
    await apply(lab, "ci", yaml({ labels: "app: web, old: yes", containers: both }));
    await apply(lab, "ci", yaml({ containers: [container("main", "c")] }));
    const { metadata, spec } = await seen(lab);
    expect(metadata.labels).toEqual({ app: "web" });
    expect(spec.template.spec.containers.map(({ name, image }) => `${name} ${image}`)).toEqual(["main c"]);
  });

  test("knows what was changed by other means since, and what was there before", async () => {
    await using lab = startTestServer();
    await apply(lab, "ci", yaml({ replicas: 3 }));
    expect((await scale(lab, "kubectl-scale", 7)).status).toBe(200);
    expect((await apply(lab, "ci", yaml({ replicas: 3 }))).body.message).toContain(
      'conflict with "kubectl-scale" using apps/v1: .spec.replicas',
    );
    await lab.call("DELETE", path);
    await using other = startTestServer();
    await other.call("POST", path.slice(0, -4), parse(yaml({ replicas: 2 })));
    expect(await managers(other)).toEqual([]);
    expect((await apply(other, "ci", yaml({ replicas: 2 }))).status).toBe(200);
    expect((await apply(other, "ops", yaml({ replicas: 4 }))).body.message).toContain("2 conflicts");
    expect(await managers(other)).toEqual(["before-first-apply Update", "ci Apply"]);
  });

  test("changes nothing when nothing changes, and needs a manager's name", async () => {
    await using lab = startTestServer();
    const first = (await apply(lab, "ci", yaml({ replicas: 3 }))).body.metadata.resourceVersion;
    lab.clock.advance(5000);
    expect((await apply(lab, "ci", yaml({ replicas: 3 }))).body.metadata.resourceVersion).toBe(first);
    const nameless = await lab.call("PATCH", path, yaml({}), {
      "content-type": "application/apply-patch+yaml",
    });
    expect(`${nameless.status} ${nameless.body.message}`).toContain("400 fieldManager: Required value");
  });
});
