import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../base/clock.ts";
import { hostVethName } from "../../hostnet/names.ts";
import { checkLab, type ObservedLab } from "./check.ts";
import { compareViews } from "./invariants.ts";
import type { CloudEni, LabPicture, NodePicture } from "./picture.ts";

const instanceId = "i-1";
const nodeName = "ip-10-0-0-10.us-west-2.compute.internal";
const veth = (name: string): string => hostVethName("eni", "default", name);

const eni = (eniId: string, mac: string, deviceIndex: number, addresses: readonly string[]): CloudEni => ({
  eniId,
  mac,
  description: `aws-K8S-${instanceId}`,
  createdAt: 0,
  addresses,
  prefixes: [],
  ipv6Addresses: [],
  ipv6Prefixes: [],
  status: "attached",
  instanceId,
  deviceIndex,
  card: 0,
  plugged: true,
});

const enis = [
  eni("eni-a", "02:00:00:00:00:0a", 0, ["10.0.0.10", "10.0.0.11", "10.0.0.12"]),
  eni("eni-b", "02:00:00:00:00:0b", 1, ["10.0.0.20", "10.0.0.21"]),
];

/** Two pods, one on each ENI, and a warm address. */
const node: NodePicture = {
  instanceId,
  nodeName,
  blind: [],
  vethPrefix: "eni",
  sandboxes: ["one", "two"].map((name, index) => {
    const ip = index === 0 ? "10.0.0.11" : "10.0.0.21";
    return {
      uid: name,
      namespace: "default",
      name,
      id: `sandbox-${name}`,
      phase: "ready" as const,
      hostNetwork: false,
      deleting: false,
      ips: [ip],
      inside: { addresses: [ip], defaultDevices: ["eth0"] },
    };
  }),
  kernel: {
    links: [
      { name: "lo", up: true },
      { name: "eth0", up: true, mac: "02:00:00:00:00:0a" },
      { name: "eth1", up: true, mac: "02:00:00:00:00:0b" },
      { name: veth("one"), kind: "veth", up: true },
      { name: veth("two"), kind: "veth", up: true },
    ],
    addresses: [
      { device: "eth0", address: "10.0.0.10" },
      { device: "eth1", address: "10.0.0.20" },
    ],
    routes: [
      { destination: "10.0.0.11/32", table: 254, device: veth("one") },
      { destination: "10.0.0.21/32", table: 254, device: veth("two") },
      { destination: "0.0.0.0/0", table: 2, device: "eth1" },
    ],
    rules: [
      { priority: 512, to: "10.0.0.11/32", table: 254 },
      { priority: 512, to: "10.0.0.21/32", table: 254 },
      { priority: 1536, from: "10.0.0.21/32", table: 2 },
    ],
  },
  pool: {
    cards: [{ card: 0, mode: "secondary-ip", total: 3, assigned: 2, cooling: 0, assignable: 1, prefixes: 0 }],
    addresses: [
      place("eni-a", 0, "10.0.0.10", "primary"),
      { ...place("eni-a", 0, "10.0.0.11", "assigned"), ...held("one") },
      place("eni-a", 0, "10.0.0.12", "warm"),
      place("eni-b", 1, "10.0.0.20", "primary"),
      { ...place("eni-b", 1, "10.0.0.21", "assigned"), ...held("two") },
    ],
  },
  checkpoint: [
    { containerId: "sandbox-one", address: "10.0.0.11" },
    { containerId: "sandbox-two", address: "10.0.0.21" },
  ],
  imds: enis.map(({ eniId, mac, addresses }) => ({
    mac,
    eniId,
    addresses,
    prefixes: [],
    ipv6Addresses: [],
    ipv6Prefixes: [],
  })),
};

function place<S extends string>(eniId: string, deviceNumber: number, address: string, state: S) {
  return { eni: eniId, deviceNumber, card: 0, address, cidr: `${address}/32`, state, count: 1 };
}

function held(name: string) {
  return { pod: { namespace: "default", name }, containerId: `sandbox-${name}` };
}

const whole: LabPicture = {
  takenAt: 3_600_000,
  cloud: { enis, broken: [], instances: [{ instanceId, state: "running" }], imdsLagMs: 0 },
  routerRoutes: enis.flatMap(({ eniId, addresses }) =>
    addresses.map((address) => ({ destination: `${address}/32`, eniId, device: `e-${eniId}` })),
  ),
  pods: [
    ["one", "10.0.0.11"],
    ["two", "10.0.0.21"],
  ].map(([name = "", ip = ""]) => ({
    namespace: "default",
    name,
    uid: name,
    nodeName,
    phase: "Running",
    hostNetwork: false,
    deleting: false,
    ips: [ip],
  })),
  nodes: [node],
};

const withNode = (change: Partial<NodePicture>): LabPicture => ({
  ...whole,
  nodes: [{ ...node, ...change }],
});
const withKernel = (change: Partial<NodePicture["kernel"]>): LabPicture =>
  withNode({ kernel: { ...node.kernel, ...change } });
const withCloud = (change: Partial<LabPicture["cloud"]>): LabPicture => ({
  ...whole,
  cloud: { ...whole.cloud, ...change },
});
const numbers = (picture: LabPicture): number[] => [
  ...new Set(compareViews(picture).map(({ invariant }) => invariant)),
];
const { kernel, pool, sandboxes, imds = [], checkpoint = [] } = node;

