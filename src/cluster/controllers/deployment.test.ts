import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../base/random.ts";
import type { Deployment, ReplicaSet } from "../../kube/resources.ts";
import { hashLabel, planDeployment, revisionAnnotation } from "./deployment.ts";
import type { Plan } from "./plan.ts";

const context = { now: Date.parse("2026-01-01T00:01:00Z"), random: seededRandom(1) };
const noPods = (_set: ReplicaSet): number => 0;

const deployment = (replicas: number, image = "one", spec: Partial<Deployment["spec"]> = {}): Deployment => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "default", uid: "d-1", generation: 1 },
  spec: {
    replicas,
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image }] } },
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
    ...spec,
  },
});

/** Plays API server and ReplicaSet controller: carries the writes out; `settle` makes every pod available. */
class Stage {
  readonly sets = new Map<string, ReplicaSet>();
  readonly said: string[] = [];
  current: Deployment;

  constructor(start: Deployment) {
    this.current = start;
  }

  step(podsLeft = noPods): Plan {
    const plan = planDeployment(this.current, [...this.sets.values()], podsLeft, context);
    for (const write of plan.writes) {
      if (write.kind === "event") this.said.push(write.message.replace(/web-\S+/, "SET"));
      else if (write.kind === "create") this.sets.set(write.object.metadata.name, write.object as ReplicaSet);
      else if (write.kind === "delete") this.sets.delete(write.name);
      else if (write.resource.plural === "deployments") this.current = merged(this.current, write.patch);
      else {
        const set = this.sets.get(write.name);
        if (set !== undefined) this.sets.set(write.name, merged(set, write.patch));
      }
    }
    return plan;
  }

  /** Pods of every set come and go as wanted; `broken` sets never have an available pod. */
  settle(broken: (set: ReplicaSet) => boolean = () => false): void {
    for (const [name, set] of this.sets) {
      const replicas = set.spec.replicas ?? 0;
      const available = broken(set) ? 0 : replicas;
      this.sets.set(name, {
        ...set,
        status: { replicas, readyReplicas: available, availableReplicas: available },
      });
    }
  }

  sizes(): string[] {
    return [...this.sets.values()].map(
      (set) => `${set.spec.template?.spec.containers[0]?.image}:${set.spec.replicas}`,
    );
  }
}

function merged<T>(target: T, patch: unknown): T {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch as T;
  const result: Record<string, unknown> = { ...(target as Record<string, unknown>) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (value !== undefined) result[key] = merged(result[key], value);
  }
  return result as T;
}

const condition = (stage: Stage, type: string): string => {
  const found = stage.current.status?.conditions?.find((each) => each.type === type);
  return `${found?.status} ${found?.reason}`;
};

