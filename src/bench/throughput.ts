import { setTimeout as pause } from "node:timers/promises";
import { parseIpv4 } from "../addr/ipv4.ts";
import { EniverseError } from "../base/error.ts";
import type { LabConnection } from "../cli/lab-connection.ts";
import { type Pod, pods } from "../kube/resources.ts";
import { podNetnsPaths } from "../lab/pod-netns.ts";
import type { Netns } from "../linux/netns.ts";
import { Rtnetlink } from "../linux/rtnetlink/rtnetlink.ts";
import { nodeOf, withLab } from "./bench-lab.ts";
import { inNetworkOf, programOf, runForJson } from "./child.ts";
import { FreshNamespaces } from "./fresh-namespaces.ts";
import { atLeast, rounded, type Section } from "./report.ts";
import { summarise } from "./statistics.ts";

const goalShare = 0.9;
const port = 5201;
/** As the pods' devices. */
const mtu = 9001;
const largestSegment = 196_608;
const readyLimitMs = 60_000;

/** Two ends of a TCP connection. */
interface Path {
  readonly name: string;
  readonly fromNetns: string;
  readonly toNetns: string;
  readonly toAddress: string;
}

/** TCP from pod to pod, beside a bare veth pair. */
export const throughput: Section = {
  name: "throughput",
  title: "Throughput",
  run: async ({ quick }) => {
    const rounds = quick ? 2 : 7;
    const seconds = quick ? 1 : 2;
    using namespaces = new FreshNamespaces();
    const bare = barePair(namespaces, "bare veth pair", "bare", {});
    const tuned = barePair(namespaces, "bare veth pair with segments of 192 KiB", "tuned", {
      largestSegment,
    });
    const measured = await withLab("tcp", { nodes: 2, instanceType: "m5.large" }, async (lab) => {
      const across = await podPath(lab, "pod to pod, other node", "across", 0, 1);
      const within = await podPath(lab, "pod to pod, same node", "within", 0, 0);
      return await inTurns([bare, across, within, tuned], rounds, seconds);
    });
    const medians = Object.fromEntries(
      Object.entries(measured).map(([path, values]) => [path, summarise(values).p50]),
    );
    const reference = medians[bare.name] ?? Number.NaN;
    const across = medians["pod to pod, other node"] ?? Number.NaN;
    return {
      about:
        `One TCP connection, blocking calls of 512 KiB, the same two programs everywhere; ${rounds} rounds of ${seconds} s, the paths in turns. ` +
        "All devices have an MTU of 9001. Across nodes a packet goes pod, node, VPC router, node, pod. The bare pair joins two namespaces directly and is as the kernel makes it; pods have bigger segments, so the pair is also shown with these.",
      table: {
        columns: ["Path", "Gbit/s p50", "Lowest", "Highest", "Of the bare pair"],
        rows: Object.entries(measured).map(([path, values]) => {
          const { p50, min, max } = summarise(values);
          return [path, ...[p50, min, max].map(rounded), `${rounded(p50 / reference)} ×`];
        }),
      },
      goals: [
        atLeast(
          "throughput pod to pod across nodes / bare veth pair (p50)",
          across / reference,
          goalShare,
          "×",
        ),
      ],
      raw: { rounds, seconds, gigabitsPerSecond: measured },
    };
  },
};

/** Gigabits per second of each round. */
async function inTurns(
  paths: readonly Path[],
  rounds: number,
  seconds: number,
): Promise<Record<string, number[]>> {
  const measured: Record<string, number[]> = Object.fromEntries(paths.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    process.stderr.write(`  throughput: round ${round + 1} of ${rounds}\n`);
    const order = round % 2 === 0 ? paths : paths.toReversed();
    for (const path of order) measured[path.name]?.push(await blast(path, port + round, seconds));
  }
  return measured;
}

async function blast(path: Path, port: number, seconds: number): Promise<number> {
  const blaster = programOf("./tcp-blaster.ts");
  const receiver = runForJson<{ readonly bytes: number; readonly seconds: number }>([
    ...inNetworkOf(path.toNetns),
    ...blaster,
    "receive",
    path.toAddress,
    String(port),
  ]);
  const sender = runForJson([
    ...inNetworkOf(path.fromNetns),
    ...blaster,
    "send",
    path.toAddress,
    String(port),
    String(seconds),
  ]);
  const [received] = await Promise.all([receiver, sender]);
  return (received.bytes * 8) / received.seconds / 1e9;
}

function barePair(
  namespaces: FreshNamespaces,
  name: string,
  label: string,
  changes: { readonly largestSegment?: number },
): Path {
  const from = namespaces.make(`${label}-from`);
  const to = namespaces.make(`${label}-to`);
  const addresses = ["192.0.2.1", "192.0.2.2"] as const;
  using near = Rtnetlink.open(from);
  const { index, peerIndex } = near.addVeth({ name: "veth0", mtu, peer: { name: "veth0", mtu, netns: to } });
  using far = Rtnetlink.open(to);
  const ends: [Rtnetlink, number, string][] = [
    [near, index, addresses[0]],
    [far, peerIndex, addresses[1]],
  ];
  for (const [end, interfaceIndex, address] of ends) {
    end.setLink(interfaceIndex, { up: true, ...changes });
    end.addAddress({ interfaceIndex, address: parseIpv4(address), bits: 30 });
  }
  return { name, fromNetns: pathOf(from), toNetns: pathOf(to), toAddress: addresses[1] };
}

const pathOf = (netns: Netns): string => netns.path;

/** Two pods, on these nodes of the lab. */
async function podPath(
  lab: LabConnection,
  name: string,
  label: string,
  fromNode: number,
  toNode: number,
): Promise<Path> {
  const from = await runPod(lab, `${label}-from`, fromNode);
  const to = await runPod(lab, `${label}-to`, toNode);
  return { name, fromNetns: from.netns, toNetns: to.netns, toAddress: to.address };
}

async function runPod(
  lab: LabConnection,
  name: string,
  node: number,
): Promise<{ netns: string; address: string }> {
  const machine = nodeOf(lab, node);
  const namespace = "default";
  await lab.kube.create(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace },
    spec: { nodeName: machine.nodeName, containers: [{ name: "main", image: "eniverse/pause" }] },
  });
  for (const deadline = Date.now() + readyLimitMs; Date.now() < deadline; await pause(50)) {
    const pod: Pod = await lab.kube.get(pods, name, namespace);
    const address = pod.status?.podIP ?? "";
    const netns = podNetnsPaths(machine).get(pod.metadata.uid ?? "");
    if (pod.status?.phase === "Running" && address !== "" && netns !== undefined) return { netns, address };
  }
  throw new EniverseError("timeout", {
    attempted: `run the pod ${name}`,
    found: `it does not run after ${readyLimitMs / 1000} s`,
  });
}
