import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseIpv4 } from "../../addr/ipv4.ts";
import { ResultCache } from "../../cni/cache.ts";
import { addNetwork, type ChainOptions, deleteNetwork, failureText, type Sandbox } from "../../cni/chain.ts";
import { type NetworkConfigList, parseConfigList } from "../../cni/config.ts";
import { type RunExecutable, runExecutable } from "../../cni/invoke.ts";
import { isObject } from "../../cni/json.ts";
import { hostVethName } from "../../hostnet/names.ts";
import { setUpPodNetwork } from "../../hostnet/pod-network.ts";
import { TestBed } from "../../hostnet/test-bed.ts";
import { deleteNetns, inNetns, type Netns } from "../../linux/netns.ts";
import { writeSysctl } from "../../linux/sysctl.ts";
import { installFile, nodePlugins } from "../plugin/build.ts";

let bed: TestBed;
const ready = process.getuid?.() === 0 && existsSync("/usr/lib/cni/host-local");

/** egress-cni as an executable after a plugin that stands for aws-cni, run in the node's namespace. */
function network(nodeIp: string, family: 4 | 6, more: object = {}): NetworkConfigList {
  return parseConfigList(
    JSON.stringify({
      cniVersion: "0.4.0",
      name: "aws-cni",
      plugins: [
        {
          type: "egress-cni",
          mtu: "1400",
          enabled: "true",
          nodeIP: nodeIp,
          randomizeSNAT: "prng",
          ipam: {
            type: "host-local",
            ranges: [[{ subnet: family === 4 ? "169.254.172.0/22" : "fd00::ac:00/118" }]],
            routes: [{ dst: family === 4 ? "0.0.0.0/0" : "::/0" }],
            dataDir: join(bed.folder, "ipam"),
          },
          pluginLogFile: join(bed.folder, "egress.log"),
          prevResult: { interfaces: [{ name: "eth0" }], ips: [], dns: {} },
          ...more,
        },
      ],
    }),
  );
}

const inNode: RunExecutable = (file, env, stdin, signal) =>
  inNetns(bed.node, () => runExecutable(file, env, stdin, signal));

const options = (): ChainOptions => ({
  path: [join(bed.folder), "/usr/lib/cni"],
  cache: new ResultCache(join(bed.folder, "cache")),
  env: { PATH: process.env.PATH, AWS_CNI_SOCKET: join(bed.folder, "nobody.sock") },
  run: inNode,
});

const sandbox = (pod: Netns, containerId: string): Sandbox => ({
  containerId,
  netns: pod.path,
  ifName: "eth0",
  args: [],
  capabilityArgs: {},
});

const nat = (program: string): string[] =>
  bed
    .run(bed.node, program, "-t", "nat", "-S")
    .split("\n")
    .filter((line) => !line.startsWith("-P") && line !== "");

const held = (): string[] =>
  readdirSync(join(bed.folder, "ipam", "aws-cni")).filter((name) => /^(169|fd00)/.test(name));

