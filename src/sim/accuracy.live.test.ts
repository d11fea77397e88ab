import { afterAll, expect, test } from "bun:test";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ClusterNode } from "./cluster.ts";
import { completeScenario } from "./defaults.ts";
import { Run } from "./simulate.ts";

/**
 * The same small story in a lab, with real packets and processes, and in the simulator: two m5.large nodes come up,
 * and 30 pods land at once. Both must end with the same addresses and ENIs held, after the same calls to EC2, and
 * in the same time but for what starting processes costs.
 */
const lab = `sim-accuracy-${process.pid}`;
const program = join(import.meta.dir, "../../bin/eniverse.mjs");
const isRoot = process.getuid?.() === 0;
const folder = mkdtempSync(join(tmpdir(), "eniverse-accuracy-"));
const pods = 30;
const latencies = {
  CreateNetworkInterface: 400,
  AttachNetworkInterface: 300,
  AssignPrivateIpAddresses: 300,
  DescribeSubnets: 100,
  DescribeInstances: 100,
  DescribeNetworkInterfaces: 100,
  ModifyNetworkInterfaceAttribute: 150,
  CreateTags: 150,
  attach: 2000,
  detach: 1000,
};
// The hourly search for leaked ENIs begins at a random time.
const env = { DISABLE_LEAKED_ENI_CLEANUP: "true" };

async function eniverse(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)("node", [program, "--name", lab, ...args], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
}

afterAll(async () => {
  if (isRoot) await eniverse("down");
  rmSync(folder, { recursive: true, force: true });
});

/** What a node holds, and the calls that its ipamd has made. */
interface NodeState {
  readonly enis: number;
  readonly addresses: number;
  readonly assigned: number;
  readonly calls: Readonly<Record<string, number>>;
}

async function labNodes(): Promise<NodeState[]> {
  const nodes = JSON.parse(await eniverse("get", "nodes", "-o", "json")) as {
    readonly metadata: { readonly name: string };
  }[];
  return await Promise.all(
    nodes.map(async ({ metadata: { name } }) => {
      const [metrics, pools] = await Promise.all([
        eniverse("node", name, "--", "curl", "-s", "127.0.0.1:61678/metrics"),
        eniverse("node", name, "--", "curl", "-s", "127.0.0.1:61679/v1/enis"),
      ]);
      const counts = metrics.matchAll(/^awscni_ec2api_req_count\{fn="(\w+)"\} (\d+)$/gm);
      const pool = (
        JSON.parse(pools) as Record<string, { TotalIPs: number; AssignedIPs: number; ENIs: object }>
      )["0"];
      return {
        enis: Object.keys(pool?.ENIs ?? {}).length,
        addresses: pool?.TotalIPs ?? 0,
        assigned: pool?.AssignedIPs ?? 0,
        calls: Object.fromEntries(Array.from(counts, ([, name = "", count]) => [name, Number(count)])),
      };
    }),
  );
}

/** The simulator's two nodes are alike, as the lab's are: its totals halved are a node's. */
function simulatedNodes(run: Run): NodeState[] {
  const calls = Object.fromEntries([...run.ec2.counts].map(([name, { requests }]) => [name, requests / 2]));
  return [...run.cluster.nodes].map(({ driver }: ClusterNode) => {
    const { total, assigned } = driver.pool.stats(run.queue.now);
    return { enis: driver.pool.enis().length, addresses: total, assigned, calls };
  });
}

function simulation(burstAtMs: number): Run {
  return new Run(
    completeScenario({
      nodeGroups: [{ name: "n", count: 2, bootMs: 1000 }],
      awsNode: { env },
      ec2: { latencies: { ...latencies }, throttling: false },
      workloads: [{ kind: "burst", name: "web", atMs: burstAtMs, overMs: 0, pods }],
      durationMs: burstAtMs + 60_000,
    }),
  );
}

function withoutLooks({ calls, ...rest }: NodeState): NodeState {
  const { DescribeInstances: _looked, DescribeSubnets: _listed, ...others } = calls;
  return { ...rest, calls: others };
}

/** Asks the lab until it stands as expected; what it was last, when it never does. */
async function settled(wanted: readonly NodeState[], limitMs: number): Promise<NodeState[]> {
  const end = Date.now() + limitMs;
  for (;;) {
    const seen = await labNodes();
    if (Bun.deepEquals(seen.map(withoutLooks), wanted.map(withoutLooks)) || Date.now() > end) return seen;
    await Bun.sleep(1000);
  }
}

test.skipIf(!isRoot)(
  "a lab and the simulator end alike",
  async () => {
    const config = join(folder, "lab.yaml");
    writeFileSync(
      config,
      JSON.stringify({
        nodeGroups: [{ name: "workers", instanceType: "m5.large", count: 2 }],
        awsNode: { env },
        ec2: { throttling: "off", latencies },
      }),
    );
    await eniverse("up", "--detach", "--config", config);
    const idle = simulation(600_000);
    idle.start();
    idle.queue.runUntil(idle.queue.now + 100_000);
    expect(await settled(simulatedNodes(idle), 10_000)).toEqual(simulatedNodes(idle));

    const burst = simulation(30_000);
    burst.play();
    const { addressWait } = burst.report();
    const began = Date.now();
    await eniverse("run", "web", "--replicas", String(pods));
    const tookMs = Date.now() - began;
    // New ENIs get their security groups at a refresh that comes every 30 s.
    const wanted = simulatedNodes(burst);
    const seen = await settled(wanted, 45_000);
    expect(seen.map(withoutLooks)).toEqual(wanted.map(withoutLooks));
    // ENIs that are created together share a look at subnets and instance; how many are is a matter of milliseconds.
    for (const { calls } of seen) {
      expect(calls.DescribeInstances).toBeWithin(1, 3);
      expect(calls.DescribeSubnets).toBeWithin(2, 4);
    }
    expect(addressWait.maxMs).toBeGreaterThan(2_500);
    // The command line, the scheduler, the kubelet and the container come on top.
    expect(tookMs).toBeGreaterThan(addressWait.maxMs - 100);
    expect(tookMs).toBeLessThan(addressWait.maxMs + 5_000);
  },
  120_000,
);
