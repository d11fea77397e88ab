import { describe, expect, test } from "bun:test";
import type { Node, NodeSpec, Pod, PodSpec } from "../../kube/resources.ts";
import { choose, type NodeLoad, zoneLabel } from "./choose.ts";
import { parseQuantity } from "./quantity.ts";

interface NodeShape {
  readonly zone?: string;
  readonly labels?: Record<string, string>;
  readonly spec?: NodeSpec;
  readonly room?: Record<string, string>;
}

const node = (name: string, { zone, labels, spec, room }: NodeShape = {}): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: { ...labels, ...(zone !== undefined && { [zoneLabel]: zone }) } },
  ...(spec !== undefined && { spec }),
  status: { allocatable: { cpu: "2", memory: "8Gi", pods: "3", ...room } },
});

let serial = 0;
const pod = (spec: Partial<PodSpec> = {}, owner = "rs"): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: `p${++serial}`,
    namespace: "default",
    labels: { app: owner },
    ownerReferences: [
      { apiVersion: "apps/v1", kind: "ReplicaSet", name: owner, uid: owner, controller: true },
    ],
  },
  spec: { containers: [{ name: "c" }], ...spec },
});

const load = (on: Node, ...pods: Pod[]): NodeLoad => ({ node: on, pods });
const answer = (what: Pod, ...loads: NodeLoad[]): string => {
  const choice = choose(what, loads);
  return choice.kind === "node" ? choice.name : choice.message;
};
const withRequests = (requests: Record<string, string>): Partial<PodSpec> => ({
  containers: [{ name: "c", resources: { requests } }],
});

describe("the scheduler says why not", () => {
  const full = [pod(), pod(), pod()];
  test.each<[string, Pod, NodeLoad[]]>([
    ["no nodes available to schedule pods", pod(), []],
    ["0/1 nodes are available: 1 Too many pods.", pod(), [load(node("n1"), ...full)]],
    [
      "0/1 nodes are available: 1 node(s) were unschedulable.",
      pod(),
      [load(node("n1", { spec: { unschedulable: true } }))],
    ],
    [
      "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.",
      pod(),
      [
        load(
          node("n1", { spec: { taints: [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }] } }),
        ),
      ],
    ],
    [
      "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
      pod({ nodeSelector: { disk: "ssd" } }),
      [load(node("n1")), load(node("n2", { labels: { disk: "hdd" } }))],
    ],
    [
      "0/2 nodes are available: 1 Insufficient memory, 2 Insufficient cpu.",
      pod(withRequests({ cpu: "2500m", memory: "4Gi" })),
      [load(node("n1")), load(node("n2", { room: { memory: "1Gi" } }))],
    ],
    [
      "0/1 nodes are available: 1 Insufficient vpc.amazonaws.com/pod-eni.",
      pod(withRequests({ "vpc.amazonaws.com/pod-eni": "1" })),
      [load(node("n1"))],
    ],
    [
      "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
      pod({ containers: [{ name: "c", ports: [{ containerPort: 80, hostPort: 80 }] }] }),
      [load(node("n1"), pod({ containers: [{ name: "c", ports: [{ containerPort: 80, hostPort: 80 }] }] }))],
    ],
    [
      "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.",
      pod({
        affinity: {
          podAntiAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { topologyKey: "host", labelSelector: { matchLabels: { app: "rs" } } },
            ],
          },
        },
      }),
      [load(node("n1", { labels: { host: "n1" } }), pod())],
    ],
    [
      "0/3 nodes are available: 1 Too many pods, 2 node(s) were unschedulable.",
      pod(),
      [
        load(node("n1"), ...full),
        load(node("n2", { spec: { unschedulable: true } })),
        load(node("n3", { spec: { unschedulable: true } })),
      ],
    ],
  ])("%s", (message, what, loads) => {
    expect(answer(what, ...loads)).toBe(message);
  });
});

describe("the scheduler chooses", () => {
  test("the node with the fewest pods of the same owner, then the emptier zone, then the emptier node", () => {
    expect(answer(pod(), load(node("n1"), pod()), load(node("n2"), pod({}, "other"), pod({}, "other")))).toBe(
      "n2",
    );
    const zoned = [
      load(node("a1", { zone: "a" }), pod()),
      load(node("a2", { zone: "a" })),
      load(node("b1", { zone: "b" })),
    ];
    expect(answer(pod(), ...zoned)).toBe("b1");
    expect(answer(pod(), load(node("n1"), pod({}, "x")), load(node("n2")))).toBe("n2");
  });

  test("twelve pods over three nodes: four each", () => {
    const room = { pods: "29" };
    const pods: Record<string, Pod[]> = { n1: [], n2: [], n3: [] };
    const nodes = [
      node("n1", { zone: "a", room }),
      node("n2", { zone: "b", room }),
      node("n3", { zone: "a", room }),
    ];
    for (let count = 0; count < 12; count++) {
      const next = pod();
      const choice = choose(
        next,
        nodes.map((each) => load(each, ...(pods[each.metadata.name] ?? []))),
      );
      if (choice.kind === "node") pods[choice.name]?.push(next);
    }
    expect(Object.values(pods).map(({ length }) => length)).toEqual([4, 4, 4]);
  });

  test("what is tolerated, cordoned nodes for those that may, and avoids PreferNoSchedule", () => {
    const tainted = node("n1", { spec: { taints: [{ key: "k", value: "v", effect: "NoSchedule" }] } });
    expect(answer(pod({ tolerations: [{ key: "k", value: "v" }] }), load(tainted))).toBe("n1");
    expect(
      answer(
        pod({ tolerations: [{ operator: "Exists" }] }),
        load(node("n1", { spec: { unschedulable: true } })),
      ),
    ).toBe("n1");
    const soft = node("n1", { spec: { taints: [{ key: "k", effect: "PreferNoSchedule" }] } });
    expect(answer(pod(), load(soft), load(node("n2"), pod(), pod()))).toBe("n2");
  });

  test("the node that a daemon pod is pinned to", () => {
    const pinned = pod({
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: ["n2"] }] }],
          },
        },
      },
    });
    expect(answer(pinned, load(node("n1")), load(node("n2"), pod()))).toBe("n2");
  });

  test("preferred anti-affinity over emptiness", () => {
    const apart = pod({
      affinity: {
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            {
              weight: 100,
              podAffinityTerm: { topologyKey: "host", labelSelector: { matchLabels: { app: "db" } } },
            },
          ],
        },
      },
    });
    const withDb = load(node("n1", { labels: { host: "n1" } }), pod({}, "db"));
    const busy = load(node("n2", { labels: { host: "n2" } }), pod({}, "x"), pod({}, "y"));
    expect(answer(apart, withDb, busy)).toBe("n2");
  });
});

test.each([
  ["100m", 0.1],
  ["2", 2],
  ["128Mi", 134217728],
  ["1.5G", 1.5e9],
  ["1e3", 1000],
  [7, 7],
])("quantity %p is %d", (text, value) => {
  expect(parseQuantity(text)).toBeCloseTo(value, 9);
});

test("a quantity that is none is refused", () => {
  expect(() => parseQuantity("lots")).toThrow("read a resource quantity");
});
