// How fast the server is: single calls and watches over TLS on loopback, client and server in one process (so both
// sides' work is in the numbers), 100 pods of ordinary size in a store on disk.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realClock } from "../../base/clock.ts";
import { noLog } from "../../base/log.ts";
import { seededRandom } from "../../base/random.ts";
import type { KubeClient } from "../../kube/client.ts";
import { createKubeClient } from "../../kube/fetch-client.ts";
import { clientConfigOf } from "../../kube/kubeconfig.ts";
import { type Pod, pods } from "../../kube/resources.ts";
import { createApiServer } from "./server.ts";

/** Milliseconds. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

export interface ApiServerFigures {
  readonly pods: number;
  readonly create: Latency;
  readonly get: Latency;
  readonly list: Latency;
  readonly patchStatus: Latency;
  /** From the call that writes until the watcher has the event. */
  readonly watchDelivery: Latency;
  /** The same with the client of the server's own process. */
  readonly localPatch: Latency;
}

export async function measureApiServer(
  options: { readonly pods?: number; readonly rounds?: number } = {},
): Promise<ApiServerFigures> {
  const count = options.pods ?? 100;
  const rounds = options.rounds ?? 300;
  const folder = mkdtempSync(join(tmpdir(), "eniverse-api-"));
  const server = createApiServer({
    dbPath: join(folder, "cluster.sqlite"),
    tlsDir: folder,
    clock: realClock,
    random: seededRandom(1),
    log: noLog,
  });
  try {
    const { url } = server.listen("127.0.0.1", 0);
    const client = createKubeClient(clientConfigOf(server.kubeconfig(url)));
    const names = Array.from({ length: count }, (_, index) => `web-${index}`);
    const nameOf = (round: number): string => names[round % count] ?? "";
    const at = { namespace: "default", subresource: "status" } as const;
    const touch = (by: KubeClient, round: number): Promise<Pod> =>
      by.patch(pods, nameOf(round), { status: { message: `round ${round}` } }, at);

    const create = await timed(count, (round) => client.create(pods, ordinaryPod(nameOf(round))));
    const get = await timed(rounds, (round) => client.get(pods, nameOf(round), "default"));
    const list = await timed(rounds, () => client.list(pods, { namespace: "default" }));
    const patchStatus = await timed(rounds, (round) => touch(client, round));
    const watchDelivery = await timedWatch(client, rounds, (round) => touch(client, round + rounds));
    const localPatch = await timed(rounds, (round) => touch(server.client, round + 2 * rounds));
    return { pods: count, create, get, list, patchStatus, watchDelivery, localPatch };
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function timed(rounds: number, call: (round: number) => Promise<unknown>): Promise<Latency> {
  const spans: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    await call(round);
    spans.push(performance.now() - start);
  }
  return latencyOf(spans);
}

async function timedWatch(
  client: KubeClient,
  rounds: number,
  write: (round: number) => Promise<Pod>,
): Promise<Latency> {
  const { resourceVersion } = await client.list(pods);
  const stop = new AbortController();
  let arrived: (() => void) | undefined;
  const watching = (async () => {
    for await (const event of client.watch(pods, { resourceVersion, signal: stop.signal })) {
      if (event.type === "MODIFIED") arrived?.();
    }
  })();
  const spans: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const event = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const start = performance.now();
    const written = write(round);
    await event;
    spans.push(performance.now() - start);
    await written;
  }
  stop.abort();
  await watching;
  return latencyOf(spans);
}

function latencyOf(spans: readonly number[]): Latency {
  const sorted = spans.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

function ordinaryPod(name: string): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", labels: { app: "web", "pod-template-hash": "5d8f7c9b6f" } },
    spec: {
      nodeName: "ip-10-0-1-5.us-west-2.compute.internal",
      containers: [
        {
          name: "web",
          image: "public.ecr.aws/echo:1",
          env: [{ name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
          ports: [{ containerPort: 8080 }],
          resources: { requests: { cpu: "100m", memory: "64Mi" } },
          readinessProbe: { httpGet: { path: "/ready", port: 8080 } },
        },
      ],
    },
  };
}
