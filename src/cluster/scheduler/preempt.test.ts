import { describe, expect, test } from "bun:test";
import type { Node, Pod, PodSpec } from "../../kube/resources.ts";
import type { NodeLoad } from "./choose.ts";
import { preempt } from "./preempt.ts";

const node = (name: string, room: Record<string, string> = {}): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: { "kubernetes.io/hostname": name } },
  status: { allocatable: { cpu: "2", memory: "8Gi", pods: "3", ...room } },
});

const pod = (name: string, priority = 0, spec: Partial<PodSpec> = {}, more: Partial<Pod> = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", uid: name },
  spec: { containers: [{ name: "c" }], priority, ...spec },
  ...more,
});
const started = (name: string, startTime: string, priority = 0): Pod =>
  pod(name, priority, {}, { status: { startTime } });
const cpu = (amount: string): Partial<PodSpec> => ({
  containers: [{ name: "c", resources: { requests: { cpu: amount } } }],
});
const load = (on: Node, ...pods: Pod[]): NodeLoad => ({ node: on, pods });
const answer = (what: Pod, ...loads: NodeLoad[]): string | undefined => {
  const found = preempt(what, loads);
  return found && `${found.node}: ${found.victims.map(({ metadata }) => metadata.name).join(" ")}`;
};

describe("preemption", () => {
  const critical = pod("aws-node", 2_000_001_000);

  test("takes the youngest of the least important pods, and no more than are needed", () => {
    const full = load(
      node("n1"),
      started("old", "2026-01-01T00:00:00Z"),
      started("young", "2026-01-02T00:00:00Z"),
      started("important", "2026-01-03T00:00:00Z", 10),
    );
    expect(answer(critical, full)).toBe("n1: young");
  });

  test("takes as many as free the resources that are asked for", () => {
    const full = load(node("n1"), pod("a", 0, cpu("1")), pod("b", 1, cpu("500m")), pod("c", 2, cpu("500m")));
    expect(answer(pod("big", 100, cpu("1500m")), full)).toBe("n1: b a");
    expect(answer(pod("huge", 100, cpu("3")), full)).toBeUndefined();
  });

  test("prefers the node whose victims matter least, then the one with fewer", () => {
    const one = load(node("n1", { pods: "1" }), pod("matters", 5));
    const two = load(node("n2", { pods: "1" }), pod("matters-not", 1));
    expect(answer(critical, one, two)).toBe("n2: matters-not");
    const pair = load(node("n3", { pods: "5" }), pod("a", 1, cpu("1")), pod("b", 1, cpu("1")));
    const single = load(node("n4", { pods: "5" }), pod("c", 1, cpu("2")));
    expect(answer(pod("big", 9, cpu("2")), pair, single)).toBe("n4: c");
  });

  test("spares pods of the same importance, and everybody for one that preempts nobody", () => {
    const full = load(node("n1", { pods: "1" }), pod("equal", 7));
    expect(answer(pod("new", 7), full)).toBeUndefined();
    expect(answer(pod("polite", 100, { preemptionPolicy: "Never" }), full)).toBeUndefined();
  });

  test("looks only where the pod may go", () => {
    const full = [
      load(node("n1", { pods: "1" }), pod("a")),
      load(node("n2", { pods: "1" }), pod("b")),
    ] as const;
    const pinned = pod("aws-node", 9, { nodeSelector: { "kubernetes.io/hostname": "n2" } });
    expect(answer(pinned, ...full)).toBe("n2: b");
  });

  test("waits for those that go already", () => {
    const going = pod(
      "going",
      0,
      {},
      {
        metadata: { name: "going", uid: "going", deletionTimestamp: "2026-01-01T00:00:00Z" },
      },
    );
    const waiting = pod("aws-node", 9, {}, { status: { nominatedNodeName: "n1" } });
    expect(answer(waiting, load(node("n1", { pods: "2" }), going, pod("stays")))).toBeUndefined();
  });
});
