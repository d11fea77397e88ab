import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../base/random.ts";
import type { Pod, ReplicaSet } from "../../kube/resources.ts";
import type { Plan, Write } from "./plan.ts";
import { planReplicaSet } from "./replica-set.ts";

const now = Date.parse("2026-01-01T00:01:00Z");
const context = { now, random: seededRandom(1) };

const set = (replicas: number, more: Partial<ReplicaSet["spec"]> = {}): ReplicaSet => ({
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  metadata: { name: "web", namespace: "default", uid: "rs-1", generation: 3 },
  spec: {
    replicas,
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "i" }] } },
    ...more,
  },
});

interface PodShape {
  readonly node?: string;
  readonly phase?: "Pending" | "Running" | "Failed";
  readonly readySince?: string;
  readonly leaving?: boolean;
  readonly owner?: string | null;
  readonly labels?: Record<string, string>;
  readonly created?: string;
}

const pod = (name: string, shape: PodShape = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name,
    namespace: "default",
    uid: `uid-${name}`,
    resourceVersion: "7",
    labels: shape.labels ?? { app: "web" },
    creationTimestamp: shape.created ?? "2026-01-01T00:00:00Z",
    ...(shape.leaving === true && { deletionTimestamp: "2026-01-01T00:00:30Z" }),
    ...(shape.owner !== null && {
      ownerReferences: [
        {
          apiVersion: "apps/v1",
          kind: "ReplicaSet",
          name: "web",
          uid: shape.owner ?? "rs-1",
          controller: true,
        },
      ],
    }),
  },
  spec: { containers: [{ name: "c" }], ...(shape.node !== undefined && { nodeName: shape.node }) },
  status: {
    phase: shape.phase ?? "Running",
    conditions:
      shape.readySince === undefined
        ? []
        : [{ type: "Ready", status: "True", lastTransitionTime: shape.readySince }],
  },
});

const names = (plan: Plan, kind: Write["kind"]): string[] =>
  plan.writes.flatMap((write) => {
    if (write.kind !== kind || write.kind === "event") return [];
    if (write.kind === "create") return [write.object.metadata.name];
    return write.resource.plural === "pods" ? [write.name] : [];
  });

const status = (plan: Plan): Record<string, unknown> | undefined => {
  const write = plan.writes.find((each) => each.kind === "patch" && each.subresource === "status");
  return write?.kind === "patch" ? (write.patch as { status: Record<string, unknown> }).status : undefined;
};

describe("a ReplicaSet", () => {
  test("creates what is missing, owned and labelled, and says so", () => {
    const plan = planReplicaSet(set(3), [pod("a", { node: "n1" })], context);
    expect(names(plan, "create")).toHaveLength(2);
    const created = plan.writes.find((write) => write.kind === "create");
    expect(created?.kind === "create" && created.object.metadata).toMatchObject({
      generateName: "web-",
      labels: { app: "web" },
      ownerReferences: [{ kind: "ReplicaSet", uid: "rs-1", controller: true }],
    });
    expect(plan.writes.filter((write) => write.kind === "event").map(({ reason }) => reason)).toEqual([
      "SuccessfulCreate",
      "SuccessfulCreate",
    ]);
    expect(status(plan)).toMatchObject({ replicas: 1, observedGeneration: 3, fullyLabeledReplicas: 1 });
  });

  test("counts neither finished nor leaving pods, and does not touch them", () => {
    const plan = planReplicaSet(
      set(1),
      [pod("a", { phase: "Failed" }), pod("b", { leaving: true })],
      context,
    );
    expect(names(plan, "create")).toHaveLength(1);
    expect(names(plan, "delete")).toEqual([]);
  });

  test("deletes the pods that are missed least", () => {
    const ready = "2026-01-01T00:00:10Z";
    const pods = [
      pod("old", { node: "n1", readySince: ready }),
      pod("crowded", { node: "n2", readySince: ready }),
      pod("young", { node: "n2", readySince: "2026-01-01T00:00:40Z" }),
      pod("unready", { node: "n3" }),
      pod("pending", { node: "n3", phase: "Pending" }),
      pod("unbound", { phase: "Pending" }),
    ];
    const deletedAt = (replicas: number): string[] =>
      names(planReplicaSet(set(replicas), pods, context), "delete");
    expect(deletedAt(5)).toEqual(["unbound"]);
    expect(deletedAt(3)).toEqual(["unbound", "pending", "unready"]);
    expect(deletedAt(1)).toEqual(["unbound", "pending", "unready", "young", "crowded"]);
  });

  test("adopts matching orphans, lets go of pods that no longer match, leaves others' pods alone", () => {
    const pods = [
      pod("orphan", { owner: null }),
      pod("stray", { labels: { app: "other" } }),
      pod("foreign", { owner: "rs-2" }),
    ];
    const plan = planReplicaSet(set(0), pods, context);
    expect(names(plan, "patch")).toEqual(["orphan", "stray"]);
    expect(names(plan, "delete")).toEqual([]);
  });

  test("a pod is available when it has been ready for long enough", () => {
    const pods = [
      pod("a", { readySince: "2026-01-01T00:00:55Z" }),
      pod("b", { readySince: "2026-01-01T00:00:20Z" }),
    ];
    const plan = planReplicaSet(set(2, { minReadySeconds: 30 }), pods, context);
    expect(status(plan)).toMatchObject({ readyReplicas: 2, availableReplicas: 1 });
    expect(plan.wakeAt).toBe(Date.parse("2026-01-01T00:01:25Z"));
  });

  test("does nothing when all is well", () => {
    const first = planReplicaSet(set(1), [pod("a", { readySince: "2026-01-01T00:00:00Z" })], context);
    const settled = { ...set(1), status: status(first) as ReplicaSet["status"] & object };
    expect(
      planReplicaSet(settled, [pod("a", { readySince: "2026-01-01T00:00:00Z" })], context).writes,
    ).toEqual([]);
  });

  test("is left alone while it is being deleted", () => {
    const leaving = set(3);
    leaving.metadata.deletionTimestamp = "2026-01-01T00:00:30Z";
    expect(names(planReplicaSet(leaving, [], context), "create")).toEqual([]);
  });
});
