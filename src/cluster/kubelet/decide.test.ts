import { describe, expect, test } from "bun:test";
import type { Pod, PodPhase, PodSpec } from "../../kube/resources.ts";
import { decide, type Facts, nextBackoff, terminalPhase } from "./decide.ts";
import {
  type ContainerState,
  type Finished,
  newContainer,
  type PodState,
  type SandboxState,
} from "./state.ts";

const now = 1_000_000;
const facts: Facts = {
  now,
  networkReady: true,
  removed: false,
  sandboxRetryAt: 0,
  crashBackoffMs: 10_000,
  maxCrashBackoffMs: 300_000,
};
const sandbox: SandboxState = { id: "s", phase: "ready", netns: "/n", ips: ["10.0.0.1"], createdAt: 0 };
const end = (exitCode: number, ranMs = 1000): Finished => ({
  exitCode,
  reason: exitCode === 0 ? "Completed" : "Error",
  startedAt: now - ranMs,
  finishedAt: now,
});
const running = (more: Partial<ContainerState> = {}): ContainerState => ({
  ...newContainer(),
  run: { id: "r", startedAt: 0, process: { pid: 7, startTime: 1 } },
  started: true,
  ready: true,
  ...more,
});
const ended = (exitCode: number, more: Partial<ContainerState> = {}): ContainerState => ({
  ...newContainer(),
  finished: end(exitCode),
  ...more,
});

const state = (
  containers: Record<string, ContainerState>,
  more: Partial<PodState> = {},
  spec: Partial<PodSpec> = {},
): PodState => {
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "default", uid: "u" },
    spec: { containers: [{ name: "a" }, { name: "b" }], ...spec },
  };
  return { version: 1, pod, seenAt: 0, sandboxes: 1, sandbox, containers, ...more };
};
const leaving = (of: PodState, graceSeconds = 30): PodState => ({
  ...of,
  pod: {
    ...of.pod,
    metadata: {
      ...of.pod.metadata,
      deletionTimestamp: "2026-01-01T00:00:00Z",
      deletionGracePeriodSeconds: graceSeconds,
    },
  },
});
const without = ({ sandbox: _gone, ...rest }: PodState): PodState => rest;
const words = (of: PodState, more: Partial<Facts> = {}): string => {
  const step = decide(of, { ...facts, ...more });
  if (step.kind === "start") return `start ${step.containers.map(({ name }) => name).join(",")}`;
  if (step.kind === "stop") return `stop ${step.containers.join(",")} ${step.graceMs}`;
  if (step.kind === "kill") return `kill ${step.containers.join(",")}`;
  return step.kind === "wait" && step.until !== undefined ? `wait ${step.until - now}` : step.kind;
};

const init = { initContainers: [{ name: "i1" }, { name: "i2" }] };

