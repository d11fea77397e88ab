import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ResultCache } from "../../cni/cache.ts";
import {
  addNetwork,
  type ChainOptions,
  deleteNetwork,
  failureText,
  pluginVersions,
  type Sandbox,
} from "../../cni/chain.ts";
import { parseConfigList } from "../../cni/config.ts";
import { runExecutable } from "../../cni/invoke.ts";
import { TestBed } from "../../hostnet/test-bed.ts";
import { inNetns, type Netns } from "../../linux/netns.ts";
import { conflistText } from "../entrypoint/conflist.ts";
import { readEnvironment } from "../environment.ts";
import type { IpAllocationMetadata } from "../rpc/messages.ts";
import { nodeVersion } from "../version.ts";
import type { CniBackend } from "./backend.ts";
import { installFile, nodePlugins } from "./build.ts";
import { policyAgentDialer } from "./grpc.ts";
import { handleCniRequest } from "./handler.ts";
import { type CniServer, serveCni } from "./server.ts";
import { kernelWiring } from "./wiring.ts";

let bed: TestBed;
let server: CniServer | undefined;
let held: Map<string, IpAllocationMetadata>;

/** Gives the addresses 10.0.2.1, 10.0.2.2 … of the second ENI, whose table is 2. */
function backend(): CniBackend {
  return {
    addNetwork: async (request) => {
      const metadata = held.get(request.ContainerID) ?? {
        IPv4Addr: `10.0.2.${held.size + 1}`,
        IPv6Addr: "",
        DeviceNumber: 1,
        RouteTableId: 2,
      };
      held.set(request.ContainerID, metadata);
      return {
        Success: true,
        IPAllocationMetadata: [metadata],
        UseExternalSNAT: false,
        VPCv4CIDRs: ["10.0.0.0/16"],
        PodVlanId: 0,
        PodENIMAC: "",
        PodENISubnetGW: "",
        ParentIfIndex: 0,
        VPCv6CIDRs: [],
        NetworkPolicyMode: "",
      };
    },
    delNetwork: async (request) => {
      const metadata = held.get(request.ContainerID);
      if (metadata === undefined) throw new Error("rpc error: code = Unknown desc = datastore: unknown pod");
      held.delete(request.ContainerID);
      return { Success: true, IPAllocationMetadata: [metadata], PodVlanId: 0, NetworkPolicyMode: "" };
    },
  };
}

const list = () =>
  parseConfigList(
    conflistText({
      settings: readEnvironment({
        AWS_VPC_K8S_PLUGIN_LOG_FILE: join(bed.folder, "plugin.log"),
        AWS_VPC_K8S_EGRESS_V6_PLUGIN_LOG_FILE: join(bed.folder, "egress.log"),
      }).settings,
      nodeIp: "",
    }),
  );

/** The runtime and its plugins are in the node's namespace. */
const options = (): ChainOptions => ({
  path: [join(bed.folder, "bin"), "/usr/lib/cni"],
  cache: new ResultCache(join(bed.folder, "cache")),
  env: { PATH: process.env.PATH, AWS_CNI_SOCKET: join(bed.folder, "cni.sock") },
  run: (file, env, stdin, signal) => inNetns(bed.node, () => runExecutable(file, env, stdin, signal)),
});

const sandbox = (pod: Netns, name = "web"): Sandbox => ({
  containerId: `sandbox-of-${name}`,
  netns: pod.path,
  ifName: "eth0",
  args: [
    ["IgnoreUnknown", "1"],
    ["K8S_POD_NAMESPACE", "default"],
    ["K8S_POD_NAME", name],
    ["K8S_POD_INFRA_CONTAINER_ID", `sandbox-of-${name}`],
    ["K8S_POD_UID", "uid"],
  ],
  capabilityArgs: { "io.kubernetes.cri.pod-annotations": { note: "x" } },
});

const podRules = (): string[] => bed.ip(bed.node, "rule").filter((rule) => rule.includes("10.0.2."));

