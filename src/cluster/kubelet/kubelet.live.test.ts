import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  deployments,
  type Event,
  events,
  nodes,
  type Pod,
  type PodSpec,
  pods,
} from "../../kube/resources.ts";
import { inNetns, Netns } from "../../linux/netns.ts";
import { allPids } from "../../linux/process.ts";
import { ClusterBed, echoDeployment, isReady } from "../test-bed.ts";
import { execInPod } from "./exec-client.ts";

const isRoot = process.getuid?.() === 0;
let bed: ClusterBed;

const shellPod = (name: string, script: string, spec: Partial<PodSpec> = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", labels: { app: name } },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: "sh", image: "busybox", command: ["sh", "-c", script] }],
    ...spec,
  },
});
const named = (name: string) => (all: Pod[]) => all.find(({ metadata }) => metadata.name === name);
/** Fewer than pods of the tests, so that some wait for their turn. */
const parallelSandboxes = 16;

const gone = (name: string) => bed.until(`the end of ${name}`, (all) => named(name)(all) === undefined);
const remove = async (name: string): Promise<void> => {
  await bed.client.delete(pods, name, { namespace: "default" });
  await gone(name);
};
const ready = (name: string): Promise<Pod> =>
  bed.until(`${name} to be ready`, (all) => {
    const pod = named(name)(all);
    return pod !== undefined && isReady(pod) && pod;
  });
const container = (pod: Pod | undefined) => pod?.status?.containerStatuses?.[0];

async function eventOf(name: string, reason: string): Promise<Event> {
  for (;;) {
    const { items } = await bed.client.list(events, { namespace: "default" });
    const found = items.find((event) => event.reason === reason && event.involvedObject.name === name);
    if (found !== undefined) return found;
    await Bun.sleep(50);
  }
}

/** Asks from the node's namespace, as a neighbour would. */
function ask(address: string, port: number, line: string): Promise<string> {
  using ns = Netns.open(bed.netns);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  inNetns(ns, () => {
    Bun.connect({
      hostname: address,
      port,
      socket: {
        open: (socket) => {
          socket.write(line);
        },
        data: (socket, data) => {
          socket.end();
          resolve(data.toString());
        },
        connectError: (_socket, error) => reject(error),
      },
    }).catch(reject);
  });
  return promise;
}

