import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../base/random.ts";
import type { ControllerRevision, DaemonSet, Node, Pod, Taint } from "../../kube/resources.ts";
import { planDaemonSet, targetNode } from "./daemon-set.ts";
import type { Plan } from "./plan.ts";

const context = { now: Date.parse("2026-01-01T00:01:00Z"), random: seededRandom(1) };

const set = (image = "one", spec: Partial<DaemonSet["spec"]> = {}): DaemonSet => ({
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: { name: "agent", namespace: "kube-system", uid: "ds-1", generation: 1 },
  spec: {
    selector: { matchLabels: { app: "agent" } },
    template: { metadata: { labels: { app: "agent" } }, spec: { containers: [{ name: "c", image }] } },
    updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } },
    ...spec,
  },
});

const node = (name: string, taints: Taint[] = [], labels: Record<string, string> = {}): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: { "kubernetes.io/os": "linux", ...labels } },
  spec: { taints },
});

/** Carries plans out; every pod becomes Ready unless its image is "bad". */
class Stage {
  pods: Pod[] = [];
  revisions: ControllerRevision[] = [];
  nodes: Node[];
  current: DaemonSet;
  serial = 0;

  constructor(current: DaemonSet, nodes: Node[]) {
    this.current = current;
    this.nodes = nodes;
  }

  step(): Plan {
    const { nodes, pods: candidates, revisions } = this;
    const plan = planDaemonSet(this.current, { nodes, candidates, revisions }, context);
    for (const write of plan.writes) {
      if (write.kind === "create" && write.resource.plural === "pods") this.#add(write.object as Pod);
      else if (write.kind === "create") this.revisions.push(write.object as ControllerRevision);
      else if (write.kind === "delete")
        this.pods = this.pods.filter(({ metadata }) => metadata.name !== write.name);
      else if (write.kind === "patch" && write.subresource === "status") {
        const { status } = write.patch as { status: DaemonSet["status"] & object };
        this.current = { ...this.current, status };
      }
    }
    return plan;
  }

  #add(pod: Pod): void {
    const ready = pod.spec.containers[0]?.image !== "bad";
    this.pods.push({
      ...pod,
      metadata: {
        ...pod.metadata,
        uid: `p-${++this.serial}`,
        creationTimestamp: `2026-01-01T00:00:${10 + this.serial}Z`,
      },
      spec: { ...pod.spec, nodeName: targetNode(pod) ?? "" },
      status: { phase: "Running", conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
    });
  }

  places(): string[] {
    return this.pods.map((pod) => `${pod.spec.nodeName}:${pod.spec.containers[0]?.image}`).sort();
  }
}

describe("a DaemonSet", () => {
  test("has one pod on every node that fits, pinned to it", () => {
    const stage = new Stage(set(), [node("n1"), node("n2")]);
    stage.step();
    expect(stage.places()).toEqual(["n1:one", "n2:one"]);
    const [pod] = stage.pods;
    expect(pod?.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution).toEqual({
      nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: ["n1"] }] }],
    });
    expect(pod?.spec.tolerations?.map(({ key }) => key)).toContain("node.kubernetes.io/unreachable");
    stage.step();
    expect(stage.current.status).toMatchObject({
      desiredNumberScheduled: 2,
      numberReady: 2,
      updatedNumberScheduled: 2,
    });
    expect(stage.step().writes).toEqual([]);
  });

  test("follows nodes that come and go, and their labels and taints", () => {
    const stage = new Stage(set("one", {}), [node("n1")]);
    stage.current.spec.template.spec.nodeSelector = { "kubernetes.io/os": "linux" };
    stage.step();
    stage.nodes = [
      node("n1", [{ key: "k", effect: "NoExecute" }]),
      node("n2", [{ key: "k", effect: "NoSchedule" }]),
      node("n3", [], { "kubernetes.io/os": "windows" }),
      node("n4"),
    ];
    stage.step();
    expect(stage.places()).toEqual(["n4:one"]);
  });

  test("a pod stays where it only could not be started anew", () => {
    const stage = new Stage(set(), [node("n1")]);
    stage.step();
    stage.nodes = [node("n1", [{ key: "k", effect: "NoSchedule" }])];
    stage.step();
    stage.step();
    expect(stage.places()).toEqual(["n1:one"]);
    expect(stage.current.status).toMatchObject({ numberMisscheduled: 1, desiredNumberScheduled: 0 });
  });

  test("pods of the host network also run on nodes that are not ready", () => {
    const notReady: Taint = { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" };
    const stage = new Stage(set(), [node("n1", [notReady])]);
    stage.step();
    expect(stage.places()).toEqual([]);
    stage.current.spec.template.spec.hostNetwork = true;
    stage.step();
    expect(stage.places()).toEqual(["n1:one"]);
  });

  test.each([
    [1, 1],
    ["10%", 1],
    ["50%", 2],
    [3, 3],
  ])("an update with maxUnavailable %p takes %d pods at a time", (maxUnavailable, atOnce) => {
    const stage = new Stage(
      set(),
      ["n1", "n2", "n3", "n4"].map((name) => node(name)),
    );
    stage.step();
    stage.current = {
      ...stage.current,
      ...set("two", { updateStrategy: { rollingUpdate: { maxUnavailable } } }),
    };
    stage.step();
    expect(stage.pods).toHaveLength(4 - atOnce);
    for (let step = 0; step < 10; step++) stage.step();
    expect(stage.places()).toEqual(["n1:two", "n2:two", "n3:two", "n4:two"]);
    expect(stage.revisions.map(({ revision }) => revision)).toEqual([1, 2]);
  });

  test("an update stops at the first pod that does not come up", () => {
    const stage = new Stage(
      set(),
      ["n1", "n2", "n3"].map((name) => node(name)),
    );
    stage.step();
    stage.current = { ...stage.current, ...set("bad") };
    for (let step = 0; step < 10; step++) stage.step();
    expect(stage.places()).toEqual(["n1:bad", "n2:one", "n3:one"]);
  });

  test("of two pods on a node the older one stays, and a failed one is replaced", () => {
    const stage = new Stage(set(), [node("n1")]);
    stage.step();
    const [first] = stage.pods;
    if (first === undefined) throw new Error("no pod");
    const second = {
      ...first,
      metadata: { ...first.metadata, name: "second", uid: "x", creationTimestamp: "2026-01-01T00:00:59Z" },
    };
    stage.pods.push(second);
    stage.step();
    expect(stage.pods.map(({ metadata }) => metadata.name)).toEqual([first.metadata.name]);
    stage.pods = [{ ...first, status: { phase: "Failed" } }];
    stage.step();
    stage.step();
    expect(stage.pods.map(({ status }) => status?.phase)).toEqual(["Running"]);
  });
});