describe("a Deployment", () => {
  test("makes a ReplicaSet with the template's hash, which template and selector carry too", () => {
    const stage = new Stage(deployment(3));
    stage.step();
    const [set] = stage.sets.values();
    const hash = set?.metadata.labels?.[hashLabel];
    expect(hash).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]+$/);
    expect(set?.metadata.name).toBe(`web-${hash}`);
    expect(set?.spec.selector.matchLabels).toEqual({ app: "web", [hashLabel]: hash ?? "" });
    expect(set?.spec.template?.metadata?.labels).toEqual({ app: "web", [hashLabel]: hash ?? "" });
    expect(stage.sizes()).toEqual(["one:3"]);
    expect(stage.current.metadata.annotations?.[revisionAnnotation]).toBe("1");
    expect(stage.said).toEqual(["Scaled up replica set SET from 0 to 3"]);
    expect(condition(stage, "Progressing")).toBe("True NewReplicaSetCreated");
  });

  test("rolls over in steps that keep enough pods available", () => {
    const stage = new Stage(deployment(4));
    stage.step();
    stage.settle();
    stage.step();
    expect(condition(stage, "Progressing")).toBe("True NewReplicaSetAvailable");
    stage.current = { ...stage.current, spec: deployment(4, "two").spec };
    const story: string[] = [];
    for (let step = 0; step < 20 && stage.sizes().join() !== "one:0,two:4"; step++) {
      stage.step();
      story.push(stage.sizes().join(" "));
      const available = [...stage.sets.values()].reduce(
        (sum, set) => sum + Math.min(set.status?.availableReplicas ?? 0, set.spec.replicas ?? 0),
        0,
      );
      expect(available).toBeGreaterThanOrEqual(3);
      expect(
        [...stage.sets.values()].reduce((sum, set) => sum + (set.spec.replicas ?? 0), 0),
      ).toBeLessThanOrEqual(5);
      stage.settle();
    }
    expect(story[0]).toBe("one:4 two:1");
    expect(stage.sizes()).toEqual(["one:0", "two:4"]);
    stage.settle();
    stage.step();
    stage.step();
    expect(stage.current.metadata.annotations?.[revisionAnnotation]).toBe("2");
    expect(stage.current.status).toMatchObject({
      updatedReplicas: 4,
      availableReplicas: 4,
      unavailableReplicas: 0,
    });
    expect(stage.step().writes).toEqual([]);
  });

  test("stops at the limits when the new pods do not come up, and calls it stuck after the deadline", () => {
    const stage = new Stage(deployment(4));
    stage.step();
    stage.settle();
    stage.step();
    stage.current = { ...stage.current, spec: deployment(4, "bad", { progressDeadlineSeconds: 60 }).spec };
    for (let step = 0; step < 10; step++) {
      stage.step();
      stage.settle((set) => set.spec.template?.spec.containers[0]?.image === "bad");
    }
    expect(stage.sizes()).toEqual(["one:3", "bad:2"]);
    expect(condition(stage, "Available")).toBe("True MinimumReplicasAvailable");
    const plan = stage.step();
    expect(plan.wakeAt).toBe(context.now + 60_000);
    const later = { ...context, now: context.now + 60_000 };
    const stuck = planDeployment(stage.current, [...stage.sets.values()], noPods, later);
    const write = stuck.writes.find((each) => each.kind === "patch" && each.subresource === "status");
    expect(JSON.stringify(write)).toContain("ProgressDeadlineExceeded");
  });

  test("going back to an old template uses its ReplicaSet again, with the newest revision", () => {
    const stage = new Stage(deployment(2));
    const rollTo = (image: string): void => {
      stage.current = { ...stage.current, spec: deployment(2, image).spec };
      for (let step = 0; step < 10; step++) {
        stage.step();
        stage.settle();
      }
    };
    rollTo("one");
    rollTo("two");
    rollTo("one");
    expect(stage.sizes()).toEqual(["one:2", "two:0"]);
    expect(stage.current.metadata.annotations?.[revisionAnnotation]).toBe("3");
  });

  test("a restart annotation is a new template", () => {
    const stage = new Stage(deployment(1));
    stage.step();
    const spec = deployment(1).spec;
    spec.template.metadata = {
      ...spec.template.metadata,
      annotations: { "kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z" },
    };
    stage.current = { ...stage.current, spec };
    stage.settle();
    stage.step();
    expect(stage.sets.size).toBe(2);
  });

  test("Recreate waits for the last old pod", () => {
    const recreate = { strategy: { type: "Recreate" as const } };
    const stage = new Stage(deployment(2, "one", recreate));
    stage.step();
    stage.settle();
    stage.current = { ...stage.current, spec: deployment(2, "two", recreate).spec };
    stage.step(() => 2);
    expect(stage.sizes()).toEqual(["one:0", "two:0"]);
    stage.step((set) => (set.spec.template?.spec.containers[0]?.image === "one" ? 1 : 0));
    expect(stage.sizes()).toEqual(["one:0", "two:0"]);
    stage.step(noPods);
    expect(stage.sizes()).toEqual(["one:0", "two:2"]);
  });

  test("while paused only the size follows", () => {
    const stage = new Stage(deployment(2));
    stage.step();
    stage.settle();
    stage.current = { ...stage.current, spec: deployment(3, "two", { paused: true }).spec };
    stage.step();
    expect(stage.sizes()).toEqual(["one:3"]);
  });

  test("keeps no more empty ReplicaSets than the history limit", () => {
    const stage = new Stage(deployment(1));
    for (const image of ["a", "b", "c", "d"]) {
      stage.current = { ...stage.current, spec: deployment(1, image, { revisionHistoryLimit: 1 }).spec };
      for (let step = 0; step < 6; step++) {
        stage.step();
        stage.settle();
      }
    }
    expect(stage.sizes()).toEqual(["c:0", "d:1"]);
  });
});
