import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import { formatIpv4 } from "../../addr/ipv4.ts";
import { realClock } from "../../base/clock.ts";
import { seededRandom } from "../../base/random.ts";
import type { Cloud } from "../../cloud/cloud.ts";
import { defaultConfig } from "../../cloud/config.ts";
import { createFabric, destroyFabric, type LiveFabric } from "../../cloud/fabric/fabric.ts";
import { type Machine, machinesOf, startMachine } from "../../cloud/machine/machine.ts";
import { createCloud } from "../../cloud/service.ts";
import { inNetns, Netns } from "../../linux/netns.ts";
import { manifestEnvironment } from "../environment.ts";
import { checkHealth } from "../health-probe/check.ts";
import { decodeResponse, encodeRequest } from "../plugin/protocol.ts";
import { loadRpc } from "../rpc/load.ts";
import type { AddNetworkReply, NetworkPolicyAgentConfigReply } from "../rpc/messages.ts";
import type { PoolPage } from "./pool-page.ts";
import { addRequest, delRequest, failureOf } from "./test-node.ts";

const isRoot = process.getuid?.() === 0;
const lab = `ipamd-test-${process.pid}`;
const program = fileURLToPath(new URL("./main.ts", import.meta.url));
const introspection = "/run/aws-node/introspection.sock";