describe.skipIf(!ready)("egress-cni (S49)", () => {
  beforeEach(() => {
    bed = new TestBed();
    // Nobody listens for relays here, so that it is the whole program that runs.
    for (const { name, content } of nodePlugins()) installFile(bed.folder, name, content, 0o755);
  });
  afterEach(() => bed[Symbol.dispose]());

  test("an IPv6 pod reaches the IPv4 world as its node", async () => {
    const pod = bed.netns("pod");
    const result = await addNetwork(network("10.0.1.10", 4), sandbox(pod, "containerId-123"), options());
    const chain = "CNI-E4-5740307710ebfd5fb24f5";
    const comment = '-m comment --comment "name: \\"aws-cni\\" id: \\"containerId-123\\""';
    expect(nat("iptables")).toEqual([
      `-N ${chain}`,
      `-A POSTROUTING -s 169.254.172.2/32 ${comment} -j ${chain}`,
      `-A ${chain} -d 224.0.0.0/4 ${comment} -j ACCEPT`,
      `-A ${chain} ${comment} -j SNAT --to-source 10.0.1.10 --random-fully`,
    ]);
    expect(bed.ip(pod, "-4", "route")).toEqual([
      "169.254.172.0/22 via 169.254.172.1 dev v4if0 src 169.254.172.2",
      "169.254.172.1 dev v4if0 scope link src 169.254.172.2",
      "default via 169.254.172.1 dev v4if0",
    ]);
    const interfaces = Array.isArray(result.interfaces) ? result.interfaces : [];
    const [, hostEnd, podEnd] = interfaces.map((item) => (isObject(item) ? item : {}));
    expect(interfaces.length).toBe(3);
    expect(hostEnd?.name).toMatch(/^veth[0-9a-f]{8}$/);
    expect(podEnd).toMatchObject({ name: "v4if0", sandbox: pod.path });
    expect(result.ips).toBeUndefined();
    expect(bed.ip(bed.node, "route", "show", "169.254.172.2")).toEqual([
      `169.254.172.2 dev ${hostEnd?.name} scope link`,
    ]);
    // The world has no route to 169.254.172.0/22: an answer means that the source was the node's.
    expect(bed.reaches(pod, "10.0.1.1")).toBe(true);

    await deleteNetwork(network("10.0.1.10", 4), sandbox(pod, "containerId-123"), options());
    expect(nat("iptables")).toEqual([]);
    expect(held()).toEqual([]);
    await deleteNetwork(network("10.0.1.10", 4), sandbox(pod, "containerId-123"), options());
  });

  test("an IPv4 pod reaches the IPv6 world as its node", async () => {
    bed.run(bed.node, "ip", "addr", "add", "2001:db8::10/64", "dev", "eth0", "nodad");
    bed.run(bed.world, "ip", "addr", "add", "2001:db8::1/64", "dev", "to-eth0", "nodad");
    // Link-local addresses that need no time to find out whether they are free.
    bed.run(bed.node, "ip", "addr", "add", "fe80::10/64", "dev", "eth0", "nodad");
    bed.run(bed.world, "ip", "addr", "add", "fe80::1/64", "dev", "to-eth0", "nodad");
    writeSysctl("net.ipv6.conf.all.forwarding", 1, bed.node);
    const pod = bed.netns("pod");
    await setUpPodNetwork(bed.host, pod.path, [
      {
        index: 0,
        hostName: hostVethName("eni", "default", "web"),
        containerName: "eth0",
        address: parseIpv4("10.0.2.17"),
        routeTable: 254,
        mtu: 1400,
      },
    ]);
    await addNetwork(network("2001:db8::10", 6), sandbox(pod, "containerId-789"), options());
    const chain = "CNI-E6-e335b08ae90730d0a659a";
    expect(nat("ip6tables").map((rule) => rule.replace(/-m comment --comment ".*" /, ""))).toEqual([
      `-N ${chain}`,
      `-A POSTROUTING -s fd00::ac:2/128 -j ${chain}`,
      `-A ${chain} -d ff00::/8 -j ACCEPT`,
      `-A ${chain} -j SNAT --to-source 2001:db8::10 --random-fully`,
    ]);
    expect(bed.ip(pod, "-6", "-o", "addr", "show", "dev", "eth0")).toEqual([]);
    expect(bed.ip(pod, "-6", "route", "show", "default")[0]).toMatch(/^default via fe80::\S+ dev v6if0/);
    expect(bed.reaches(pod, "2001:db8::1")).toBe(true);
    expect(bed.reaches(pod, "10.0.1.1")).toBe(true);
    await deleteNetwork(network("2001:db8::10", 6), sandbox(pod, "containerId-789"), options());
    expect(nat("ip6tables")).toEqual([]);
  });

  test("two pods keep apart, and a pod that is gone already leaves nothing behind", async () => {
    const [first, second] = [bed.netns("first"), bed.netns("second")];
    await addNetwork(network("10.0.1.10", 4), sandbox(first, "c1"), options());
    await addNetwork(network("10.0.1.10", 4), sandbox(second, "c2"), options());
    expect(held().sort()).toEqual(["169.254.172.2", "169.254.172.3"]);
    deleteNetns(first.path);
    await deleteNetwork(network("10.0.1.10", 4), { ...sandbox(first, "c1"), netns: "" }, options());
    expect(nat("iptables").length).toBe(4);
    expect(nat("iptables").join("\n")).not.toContain("169.254.172.2/32");
    expect(bed.reaches(second, "10.0.1.1")).toBe(true);
  });

  test("a failure gives the address back and leaves no device and no chain", async () => {
    const pod = bed.netns("pod");
    bed.run(pod, "ip", "link", "add", "v4if0", "type", "veth", "peer", "name", "other");
    const links = bed.ip(bed.node, "-o", "link").length;
    const thrown = await addNetwork(network("10.0.1.10", 4), sandbox(pod, "c1"), options()).catch(
      failureText,
    );
    expect(thrown).toContain("EEXIST");
    expect(held()).toEqual([]);
    expect(bed.ip(bed.node, "-o", "link").length).toBe(links);
    expect(nat("iptables")).toEqual([]);
  });
});
