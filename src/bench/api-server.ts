import { EniverseError } from "../base/error.ts";
import type { KubeClient } from "../kube/client.ts";
import { type Pod, pods } from "../kube/resources.ts";
import { withLab } from "./bench-lab.ts";
import { rounded, type Section } from "./report.ts";
import { summarise } from "./statistics.ts";

const namespace = "default";
const labels = { app: "listed" };
const longestEventMs = 5000;

/** Requests of one client, over TLS, to the API server of a lab. */
export const apiServer: Section = {
  name: "api",
  title: "API server latency",
  run: async ({ quick }) => {
    const count = quick ? 30 : 300;
    const objects = quick ? 20 : 100;
    const times = await withLab("api", { nodes: 0, instanceType: "m5.large" }, ({ kube }) =>
      measure(kube, objects, count),
    );
    return {
      about:
        `One client, one request after the other, ${count} of each kind, ${objects} pods in the store and no nodes. Watch: from the start of a ` +
        "PATCH until its event is in the hands of a second connection's reader.",
      table: {
        columns: ["Request (ms)", "p50", "p99", "max"],
        rows: Object.entries(times).map(([what, values]) => {
          const { p50, p99, max } = summarise(values);
          return [what, ...[p50, p99, max].map(rounded)];
        }),
      },
      goals: [],
      raw: { count, objects, times },
    };
  },
};

async function measure(kube: KubeClient, objects: number, count: number): Promise<Record<string, number[]>> {
  const create = await timed(objects, (index) => kube.create(pods, podNumber(index)));
  const name = (index: number): string => podNumber(index % objects).metadata.name;
  const get = await timed(count, (index) => kube.get(pods, name(index), namespace));
  const list = await timed(count, () => kube.list(pods, { namespace }));
  const select = await timed(count, () => kube.list(pods, { namespace, labelSelector: "number=7" }));
  const patch = await timed(count, (index) => annotate(kube, name(index), `patch-${index}`));
  const watch = await watchLatency(kube, name(0), count);
  return {
    get,
    [`list of ${objects}`]: list,
    "list of 1 by label": select,
    create,
    patch,
    "watch event": watch,
  };
}

async function timed(count: number, request: (index: number) => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    await request(index);
    times.push(performance.now() - start);
  }
  return times;
}

async function watchLatency(kube: KubeClient, name: string, count: number): Promise<number[]> {
  const { resourceVersion } = await kube.list(pods, { namespace });
  const stop = new AbortController();
  const waiting = new Map<string, () => void>();
  const reader = (async () => {
    for await (const event of kube.watch(pods, { namespace, resourceVersion, signal: stop.signal })) {
      if (event.type === "BOOKMARK") continue;
      waiting.get(event.object.metadata.annotations?.bench ?? "")?.();
    }
  })();
  reader.catch(() => {});
  try {
    return await timed(count, async (index) => {
      const seen = Promise.withResolvers<void>();
      waiting.set(`watch-${index}`, seen.resolve);
      const late = setTimeout(() => seen.reject(lostEvent()), longestEventMs);
      await Promise.all([seen.promise, annotate(kube, name, `watch-${index}`)]).finally(() =>
        clearTimeout(late),
      );
    });
  } finally {
    stop.abort();
  }
}

const annotate = (kube: KubeClient, name: string, value: string): Promise<Pod> =>
  kube.patch(pods, name, { metadata: { annotations: { bench: value } } }, { namespace, kind: "merge" });

const lostEvent = (): EniverseError =>
  new EniverseError("timeout", {
    attempted: "wait for a watch event",
    found: `none after ${longestEventMs} ms`,
  });

/** Of a scheduler that does not exist, so that nobody else writes to it. */
function podNumber(index: number): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `listed-${index}`, namespace, labels: { ...labels, number: String(index) } },
    spec: { schedulerName: "nobody", containers: [{ name: "main", image: "eniverse/pause" }] },
  };
}
