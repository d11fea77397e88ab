import { expect, test } from "bun:test";
import { ManualClock } from "../../base/clock.ts";
import type { Pod, Probe } from "../../kube/resources.ts";
import { keepProbing, ProbeCounter, type ProbeKind, probeOnce } from "./probes.ts";

test.each<[Probe, boolean[], (boolean | undefined)[]]>([
  [{}, [false, false, false, false, true], [undefined, undefined, false, false, true]],
  [{ failureThreshold: 1 }, [false, true], [false, true]],
  [{ failureThreshold: 2 }, [false, true, false, false], [undefined, true, undefined, false]],
  [{ successThreshold: 2 }, [true, true, false], [undefined, true, undefined]],
])("thresholds of %j: %j gives %j", (probe, results, verdicts) => {
  const counter = new ProbeCounter(probe);
  expect(results.map((result) => counter.count(result))).toEqual(verdicts);
});

const pod: Pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers: [] } };
const target = (results: boolean[]) => ({
  pod,
  container: { name: "c", ports: [{ containerPort: 1, name: "web" }] },
  podIp: "127.0.0.1",
  run: async () => ({ exitCode: (results.shift() ?? true) ? 0 : 1, output: "no\n" }),
});

async function story(kind: ProbeKind, probe: Probe, results: boolean[], seconds: number): Promise<string[]> {
  const clock = new ManualClock();
  const said: string[] = [];
  const stop = new AbortController();
  const done = keepProbing(
    kind,
    { exec: { command: ["x"] }, ...probe },
    target(results),
    clock,
    stop.signal,
    {
      verdict: ({ success }) => said.push(`${clock.now() / 1000}s ${success}`),
      failure: (output) => said.push(`${clock.now() / 1000}s ${output}`),
    },
  );
  await clock.advance(seconds * 1000);
  stop.abort();
  await done;
  return said;
}

test("a readiness probe is asked soon again until it succeeds, then by its period", async () => {
  expect(await story("readiness", { initialDelaySeconds: 1 }, [false, false, true], 25)).toEqual([
    "1.3s true",
    "11.3s true",
    "21.3s true",
  ]);
});

test("failures count and are told at the times that the period says", async () => {
  const failing = (): boolean[] => Array(60).fill(false);
  expect(await story("readiness", { periodSeconds: 5, failureThreshold: 2 }, failing(), 16)).toEqual([
    "5s no",
    "10s no",
    "10s false",
    "15s no",
    "15s false",
  ]);
  expect(await story("startup", { periodSeconds: 1 }, failing(), 3.5)).toEqual([
    "1s no",
    "2s no",
    "3s no",
    "3s false",
  ]);
});

test("a liveness probe keeps its period, and tells from the threshold on", async () => {
  const results = [true, false, false, false];
  expect(await story("liveness", { periodSeconds: 5 }, results, 16)).toEqual([
    "0s true",
    "5s no",
    "10s no",
    "15s no",
    "15s false",
  ]);
});

test("a startup probe ends with its success", async () => {
  expect(await story("startup", { periodSeconds: 2 }, [false], 20)).toEqual(["0.1s true"]);
});

test("HTTP and TCP probes see what answers and what does not", async () => {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => new Response("", { status: new URL(request.url).pathname === "/ok" ? 200 : 503 }),
  });
  const port = server.port ?? 0;
  const ask = (probe: Probe) => probeOnce(probe, target([]));
  expect(await ask({ httpGet: { path: "/ok", port } })).toEqual({ success: true, output: "" });
  expect(await ask({ httpGet: { path: "/no", port } })).toEqual({
    success: false,
    output: "HTTP probe failed with statuscode: 503",
  });
  expect((await ask({ tcpSocket: { port } })).success).toBe(true);
  await server.stop(true);
  expect((await ask({ tcpSocket: { port } })).output).toContain(`dial tcp 127.0.0.1:${port}`);
  expect((await ask({ httpGet: { path: "/ok", port } })).output).toContain(
    `Get "http://127.0.0.1:${port}/ok"`,
  );
  expect((await ask({})).success).toBe(false);
});