describe("the next step of a pod", () => {
  test.each<[string, string, PodState, Partial<Facts>]>([
    ["a new pod gets a sandbox", "create-sandbox", without(state({})), {}],
    ["not before there is a network", "wait", without(state({})), { networkReady: false }],
    [
      "but a pod of the host network does",
      "create-sandbox",
      without(state({}, {}, { hostNetwork: true })),
      { networkReady: false },
    ],
    ["after a failure it waits", "wait 500", without(state({})), { sandboxRetryAt: now + 500 }],
    [
      "what an earlier kubelet did not finish is taken down",
      "remove-sandbox",
      state({}, { sandbox: { ...sandbox, phase: "removing" } }),
      {},
    ],
    ["all containers start together", "start a,b", state({}), {}],
    ["nothing to do while they run", "wait", state({ a: running(), b: running() }), {}],
    [
      "a crashed one starts again at once the first time",
      "start a",
      state({ a: ended(1, { backoff: { until: 0, ms: 0 } }), b: running() }),
      {},
    ],
    [
      "later after its back-off",
      "wait 9000",
      state({ a: ended(1, { backoff: { until: now + 9000, ms: 10_000 } }), b: running() }),
      {},
    ],
    [
      "OnFailure leaves a completed one alone",
      "wait",
      state({ a: ended(0), b: running() }, {}, { restartPolicy: "OnFailure" }),
      {},
    ],
    [
      "Never leaves a failed one alone",
      "wait",
      state({ a: ended(1), b: running() }, {}, { restartPolicy: "Never" }),
      {},
    ],
    ["init containers come first, in order", "start i1", state({}, {}, init), {}],
    ["one after the other", "wait", state({ i1: running() }, {}, init), {}],
    ["the second after the first", "start i2", state({ i1: ended(0) }, {}, init), {}],
    ["a failed one again", "start i1", state({ i1: ended(1) }, {}, init), {}],
    ["then the others", "start a,b", state({ i1: ended(0), i2: ended(0) }, {}, init), {}],
    [
      "all of them again in a new sandbox",
      "start i1",
      state({ i1: ended(0), i2: ended(0) }, { sandbox: { ...sandbox, createdAt: now } }, init),
      {},
    ],
    [
      "a side-car only has to start",
      "start a,b",
      state({ s: running() }, {}, { initContainers: [{ name: "s", restartPolicy: "Always" }] }),
      {},
    ],
    [
      "a deleted pod's containers are asked to end",
      "stop a,b 30000",
      leaving(state({ a: running(), b: running() })),
      {},
    ],
    [
      "and given time",
      "wait 5000",
      leaving(state({ a: running({ stopping: { since: now - 25_000, killAt: now + 5000 } }) })),
      {},
    ],
    [
      "a shorter time given later holds",
      "stop a 1000",
      leaving(state({ a: running({ stopping: { since: now, killAt: now + 30_000 } }) }), 1),
      {},
    ],
    [
      "then they are killed",
      "kill a",
      leaving(state({ a: running({ stopping: { since: now - 30_000, killAt: now } }) })),
      {},
    ],
    [
      "and waited for",
      "wait",
      leaving(state({ a: running({ stopping: { since: 0, killAt: 30_000, killed: true } }) })),
      {},
    ],
    ["then the sandbox goes", "remove-sandbox", leaving(state({ a: ended(143) })), {}],
    ["as often as it takes", "wait 800", leaving(state({ a: ended(143) })), { sandboxRetryAt: now + 800 }],
    ["then the pod", "finish", without(leaving(state({ a: ended(143) }))), {}],
    ["a pod that vanished goes the same way", "stop a 30000", state({ a: running() }), { removed: true }],
    [
      "a pod that is over gives its sandbox back",
      "remove-sandbox",
      state({ a: ended(0), b: ended(0) }, {}, { restartPolicy: "Never" }),
      {},
    ],
    [
      "and stays as an object",
      "wait",
      without(state({ a: ended(0), b: ended(0) }, {}, { restartPolicy: "Never" })),
      {},
    ],
    ["a lost sandbox takes its containers with it", "stop a 0", without(state({ a: running() })), {}],
    [
      "a failed liveness probe ends in a kill",
      "kill a",
      state({ a: running({ stopping: { since: 0, killAt: now } }), b: running() }),
      {},
    ],
    [
      "the deadline of a pod is waited for",
      "wait 50000",
      state({ a: running(), b: running() }, {}, { activeDeadlineSeconds: 1050 }),
      {},
    ],
    [
      "and ends it",
      "stop a,b 30000",
      state({ a: running(), b: running() }, {}, { activeDeadlineSeconds: 900 }),
      {},
    ],
  ])("%s: %s", (_name, expected, of, more) => {
    expect(words(of, more)).toBe(expected);
  });
});

test.each<[PodPhase | undefined, Record<string, ContainerState>, PodSpec["restartPolicy"]]>([
  [undefined, { a: ended(0), b: ended(0) }, "Always"],
  ["Succeeded", { a: ended(0), b: ended(0) }, "OnFailure"],
  ["Failed", { a: ended(1), b: ended(0) }, "Never"],
  [undefined, { a: ended(1), b: ended(0) }, "OnFailure"],
  [undefined, { a: ended(0), b: running() }, "Never"],
  [undefined, { a: ended(0) }, "Never"],
])("the end of a pod is %p", (phase, containers, restartPolicy) => {
  expect(terminalPhase(state(containers, {}, restartPolicy === undefined ? {} : { restartPolicy }))).toBe(
    phase,
  );
});

test("waits double from the second crash on, up to the longest, and begin anew after a long run", () => {
  const limits = { crashBackoffMs: 10_000, maxCrashBackoffMs: 35_000 };
  const waits: number[] = [];
  let backoff: ContainerState["backoff"];
  for (let crash = 0; crash < 5; crash++) {
    backoff = nextBackoff(backoff, end(1), limits);
    waits.push(backoff.ms);
  }
  expect(waits).toEqual([0, 10_000, 20_000, 35_000, 35_000]);
  expect(nextBackoff(backoff, end(1, 600_000), limits)).toEqual({ until: 0, ms: 0 });
});
