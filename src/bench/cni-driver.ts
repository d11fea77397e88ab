/**
 * Runs in all namespaces of a node and does what a container runtime does: makes sandboxes, executes CNI plugins
 * with CNI_* variables and a configuration on standard input, and notes how long each call takes. What to run
 * comes as JSON on standard input, the times go as JSON to standard output.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { EniverseError } from "../base/error.ts";
import { pluginFailure, runExecutable } from "../cni/invoke.ts";
import { createNetns, deleteNetns, Netns } from "../linux/netns.ts";
import { Rtnetlink } from "../linux/rtnetlink/rtnetlink.ts";
import type { BlockTimes, CniWork, Peer, PeerTimes } from "./cni-work.ts";

/** Where the node's runtime keeps them; ipamd's container sees what is mounted here. */
const netnsFolder = "/var/run/netns";
const cniPath = "/opt/cni/bin";
const loopbackIndex = 1;
const noTimes: BlockTimes = { add: [], del: [] };
/** Sandboxes go in the kernel's own time; the next block shall not pay for it (ms). */
const settleMs = 300;
const poolWaitMs = 30_000;

interface Sandbox {
  readonly id: string;
  readonly netns: string;
  result?: unknown;
}

const work = JSON.parse(readFileSync(0, "utf8")) as CniWork;

await untilPoolHolds(work.freeAddresses);
for (let done = 0; done < work.warmUpBlocks; done++) {
  progress(`warming up, ${done + 1} of ${work.warmUpBlocks}`);
  for (const how of ["one at a time", "at once"] as const) await block(work.peers, work.width, how);
}
const times: PeerTimes[] = work.peers.map(({ name }) => ({ name, oneAtATime: [], atOnce: [] }));
for (let done = 0; done < work.blocks; done++) {
  progress(`block ${done + 1} of ${work.blocks}`);
  // Who comes first changes, so that nobody always finds the colder caches.
  const order = done % 2 === 0 ? work.peers : work.peers.toReversed();
  const single = await block(order, work.width, "one at a time");
  const crowd = await block(order, work.width, "at once");
  for (const peer of times) {
    peer.oneAtATime.push(single.get(peer.name) ?? noTimes);
    peer.atOnce.push(crowd.get(peer.name) ?? noTimes);
  }
}
process.stdout.write(JSON.stringify(times));

/** `count` sandboxes for each peer: ADD to all, DEL from all, sandboxes away. */
async function block(
  peers: readonly Peer[],
  count: number,
  how: "one at a time" | "at once",
): Promise<Map<string, BlockTimes>> {
  const sandboxes = new Map(peers.map((peer) => [peer, Array.from({ length: count }, makeSandbox)]));
  const measured = new Map<string, BlockTimes>();
  try {
    const times = peers.map((peer) => ({ peer, add: [] as number[], del: [] as number[] }));
    for (const command of ["ADD", "DEL"] as const) {
      if (how === "at once") {
        for (const { peer, add, del } of times) {
          const calls = (sandboxes.get(peer) ?? []).map((sandbox) => call(peer, command, sandbox));
          (command === "ADD" ? add : del).push(...(await Promise.all(calls)));
        }
        continue;
      }
      for (let index = 0; index < count; index++) {
        for (const { peer, add, del } of times) {
          const sandbox = sandboxes.get(peer)?.[index];
          if (sandbox !== undefined) (command === "ADD" ? add : del).push(await call(peer, command, sandbox));
        }
      }
    }
    for (const { peer, add, del } of times) measured.set(peer.name, { add, del });
  } finally {
    for (const { netns } of [...sandboxes.values()].flat()) deleteNetns(netns);
  }
  await pause(settleMs);
  return measured;
}

function makeSandbox(): Sandbox {
  const id = randomBytes(32).toString("hex");
  const path = `${netnsFolder}/bench-${id.slice(0, 12)}`;
  createNetns(path);
  using netns = Netns.open(path);
  using inside = Rtnetlink.open(netns);
  inside.setLink(loopbackIndex, { up: true });
  return { id, netns: path };
}

/** Milliseconds from the start of the plugin to its end, standard output read. */
async function call(peer: Peer, command: "ADD" | "DEL", sandbox: Sandbox): Promise<number> {
  const config = { ...peer.config, ...(command === "DEL" ? { prevResult: sandbox.result } : {}) };
  const stdin = new TextEncoder().encode(JSON.stringify(config));
  const pod = `bench-${sandbox.id.slice(0, 10)}`;
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: sandbox.id,
    CNI_NETNS: sandbox.netns,
    CNI_IFNAME: "eth0",
    CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod};K8S_POD_INFRA_CONTAINER_ID=${sandbox.id}`,
    CNI_PATH: cniPath,
    PATH: process.env.PATH ?? "",
  };
  const start = performance.now();
  const exit = await runExecutable(`${cniPath}/${peer.plugin}`, env, stdin);
  const took = performance.now() - start;
  if (exit.exitCode !== 0) throw pluginFailure(`${command} with ${peer.plugin}`, exit);
  if (command === "ADD") sandbox.result = JSON.parse(exit.stdout) as unknown;
  return took;
}

/** Growing the pool is measured elsewhere: here every call finds an address. */
async function untilPoolHolds(wanted: number): Promise<void> {
  let held = 0;
  for (const deadline = Date.now() + poolWaitMs; Date.now() < deadline; await pause(100)) {
    const enis = (await (await fetch("http://127.0.0.1:61679/v1/enis")).json()) as Record<
      string,
      { readonly TotalIPs: number }
    >;
    held = Object.values(enis).reduce((sum, { TotalIPs }) => sum + TotalIPs, 0);
    if (held >= wanted) return;
  }
  throw new EniverseError("timeout", {
    attempted: `wait for ${wanted} addresses in the node's pool`,
    found: `${held} after ${poolWaitMs / 1000} s`,
  });
}

function progress(text: string): void {
  process.stderr.write(`  cni: ${text}\n`);
}