/** ipamd as its own process on a machine of the local cloud: real IMDS, real EC2 calls, real links and rules. */
describe.skipIf(!isRoot)("ipamd on a machine of the local cloud", () => {
  let cloud: Cloud;
  let fabric: LiveFabric;
  let machine: Machine;
  let child: ChildProcess;
  const listeners: { stop(): unknown }[] = [];
  const path = (name: string): string => `${machine.rootPath}${name}`;

  /** Starts ipamd and resolves when it is healthy; with how long that took. */
  async function start(env: Readonly<Record<string, string>> = {}): Promise<number> {
    const startedAt = performance.now();
    // Without a policy mode no agent is asked; there is none on this machine.
    const { NETWORK_POLICY_ENFORCING_MODE: _, ...manifest } = manifestEnvironment("aws-node");
    child = machine.spawn([process.execPath, program], {
      env: {
        ...manifest,
        AWS_VPC_K8S_CNI_LOG_FILE: "/var/log/ipamd.log",
        AWS_ENDPOINT_URL_EC2: "http://169.254.169.249",
        INTROSPECTION_BIND_ADDRESS: `unix:${introspection}`,
        AWS_VPC_ENI_MTU: "1500",
        ...env,
      },
      stdio: ["ignore", "inherit", "inherit"],
    });
    const question = { connectTimeoutMs: 1000, rpcTimeoutMs: 1000, service: "" };
    while (
      (await checkHealth({ ...question, address: `unix:${path("/run/aws-node/ipamd.sock")}` })).exitCode !== 0
    ) {
      if (child.exitCode !== null || performance.now() - startedAt > 5000)
        throw new Error(`ipamd: ${readFileSync(path("/var/log/ipamd.log"), "utf8")}`);
      await Bun.sleep(10);
    }
    return performance.now() - startedAt;
  }

  function end(signal: NodeJS.Signals): Promise<number | null> {
    const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
    child.kill(signal);
    return ended;
  }

  /** A client built from the proto file, as the official plugin's is. */
  function call<Reply>(
    method: string,
    request: object,
    service: "CNIBackend" | "ConfigServerBackend" = "CNIBackend",
  ) {
    const address = `unix:${path("/run/aws-node/ipamd.sock")}`;
    const client = new (loadRpc()[service])(address, credentials.createInsecure());
    const send = Reflect.get(client, method) as (
      request: object,
      done: (error: ServiceError | null, reply: Reply) => void,
    ) => void;
    return new Promise<Reply>((resolve, reject) => {
      send.call(client, request, (error, reply) => {
        client.close();
        if (error === null) resolve(reply);
        else reject(error);
      });
    });
  }

  const add = (pod: string) => call<AddNetworkReply>("AddNetwork", addRequest(pod));
  const ask = async <T>(page: string): Promise<T> =>
    (await (await fetch(`http://node${page}`, { unix: path(introspection) })).json()) as T;

  /** What a program prints on the machine. */
  async function on(...argv: readonly [string, ...string[]]): Promise<string> {
    const running = machine.spawn([...argv], { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    running.stdout?.on("data", (chunk) => {
      text += String(chunk);
    });
    running.stderr?.on("data", (chunk) => {
      text += String(chunk);
    });
    await new Promise((resolve) => running.once("close", resolve));
    return text;
  }

  /** Whether a pod reaches a service outside the VPC's blocks. */
  const reach = (pod: string): Promise<string> =>
    on(
      "ip",
      "netns",
      "exec",
      pod,
      "timeout",
      "3",
      "bash",
      "-c",
      ": </dev/tcp/169.254.169.249/80 && printf reached",
    );

  /** Secondary addresses of the instance's ENIs by EC2's word, by device index. */
  const held = (): number[] =>
    [...cloud.state.enis.values()]
      .filter((eni) => eni.attachment?.instanceId === machine.instanceId)
      .sort((a, b) => (a.attachment?.deviceIndex ?? 0) - (b.attachment?.deviceIndex ?? 0))
      .map((eni) => eni.addresses.length - 1);

  async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
    const limit = performance.now() + 60_000;
    while (!(await check())) {
      if (performance.now() > limit) throw new Error(`${what} did not come about`);
      await Bun.sleep(20);
    }
  }

  /** A plugin call over the relay's socket; exit code and the JSON on standard output. */
  async function cni(command: string, pod: string, netns: string) {
    const config = {
      cniVersion: "0.4.0",
      name: "aws-cni",
      type: "aws-cni",
      mtu: "1500",
      vethPrefix: "eni",
      pluginLogFile: "/var/log/plugin.log",
    };
    const request = encodeRequest({
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: `sandbox-${pod}`,
        CNI_NETNS: netns,
        CNI_IFNAME: "eth0",
        CNI_PATH: "/opt/cni/bin",
        CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod};K8S_POD_INFRA_CONTAINER_ID=sandbox-${pod}`,
      },
      stdin: new TextEncoder().encode(JSON.stringify(config)),
    });
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    const chunks: Uint8Array[] = [];
    const socket = await Bun.connect({
      unix: path("/run/aws-node/cni.sock"),
      socket: {
        data: (_socket, chunk) => {
          chunks.push(chunk.slice());
        },
        close: () => resolve(Buffer.concat(chunks)),
      },
    });
    socket.write(request);
    const response = decodeResponse(await promise);
    return { exitCode: response?.exitCode, result: JSON.parse(response?.stdout || "{}") };
  }

  beforeAll(async () => {
    fabric = await createFabric({ labName: lab });
    cloud = createCloud({ config: defaultConfig(1), clock: realClock, random: seededRandom(1) });
    cloud.connect({
      applyFabric: (spec) => fabric.apply(spec),
      createMachine: async ({ instanceId }) => {
        machine = await startMachine({ lab, instanceId, hostname: "node" });
        fabric.addPlace(instanceId, machine.netnsPath);
      },
    });
    await cloud.resume();
    using router = Netns.open(fabric.routerNetns);
    listeners.push(inNetns(router, () => cloud.listenImds("169.254.169.254", 80)));
    listeners.push(
      inNetns(router, () =>
        Bun.serve({ hostname: "169.254.169.249", port: 80, fetch: (request) => cloud.endpoint(request) }),
      ),
    );
    const [subnet] = cloud.network.subnets;
    const [instance] = await cloud.runInstances({
      instanceType: "m5.large",
      subnetId: subnet?.subnetId ?? "",
    });
    const primary = cloud.state.enis.get(instance?.eniIds[0] ?? "");
    const network = cloud.state.subnets.get(primary?.subnetId ?? "");
    const address = primary?.addresses[0];
    if (address === undefined || network === undefined) throw new Error("no instance");
    machine.primaryUp({ device: "eth0", address, subnet: network.cidr, mtu: 1500 });
  }, 180_000);

  afterAll(async () => {
    child?.kill("SIGKILL");
    for (const listener of listeners) listener.stop();
    cloud?.close();
    await destroyFabric(lab);
    for (const left of machinesOf(lab)) await left.stop();
  });

  test("serves within seconds and comes to rest with one ENI and nine addresses", async () => {
    const took = await start({ NETWORK_POLICY_ENFORCING_MODE: "standard" });
    expect(took).toBeLessThan(5000);
    await until("nine addresses", () => held().join() === "9");
    expect(await on("iptables", "-t", "nat", "-S", "AWS-SNAT-CHAIN-0")).toContain("--random-fully");
    expect(await on("ls", "-l", "/var/run/aws-node/ipamd.sock")).toStartWith("srw-rw----");
  }, 180_000);

  test("a pod over gRPC, the second ENI it brings, DEL", async () => {
    const reply = await add("web-0");
    expect(reply.Success).toBe(true);
    expect(reply.VPCv4CIDRs).toEqual(["192.168.0.0/16"]);
    expect(reply.IPAllocationMetadata[0]).toMatchObject({ DeviceNumber: 0, RouteTableId: 254 });
    await until("the second ENI", () => held().join() === "9,9");
    await until("its routes", async () =>
      (await on("ip", "route", "show", "table", "2")).includes("default via"),
    );
    expect((await add("web-0")).IPAllocationMetadata).toEqual(reply.IPAllocationMetadata);
    await call("DelNetwork", delRequest("web-0"));
    const unknown = await failureOf(call("DelNetwork", delRequest("web-0")));
    expect(String(unknown)).toContain("datastore: unknown pod");
  }, 180_000);

  test("a pod over the relay's socket is wired in this process", async () => {
    await on("ip", "netns", "add", "pod-1");
    const added = await cni("ADD", "pod-1", "/var/run/netns/pod-1");
    expect(added.exitCode).toBe(1);
    // The policy agent is not there: the plugin's own text, and the address is given back by the runtime's DEL.
    expect(added.result.msg).toContain("failed to setup network policy");
    await cni("DEL", "pod-1", "/var/run/netns/pod-1");
  }, 180_000);

  test("kill -9: pods are found again, addresses are never given twice", async () => {
    await end("SIGKILL");
    const env = { IP_COOLDOWN_PERIOD: "0" };
    await start(env);
    const given = new Map<string, string>();
    for (let index = 0; index < 12; index++) {
      await on("ip", "netns", "add", `p${index}`);
      const { exitCode, result } = await cni("ADD", `p${index}`, `/var/run/netns/p${index}`);
      expect([exitCode, result.msg]).toEqual([0, undefined]);
      given.set(`p${index}`, result.ips[0].address);
    }
    expect(new Set(given.values()).size).toBe(12);
    expect(await reach("p3")).toBe("reached");
    await end("SIGKILL");
    // Pods keep their network while ipamd is away.
    expect(await reach("p3")).toBe("reached");
    await on("ip", "netns", "delete", "p5");
    await start(env);
    const pool = await ask<PoolPage>("/v1/pool");
    const assigned = pool.addresses.filter(({ state }) => state === "assigned");
    expect(assigned).toHaveLength(11);
    for (const entry of assigned) expect(given.get(entry.pod?.name ?? "")).toBe(`${entry.address}/32`);
    expect(await on("ip", "rule")).not.toContain(given.get("p5")?.replace("/32", "") ?? "x");
    for (const pod of given.keys()) await cni("DEL", pod, `/var/run/netns/${pod}`);
    expect((await ask<PoolPage>("/v1/pool")).cards[0]?.assigned).toBe(0);
  }, 180_000);

  test("introspection, metrics and the policy agent's question", async () => {
    expect(await ask<object>("/v1/enis")).toHaveProperty("0.ENIs");
    const decisions = await ask<{ reason: { rule: string } }[]>("/v1/decisions");
    expect(decisions.map(({ reason }) => reason.rule)).toContain("enough");
    const metrics = await on(
      "bash",
      "-c",
      "exec 3<>/dev/tcp/127.0.0.1/61678; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3",
    );
    expect(metrics).toContain("awscni_eni_max 3");
    expect(metrics).toContain("awscni_ip_max 27");
    const config = await call<NetworkPolicyAgentConfigReply>(
      "GetNetworkPolicyConfigs",
      {},
      "ConfigServerBackend",
    );
    const primary = [...cloud.state.enis.values()].find((eni) => eni.attachment?.deviceIndex === 0);
    expect(config).toMatchObject({
      InstanceID: machine.instanceId,
      Region: "us-west-2",
      NodeIPv4: formatIpv4(primary?.addresses[0] ?? (0 as never)),
    });
    expect(config.NodeIPv6).toBe("");
  });

  test("SIGTERM ends it cleanly and soon", async () => {
    const startedAt = performance.now();
    expect(await end("SIGTERM")).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(3000);
    expect(cloud.check()).toEqual([]);
  });
});