describe.skipIf(process.getuid?.() !== 0)("aws-cni through relay and socket", () => {
  beforeEach(() => {
    bed = new TestBed();
    held = new Map();
    mkdirSync(join(bed.folder, "bin"));
    for (const { name, content } of nodePlugins()) installFile(join(bed.folder, "bin"), name, content, 0o755);
    const parts = {
      host: bed.host,
      hostRoot: "",
      backend: backend(),
      wiring: kernelWiring(bed.host),
      dialPolicyAgent: policyAgentDialer(),
      version: nodeVersion,
    };
    server = serveCni((request) => handleCniRequest(request, parts), join(bed.folder, "cni.sock"));
  });
  afterEach(() => {
    server?.close();
    bed[Symbol.dispose]();
  });

  test("ADD of the whole chain connects the pod; DEL leaves nothing; both may be repeated", async () => {
    const pod = bed.netns("pod");
    const before = bed.ip(bed.node, "-4", "route", "show", "table", "all");
    for (let round = 0; round < 2; round++) {
      const result = await addNetwork(list(), sandbox(pod), options());
      expect(result).toMatchObject({
        cniVersion: "0.4.0",
        interfaces: [
          { name: expect.stringMatching(/^eni[0-9a-f]{11}$/) },
          { name: "eth0", mac: "2", sandbox: pod.path },
          { name: expect.stringMatching(/^dummy[0-9a-f]{11}$/), mac: "0", sandbox: "1" },
        ],
        ips: [{ version: "4", interface: 1, address: "10.0.2.1/32" }],
      });
      expect(bed.reaches(pod, "10.0.1.10")).toBe(true);
    }
    expect(podRules()).toEqual(["1536: from 10.0.2.1 lookup 2", "512: from all to 10.0.2.1 lookup main"]);
    for (let round = 0; round < 2; round++) await deleteNetwork(list(), sandbox(pod), options());
    expect(held.size).toBe(0);
    expect(podRules()).toEqual([]);
    expect(bed.ip(bed.node, "-4", "route", "show", "table", "all")).toEqual(before);
    expect(readFileSync(join(bed.folder, "plugin.log"), "utf8")).toContain("CNI ADD succeeded");
  });

  test("the relay of egress-cni speaks for egress-cni", async () => {
    const pod = bed.netns("pod");
    const enabled = parseConfigList(
      list()
        .source.replace('"enabled": "false"', '"enabled": "true"')
        .replace('"nodeIP": ""', '"nodeIP": "10.0.1.10"')
        .replace("fd00::ac:0/118", "169.254.172.0/22")
        .replace("::/0", "0.0.0.0/0")
        .replace("/run/cni/v4pd/egress-v6-ipam", join(bed.folder, "ipam")),
    );
    const result = await addNetwork(enabled, sandbox(pod), options());
    expect(result.interfaces).toHaveLength(5);
    expect(held.size).toBe(1);
    expect(bed.ip(pod, "route")).toContain("169.254.172.1 dev v4if0 scope link src 169.254.172.2");
    await deleteNetwork(enabled, sandbox(pod), options());
    expect(bed.run(bed.node, "iptables", "-t", "nat", "-S")).not.toContain("CNI-E4");
    expect(held.size).toBe(0);
  });

  test("sixteen pods at once", async () => {
    const pods = Array.from({ length: 16 }, (_, number) => ({
      name: `web-${number}`,
      netns: bed.netns(`pod-${number}`),
    }));
    await Promise.all(pods.map(({ name, netns }) => addNetwork(list(), sandbox(netns, name), options())));
    expect(podRules().length).toBe(32);
    for (const { netns } of pods) expect(bed.reaches(netns, "10.0.1.10")).toBe(true);
    await Promise.all(pods.map(({ name, netns }) => deleteNetwork(list(), sandbox(netns, name), options())));
    expect(podRules()).toEqual([]);
  });

  test("says its versions through the socket", async () => {
    expect(await pluginVersions("aws-cni", options())).toContain("1.1.0");
  });

  test("a namespace that is not there is an error, and the address is given back", async () => {
    const gone = { ...sandbox(bed.node), netns: join(bed.folder, "nowhere") };
    const thrown = await addNetwork(list(), gone, options()).catch(failureText);
    expect(thrown).toStartWith(
      'plugin type="aws-cni" name="aws-cni" failed (add): add command: failed to setup network: ',
    );
    expect(held.size).toBe(0);
    expect(podRules()).toEqual([]);
  });

  test("while ipamd is away ADD fails with gRPC's word and DEL works from the result", async () => {
    const pod = bed.netns("pod");
    await addNetwork(list(), sandbox(pod), options());
    server?.close();
    server = undefined;
    const away = {
      ...options(),
      env: {
        PATH: process.env.PATH,
        AWS_CNI_SOCKET: join(bed.folder, "nobody.sock"),
        AWS_CNI_IPAMD_SOCKET: join(bed.folder, "nobody-else.sock"),
      },
    };
    const other = bed.netns("other");
    expect(await addNetwork(list(), sandbox(other, "other"), away).catch(failureText)).toStartWith(
      'plugin type="aws-cni" name="aws-cni" failed (add): add cmd: Error received from AddNetwork gRPC call:' +
        " rpc error: code = Unavailable desc = ",
    );
    expect(podRules().length).toBe(2);
    await deleteNetwork(list(), sandbox(pod), away);
    expect(podRules()).toEqual([]);
  });
});
