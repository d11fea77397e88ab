import { describe, expect, test } from "bun:test";
import type { Pod, PodSpec, PodStatus } from "../../kube/resources.ts";
import { type ContainerState, newContainer, type PodState } from "./state.ts";
import { goDuration, podStatus, qosClass } from "./status.ts";

const now = Date.parse("2026-01-01T00:01:00Z");
const facts = { now, nodeIp: "10.0.0.5" };

const state = (
  containers: Record<string, ContainerState>,
  spec: Partial<PodSpec> = {},
  status?: PodStatus,
): PodState => {
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web-1", namespace: "default", uid: "u-1" },
    spec: { containers: [{ name: "c", image: "busybox" }], ...spec },
    ...(status !== undefined && { status }),
  };
  const sandbox = {
    id: "s",
    phase: "ready" as const,
    netns: "/n",
    ips: ["10.0.1.7", "fd00::7"],
    createdAt: 0,
  };
  return { version: 1, pod, seenAt: now - 60_000, sandboxes: 1, sandbox, containers };
};
const running: ContainerState = {
  ...newContainer(),
  run: { id: "abc", startedAt: now, process: { pid: 2, startTime: 3 } },
  started: true,
  ready: true,
};
const finished = { exitCode: 1, reason: "Error", startedAt: now - 2000, finishedAt: now - 1000 };
const word = (status: PodStatus, type: string): string =>
  status.conditions?.find((each) => each.type === type)?.status ?? "";

describe("the status of a pod", () => {
  test("that runs", () => {
    const status = podStatus(state({ c: running }), facts);
    expect(status).toMatchObject({
      phase: "Running",
      podIP: "10.0.1.7",
      podIPs: [{ ip: "10.0.1.7" }, { ip: "fd00::7" }],
      hostIP: "10.0.0.5",
      startTime: "2026-01-01T00:00:00Z",
      containerStatuses: [
        {
          name: "c",
          ready: true,
          image: "docker.io/library/busybox:latest",
          containerID: "containerd://abc",
        },
      ],
    });
    expect(
      ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map((type) => word(status, type)),
    ).toEqual(["True", "True", "True", "True"]);
  });

  test("that is being made", () => {
    const status = podStatus(state({}), facts);
    expect(status.phase).toBe("Pending");
    expect(status.containerStatuses?.[0]?.state).toEqual({ waiting: { reason: "ContainerCreating" } });
    expect(word(status, "Ready")).toBe("False");
  });

  test("that waits for its init containers", () => {
    const status = podStatus(state({ i: running }, { initContainers: [{ name: "i" }] }), facts);
    expect(status.phase).toBe("Pending");
    expect(status.containerStatuses?.[0]?.state).toEqual({ waiting: { reason: "PodInitializing" } });
    expect(status.initContainerStatuses?.[0]).toMatchObject({ ready: false, state: { running: {} } });
    expect(word(status, "Initialized")).toBe("False");
  });

  test("whose container crashes", () => {
    const crashed = {
      ...newContainer(),
      restartCount: 2,
      finished,
      backoff: { until: now + 19_000, ms: 20_000 },
    };
    const [container] = podStatus(state({ c: crashed }), facts).containerStatuses ?? [];
    expect(container).toMatchObject({
      restartCount: 2,
      ready: false,
      lastState: { terminated: { exitCode: 1, reason: "Error" } },
      state: {
        waiting: {
          reason: "CrashLoopBackOff",
          message: "back-off 20s restarting failed container=c pod=web-1_default(u-1)",
        },
      },
    });
  });

  test("of the host network has the node's address", () => {
    expect(podStatus(state({ c: running }, { hostNetwork: true }), facts).podIP).toBe("10.0.0.5");
  });

  test("that is over", () => {
    const done = { ...newContainer(), finished: { ...finished, exitCode: 0, reason: "Completed" } };
    const status = podStatus(state({ c: done }, { restartPolicy: "Never" }), facts);
    expect(status.phase).toBe("Succeeded");
    expect(status.conditions?.find(({ type }) => type === "Ready")).toMatchObject({
      status: "False",
      reason: "PodCompleted",
    });
    expect(podStatus(state({ c: { ...done, finished } }, { restartPolicy: "Never" }), facts).phase).toBe(
      "Failed",
    );
  });

  test("keeps the time of a condition that did not change, and conditions of others", () => {
    const before = podStatus(state({ c: running }), { ...facts, now: now - 30_000 });
    before.conditions?.push({ type: "example.com/gate", status: "True" });
    const after = podStatus(state({ c: { ...running, ready: false } }, {}, before), facts);
    const time = (type: string): string | undefined =>
      after.conditions?.find((each) => each.type === type)?.lastTransitionTime;
    expect(time("Initialized")).toBe("2026-01-01T00:00:30Z");
    expect(time("Ready")).toBe("2026-01-01T00:01:00Z");
    expect(word(after, "example.com/gate")).toBe("True");
  });
});

test.each([
  [500, "500ms"],
  [10_000, "10s"],
  [80_000, "1m20s"],
  [300_000, "5m0s"],
])("%d ms are %s", (ms, text) => expect(goDuration(ms)).toBe(text));

test.each<[string, object]>([
  ["BestEffort", {}],
  ["Burstable", { requests: { cpu: "1" } }],
  ["Guaranteed", { limits: { cpu: "1", memory: "1Gi" } }],
  ["Burstable", { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m" } }],
])("quality %s of %j", (quality, resources) => {
  expect(qosClass(state({}, { containers: [{ name: "c", resources }] }).pod)).toBe(quality as "BestEffort");
});
