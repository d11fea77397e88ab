import { describe, expect, test } from "bun:test";
import type { Condition, Node, Pod, Taint, Toleration } from "../../kube/resources.ts";
import { evictionAt, planCloudNode, planNode } from "./node-lifecycle.ts";
import type { Plan } from "./plan.ts";
import { orphanGraceMs, planPodCollection } from "./pod-collection.ts";

const now = Date.parse("2026-01-01T00:10:00Z");
const graceMs = 40_000;

const node = (ready: Condition["status"], taints: Taint[] = [], unschedulable = false): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "n1", resourceVersion: "5" },
  spec: { taints, ...(unschedulable && { unschedulable }) },
  status: { conditions: [{ type: "Ready", status: ready, lastTransitionTime: "2026-01-01T00:00:00Z" }] },
});

const pod = (name: string, tolerations: Toleration[]): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", uid: name },
  spec: { containers: [], tolerations, nodeName: "n1" },
  status: { conditions: [{ type: "Ready", status: "True" }] },
});

const taintsOf = (plan: Plan): string[] => {
  const write = plan.writes.find((each) => each.kind === "patch" && each.subresource === undefined);
  const spec =
    write?.kind === "patch" ? (write.patch as { spec?: { taints?: Taint[] | null } }).spec : undefined;
  return (spec?.taints ?? []).map(({ key, effect }) => `${key.split("/").at(-1)}:${effect}`);
};

describe("the life of a node", () => {
  test.each<[Condition["status"], string[]]>([
    ["False", ["not-ready:NoSchedule", "not-ready:NoExecute"]],
    ["Unknown", ["unreachable:NoSchedule", "unreachable:NoExecute"]],
  ])("Ready=%s gives %j", (ready, taints) => {
    expect(taintsOf(planNode({ node: node(ready), pods: [], heardAt: now, graceMs }, now))).toEqual(taints);
  });

  test("a node that became ready loses our taints and keeps its own", () => {
    const before = node("True", [
      { key: "dedicated", value: "db", effect: "NoSchedule" },
      { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" },
    ]);
    expect(taintsOf(planNode({ node: before, pods: [], heardAt: now, graceMs }, now))).toEqual([
      "dedicated:NoSchedule",
    ]);
  });

  test("a cordoned node is tainted, and the taint goes with the cordon", () => {
    const plan = planNode({ node: node("True", [], true), pods: [], heardAt: now, graceMs }, now);
    expect(taintsOf(plan)).toEqual(["unschedulable:NoSchedule"]);
  });

  test("silence beyond the grace makes every condition Unknown and the pods not ready", () => {
    const view = { node: node("True"), pods: [pod("a", [])], heardAt: now - graceMs, graceMs };
    const plan = planNode(view, now);
    const text = JSON.stringify(plan.writes);
    expect(text).toContain("Kubelet stopped posting node status.");
    expect(text).toContain("NodeNotReady");
    expect(taintsOf(plan)).toEqual(["unreachable:NoSchedule", "unreachable:NoExecute"]);
  });

  test("before that it only waits for the moment", () => {
    const plan = planNode({ node: node("True"), pods: [], heardAt: now - 1000, graceMs }, now);
    expect(plan).toEqual({ writes: [], wakeAt: now - 1000 + graceMs });
  });

  test("pods leave when their toleration ends", () => {
    const taint: Taint = {
      key: "node.kubernetes.io/unreachable",
      effect: "NoExecute",
      timeAdded: "2026-01-01T00:08:00Z",
    };
    const other: Taint = { key: "node.kubernetes.io/unreachable", effect: "NoSchedule" };
    const toleration = (seconds?: number): Toleration => ({
      key: taint.key,
      operator: "Exists",
      effect: "NoExecute",
      ...(seconds !== undefined && { tolerationSeconds: seconds }),
    });
    const pods = [
      pod("none", []),
      pod("short", [toleration(60)]),
      pod("long", [toleration(300)]),
      pod("ever", [toleration()]),
    ];
    const plan = planNode({ node: node("Unknown", [other, taint]), pods, heardAt: now, graceMs: 1e9 }, now);
    const deleted = plan.writes.flatMap((write) => (write.kind === "delete" ? [write.name] : []));
    expect(deleted).toEqual(["none", "short"]);
    expect(plan.wakeAt).toBe(Date.parse("2026-01-01T00:13:00Z"));
    expect(evictionAt(pod("ever", [toleration()]), [taint])).toBeUndefined();
    expect(evictionAt(pod("all", [{ operator: "Exists" }]), [taint])).toBeUndefined();
  });
});

describe("the cloud's view of a node", () => {
  test.each<[Condition["status"], boolean, number, number | undefined]>([
    ["True", false, 0, undefined],
    ["Unknown", true, 0, now + 5000],
    ["Unknown", false, 1, undefined],
    ["False", false, 1, undefined],
  ])("Ready=%s, instance there: %p", (ready, exists, deletions, wakeAt) => {
    const plan = planCloudNode(node(ready), exists, now);
    expect(plan.writes.filter(({ kind }) => kind === "delete")).toHaveLength(deletions);
    expect(plan.wakeAt).toBe(wakeAt);
  });
});

describe("pods that nobody ends", () => {
  const leaving = pod("p", []);
  leaving.metadata.deletionTimestamp = "2026-01-01T00:00:00Z";

  test("a pod that was deleted before it had a node goes at once", () => {
    const unbound = { ...leaving, spec: { containers: [] } };
    expect(planPodCollection(unbound, undefined, now).writes).toMatchObject([
      { kind: "delete", gracePeriodSeconds: 0 },
    ]);
    expect(planPodCollection({ ...pod("q", []), spec: { containers: [] } }, undefined, now).writes).toEqual(
      [],
    );
  });

  test("a pod of a node that is gone goes after a while", () => {
    expect(planPodCollection(pod("p", []), now, now)).toEqual({ writes: [], wakeAt: now + orphanGraceMs });
    expect(planPodCollection(pod("p", []), now - orphanGraceMs, now).writes).toHaveLength(1);
    expect(planPodCollection(pod("p", []), undefined, now).writes).toEqual([]);
  });
});