async function exec(
  pod: string,
  command: string[],
  input?: string,
): Promise<{ code: number; out: string; err: string }> {
  const out: Uint8Array[] = [];
  const err: Uint8Array[] = [];
  async function* stdin(): AsyncIterable<Uint8Array> {
    if (input !== undefined) yield new TextEncoder().encode(input);
  }
  const code = await execInPod({
    socket: bed.socket,
    namespace: "default",
    pod,
    command,
    stdin: stdin(),
    onStdout: (chunk) => out.push(chunk),
    onStderr: (chunk) => err.push(chunk),
  });
  return { code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() };
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

const logOf = async (pod: string, query = ""): Promise<Response> =>
  fetch(`http://kubelet/logs/default/${pod}/?${query}`, { unix: bed.socket });

/** The log once it has so many lines: a container is ready before it has written them. */
async function logLines(pod: string, lines: number): Promise<string> {
  for (;;) {
    const text = await (await logOf(pod)).text();
    if (text.split("\n").length > lines) return text;
    await Bun.sleep(20);
  }
}

/** The kubelet's own notes go a moment after the pod. */
async function nothingLeft(): Promise<void> {
  const left = (): string[] =>
    ["netns", "kubelet/pods", "logs"].flatMap((name) => readdirSync(join(bed.folder, name)));
  for (let turn = 0; turn < 100 && left().length > 0; turn++) await Bun.sleep(20);
  expect(left()).toEqual([]);
}

describe.skipIf(!isRoot)("a node", () => {
  beforeAll(async () => {
    bed = await ClusterBed.start({ parallelSandboxes, crashBackoffMs: 300 });
    bed.startKubelet();
  });
  afterAll(async () => {
    await bed[Symbol.asyncDispose]();
  });

  const condition = async () => {
    for (;;) {
      const node = await bed.client.get(nodes, bed.nodeName).catch(() => undefined);
      const found = node?.status?.conditions?.find(({ type }) => type === "Ready");
      if (found !== undefined) return { ...found, taints: node?.spec?.taints ?? [] };
      await Bun.sleep(20);
    }
  };

  test("is not ready before it has a network, and says so as a kubelet does", async () => {
    expect(await condition()).toMatchObject({
      status: "False",
      reason: "KubeletNotReady",
      message:
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized",
    });
    expect((await condition()).taints.map(({ key }) => key)).toContain("node.kubernetes.io/not-ready");
  });

  test("names the plugin and its words when a sandbox cannot be set up, and goes on trying", async () => {
    bed.setNetwork([{ type: "ptp", name: "aws-cni", ipam: { type: "host-local", ranges: [] } }]);
    await bed.client.create(pods, shellPod("unlucky", "sleep 100"));
    const { message = "", type } = await eventOf("unlucky", "FailedCreatePodSandBox");
    expect(type).toBe("Warning");
    expect(message).toMatch(
      /^Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "[0-9a-f]{64}": plugin type="ptp" name="aws-cni" failed \(add\): .+/,
    );
    expect(named("unlucky")(bed.pods())?.status?.phase).toBe("Pending");
    bed.setNetwork();
    await ready("unlucky");
    await remove("unlucky");
    await nothingLeft();
    expect(await condition()).toMatchObject({ status: "True", reason: "KubeletReady" });
  });

  test("pods go at once though their ADD waits, those that wait for their turn too", async () => {
    bed.setNetwork([{ type: "hold" }]);
    const names = Array.from({ length: parallelSandboxes + 2 }, (_, index) => `held-${index}`);
    await Promise.all(names.map((name) => bed.client.create(pods, shellPod(name, "sleep 100"))));
    const held = (): number =>
      readdirSync(join(bed.folder, "cni-bin")).filter((file) => file.startsWith("hold.")).length;
    try {
      await bed.until("sixteen ADDs that wait", () => held() === parallelSandboxes);
      await Promise.all(names.map(remove));
      expect(held()).toBe(parallelSandboxes);
      await nothingLeft();
    } finally {
      bed.setNetwork();
    }
  });

  test("runs a deployment, scales it down, and leaves nothing behind", async () => {
    await bed.client.create(deployments, echoDeployment("web", 5));
    const five = await bed.until("five ready pods", (all) => {
      const found = all.filter(isReady);
      return found.length === 5 && found;
    });
    const addresses = five.map((pod) => pod.status?.podIP ?? "");
    expect(new Set(addresses).size).toBe(5);
    for (const pod of five) {
      const [name, address] = (await ask(pod.status?.podIP ?? "", 8080, "whoami\n")).split(" ");
      expect([name, address]).toEqual([pod.metadata.name, pod.status?.podIP ?? ""]);
    }
    await bed.client.patch(deployments, "web", { spec: { replicas: 2 } }, { namespace: "default" });
    await bed.until("two pods", (all) => all.length === 2);
    expect(readdirSync(join(bed.folder, "netns"))).toHaveLength(2);
    await bed.client.delete(deployments, "web", { namespace: "default" });
    await bed.until("no pods", (all) => all.length === 0);
    await nothingLeft();
    expect(readdirSync(join(bed.folder, "ipam/bed")).filter((file) => file.startsWith("10."))).toEqual([]);
  }, 180_000);

  test("a kubelet that was killed finds its pods again, and what happened to them meanwhile", async () => {
    await bed.client.create(pods, shellPod("steady", "echo $$$$; sleep 1000"));
    await bed.client.create(pods, shellPod("brief", "sleep 1; exit 7", { restartPolicy: "Never" }));
    await bed.client.create(pods, shellPod("doomed", "sleep 1000"));
    const before = await ready("steady");
    await ready("brief");
    await ready("doomed");
    const pid = await logLines("steady", 1);
    await bed.killKubelet();
    await bed.client.delete(pods, "doomed", { namespace: "default", gracePeriodSeconds: 0 });
    await Bun.sleep(1200);
    bed.startKubelet();
    const brief = await bed.until("brief to be over", (all) => {
      const pod = named("brief")(all);
      return pod?.status?.phase === "Failed" && pod;
    });
    expect(container(brief)?.state?.terminated).toMatchObject({ exitCode: 7, reason: "Error" });
    const after = await ready("steady");
    expect(container(after)?.containerID).toBe(container(before)?.containerID ?? "none");
    expect(container(after)?.restartCount).toBe(0);
    expect(after.status?.podIP).toBe(before.status?.podIP ?? "none");
    expect(await exec("steady", ["cat", `/proc/${pid.trim()}/comm`])).toEqual({
      code: 0,
      out: "sh\n",
      err: "",
    });
    for (let turn = 0; turn < 100 && readdirSync(join(bed.folder, "netns")).length > 1; turn++)
      await Bun.sleep(50);
    expect(readdirSync(join(bed.folder, "netns"))).toHaveLength(1);
    await remove("steady");
    await remove("brief");
  }, 180_000);

  test("a container that crashes is started again, later and later", async () => {
    await bed.client.create(pods, shellPod("crash", "echo run; exit 3"));
    const pod = await bed.until("a crash loop", (all) => {
      const found = named("crash")(all);
      return container(found)?.state?.waiting?.reason === "CrashLoopBackOff" && found;
    });
    expect(container(pod)?.state?.waiting?.message).toContain(
      "restarting failed container=sh pod=crash_default",
    );
    expect(container(pod)?.lastState?.terminated?.exitCode).toBe(3);
    expect((await eventOf("crash", "BackOff")).message).toContain(
      "Back-off restarting failed container sh in pod crash_",
    );
    await bed.until("three restarts", (all) => (container(named("crash")(all))?.restartCount ?? 0) >= 3);
    expect(await (await logOf("crash", "previous=true")).text()).toBe("run\n");
    await remove("crash");
  }, 180_000);

  test("an image that nobody knows is named, with those that are known", async () => {
    await bed.client.create(pods, {
      ...shellPod("strange", ""),
      spec: { containers: [{ name: "c", image: "nginx:1" }] },
    });
    const pod = await bed.until("a refused image", (all) => {
      const found = named("strange")(all);
      return container(found)?.state?.waiting?.reason === "ErrImagePull" && found;
    });
    expect(container(pod)?.state?.waiting?.message).toContain("it knows the images eniverse/echo");
    await bed.until(
      "a back-off",
      (all) => container(named("strange")(all))?.state?.waiting?.reason === "ImagePullBackOff",
    );
    await remove("strange");
  });

  test("init containers, environment, mounts, host name, exec and logs are as a pod expects them", async () => {
    const place = join(bed.folder, "shared");
    const mounted = join(bed.folder, "mounted");
    const wanted = shellPod("full", "");
    wanted.spec.volumes = [
      { name: "shared", hostPath: { path: place, type: "DirectoryOrCreate" } },
      { name: "own", emptyDir: {} },
    ];
    const mounts = [
      { name: "shared", mountPath: `${mounted}/here` },
      { name: "own", mountPath: `${mounted}/own` },
    ];
    wanted.spec.initContainers = [
      {
        name: "first",
        image: "alpine",
        command: ["sh", "-c", `echo from init >${mounted}/here/note`],
        volumeMounts: mounts,
      },
    ];
    wanted.spec.containers = [
      {
        name: "sh",
        image: "alpine",
        command: [
          "sh",
          "-c",
          `cat ${mounted}/here/note; echo $(WHO) $(hostname); touch ${mounted}/own/x; sleep 1000`,
        ],
        env: [{ name: "WHO", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
        volumeMounts: mounts,
      },
    ];
    await bed.client.create(pods, wanted);
    const pod = await ready("full");
    expect(pod.status?.initContainerStatuses?.[0]?.state?.terminated?.reason).toBe("Completed");
    expect(await logLines("full", 2)).toBe("from init\nfull full\n");
    const seen = await exec(
      "full",
      ["sh", "-c", `hostname; ls ${mounted}/own; cat; ls /sys/class/net; exit 5`],
      "typed\n",
    );
    expect([seen.code, seen.out.split("\n").slice(0, 3)]).toEqual([5, ["full", "x", "typed"]]);
    expect((await exec("full", ["ip", "-br", "addr", "show", "eth0"])).out).toContain(
      pod.status?.podIP ?? "none",
    );
    expect(existsSync(join(place, "note"))).toBe(true);
    expect((await exec("full", ["no-such-program"])).code).not.toBe(0);
    expect(await (await logOf("full", "timestamps=true&tail=1")).text()).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z /,
    );
    // Old, once the kubelet has looked at it.
    while ((await (await logOf("full", `since=${Date.now() + 60_000}`)).text()) !== "") await Bun.sleep(20);
    await remove("full");
    expect(existsSync(join(mounted, "here/note"))).toBe(false);
  }, 180_000);

  test("probes decide on readiness and restarts", async () => {
    const wanted = shellPod("probed", "");
    const file = join(bed.folder, "ok");
    const probe = { exec: { command: ["test", "-e", file] }, periodSeconds: 1 };
    wanted.spec.containers = [
      {
        name: "sh",
        image: "busybox",
        command: ["sh", "-c", `sleep 0.3; touch ${file}; sleep 2; rm ${file}; sleep 1000`],
        readinessProbe: { ...probe, failureThreshold: 1 },
        livenessProbe: { ...probe, failureThreshold: 2, initialDelaySeconds: 1 },
      },
    ];
    await bed.client.create(pods, wanted);
    await bed.until(
      "the first start",
      (all) => container(named("probed")(all))?.state?.running !== undefined,
    );
    await ready("probed");
    await bed.until("a restart", (all) => container(named("probed")(all))?.restartCount === 1);
    expect((await eventOf("probed", "Unhealthy")).message).toMatch(/^(Readiness|Liveness) probe failed: /);
    await ready("probed");
    await remove("probed");
  }, 180_000);

  test("hooks run before the signal and after the start", async () => {
    const file = join(bed.folder, "hooks");
    const wanted = shellPod(
      "hooked",
      `trap 'echo term >>${file}; exit 0' TERM; : >${file}.set; while :; do sleep 0.05; done`,
    );
    const [first] = wanted.spec.containers;
    if (first === undefined) throw new Error("no container");
    const say = (word: string) => ({ exec: { command: ["sh", "-c", `echo ${word} >>${file}`] } });
    first.lifecycle = { postStart: say("start"), preStop: say("stop") };
    await bed.client.create(pods, wanted);
    await ready("hooked");
    // The hook has run, and the program is where the signal can be caught.
    while (!existsSync(file) || !existsSync(`${file}.set`)) await Bun.sleep(10);
    await remove("hooked");
    expect(readFileSync(file, "utf8")).toBe("start\nstop\nterm\n");
  });

  test("what still runs in a pod's network ends with the pod: commands of exec, children that ran away", async () => {
    const mark = `${process.pid}.125`;
    await bed.client.create(pods, shellPod("strayed", `setsid sleep 1${mark} & exec sleep 1000`));
    await ready("strayed");
    const command = exec("strayed", ["sleep", `2${mark}`]);
    const running = () => allPids().filter((pid) => commandLine(pid).endsWith(mark)).length;
    while (running() < 2) await Bun.sleep(10);
    await remove("strayed");
    expect((await command).code).toBe(137);
    while (running() > 0) await Bun.sleep(10);
    await nothingLeft();
  });

  test("a reboot takes the processes and sandboxes; the pods come back with new ones", async () => {
    await bed.client.create(pods, shellPod("lasting", "sleep 1000"));
    const before = await ready("lasting");
    const [netns] = readdirSync(join(bed.folder, "netns"));
    await bed.reboot();
    rmSync(join(bed.folder, "netns"), { recursive: true });
    bed.startKubelet();
    const after = await bed.until("a restart", (all) => {
      const pod = named("lasting")(all);
      return pod !== undefined && isReady(pod) && container(pod)?.restartCount === 1 && pod;
    });
    expect(after.metadata.uid).toBe(before.metadata.uid ?? "none");
    expect(readdirSync(join(bed.folder, "netns"))).not.toContain(netns ?? "none");
    expect(readdirSync(join(bed.folder, "netns"))).toHaveLength(1);
    expect((await eventOf("lasting", "SandboxChanged")).type).toBe("Normal");
    expect((await exec("lasting", ["ip", "-br", "addr", "show", "eth0"])).out).toContain(
      after.status?.podIP ?? "none",
    );
    await remove("lasting");
  }, 180_000);

  test("a pod that does not end by itself is killed after its grace period, children included", async () => {
    await bed.client.create(
      pods,
      shellPod("stubborn", "trap '' TERM; echo set; sleep 1000 & while :; do sleep 1000; done"),
    );
    await ready("stubborn");
    await logLines("stubborn", 1);
    const before = Date.now();
    await remove("stubborn");
    expect(Date.now() - before).toBeGreaterThan(900);
    await nothingLeft();
  });
});