describe("the invariants", () => {
  test("all hold in a whole lab", () => {
    expect(compareViews(whole)).toEqual([]);
  });

  const onlyFirst = <T>(list: readonly T[]): readonly T[] => list.slice(0, 1);
  const [first] = sandboxes;
  const cases: readonly (readonly [what: string, broken: LabPicture, wanted: readonly number[]])[] = [
    [
      "an address in two pods",
      withNode({
        sandboxes: sandboxes.map((one) => ({
          ...one,
          inside: { addresses: ["10.0.0.11"], defaultDevices: ["eth0"] },
        })),
      }),
      [1, 2],
    ],
    [
      "a pod whose kubelet knows no address",
      withNode({ sandboxes: sandboxes.map((one) => ({ ...one, ips: [] })) }),
      [2],
    ],
    ["a missing veth", withKernel({ links: kernel.links.filter(({ name }) => name !== veth("one")) }), [3]],
    ["a missing route", withKernel({ routes: kernel.routes.slice(1) }), [3]],
    ["an ENI's table that leads nowhere", withKernel({ routes: kernel.routes.slice(0, 2) }), [3]],
    [
      "an address of a second network card that the pod has not",
      withNode({
        pool: {
          cards: pool?.cards ?? [],
          addresses: (pool?.addresses ?? []).map((entry) =>
            entry.address === "10.0.0.12" ? { ...entry, state: "assigned" as const, ...held("one") } : entry,
          ),
        },
      }),
      [2, 3, 6, 8],
    ],
    ["a missing rule from a secondary ENI", withKernel({ rules: kernel.rules.slice(0, 2) }), [3]],
    [
      "a rule from the primary ENI",
      withKernel({ rules: [...kernel.rules, { priority: 1536, from: "10.0.0.11/32", table: 2 }] }),
      [3],
    ],
    [
      "a veth without a pod",
      withKernel({ links: [...kernel.links, { name: veth("gone"), kind: "veth", up: true }] }),
      [4],
    ],
    [
      "a rule without a pod",
      withKernel({ rules: [...kernel.rules, { priority: 512, to: "10.0.0.12/32", table: 254 }] }),
      [4],
    ],
    ["an address of a pod that is gone", withNode({ sandboxes: onlyFirst(sandboxes) }), [4, 5, 14]],
    [
      "counts that are wrong",
      withNode({
        pool: {
          addresses: pool?.addresses ?? [],
          cards: (pool?.cards ?? []).map((card) => ({ ...card, total: 4 })),
        },
      }),
      [6],
    ],
    [
      "an address that EC2 has and nobody else",
      withCloud({
        enis: enis.map((one) => ({ ...one, addresses: [...one.addresses, `10.0.1.${one.deviceIndex}`] })),
      }),
      [7, 9, 13],
    ],
    ["an allocation that is not in the checkpoint", withNode({ checkpoint: onlyFirst(checkpoint) }), [8]],
    ["metadata that lacks an ENI", withNode({ imds: onlyFirst(imds) }), [9]],
    [
      "an ENI without a device",
      withKernel({ links: kernel.links.filter(({ name }) => name !== "eth1") }),
      [10],
    ],
    [
      "an ENI that is attached to nothing",
      withCloud({
        enis: [
          ...enis,
          {
            ...eni("eni-c", "02:00:00:00:00:0c", 2, ["10.0.0.30"]),
            status: "available",
            instanceId: "",
            plugged: false,
          },
        ],
      }),
      [11],
    ],
    ["a model with an error", withCloud({ broken: ["eni-x has no primary address"] }), [12]],
    ["a route that the router lacks", { ...whole, routerRoutes: whole.routerRoutes.slice(1) }, [13]],
    ["a pod that the API server does not know", { ...whole, pods: onlyFirst(whole.pods) }, [14]],
    ["a node whose ipamd is silent", withNode({ blind: [{ view: "pool", why: "no answer" }] }), [15]],
  ];

  test.each(cases)("%s", (_what, broken, wanted) => {
    expect(numbers(broken)).toEqual([...wanted]);
  });

  test("a pod that is being made or taken down need not be whole", () => {
    for (const phase of ["creating", "removing"] as const) {
      if (first === undefined) throw new Error("no sandbox");
      const half = withKernel({
        links: kernel.links.filter(({ name }) => name !== veth("one")),
        routes: kernel.routes.slice(1),
      });
      const [halfNode = node] = half.nodes;
      const pods = whole.pods.map((pod) => (pod.name === "one" ? { ...pod, phase: "Pending" } : pod));
      const making = { ...halfNode, sandboxes: [{ ...first, phase }, ...sandboxes.slice(1)] };
      expect(compareViews({ ...half, pods, nodes: [making] })).toEqual([]);
    }
  });
});

describe("what is told", () => {
  const lab = {} as ObservedLab;
  const check = async (pictures: readonly LabPicture[]) => {
    const clock = new ManualClock(0);
    const left = [...pictures];
    const observe = (): Promise<LabPicture> =>
      Promise.resolve(left.length > 1 ? (left.shift() ?? whole) : (left[0] ?? whole));
    const sleep = (ms: number): Promise<void> => clock.advance(ms);
    return checkLab(lab, { clock: { now: () => clock.now(), sleep }, observe, patienceMs: 2000 });
  };
  const routeless = { ...whole, routerRoutes: whole.routerRoutes.slice(1) };
  const otherRouteless = { ...whole, routerRoutes: whole.routerRoutes.slice(0, -1) };

  test("is what is broken in every look", async () => {
    const { broken } = await check([routeless]);
    expect(broken.map(({ subject }) => subject)).toEqual(["route 10.0.0.10/32"]);
  });

  test("is not what passes", async () => {
    expect((await check([routeless, routeless, whole])).broken).toEqual([]);
    expect((await check([routeless, otherRouteless])).broken).toEqual([]);
  });
});
