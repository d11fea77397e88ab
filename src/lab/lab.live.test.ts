import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { endpoints } from "../kube/resources.ts";
import { findHolders } from "../linux/holder.ts";
import { childPids, identityOf } from "../linux/process.ts";
import type { LabMachine } from "./control.ts";
import { comparePictures, takeHostPicture } from "./host-picture.ts";
import { type AddressRow, labBed, until } from "./lab-bed.ts";
import { runningLab } from "./launch.ts";

// A whole lab as a user has it: through the command, with kill -9 at every process that matters.
const bed = labBed("t");
const { paths, succeed, json } = bed;
const { name } = paths;
const eniverse = bed.run;
const isRoot = process.getuid?.() === 0;
const before = isRoot ? takeHostPicture() : {};

const assigned = (): AddressRow[] => bed.addresses().filter(({ state }) => state === "assigned");

/** Every pod has an address of its own. */
function expectOneAddressEach(pods: number): void {
  const rows = assigned();
  expect(rows.length).toBe(pods);
  expect(new Set(rows.map(({ address }) => address)).size).toBe(pods);
  expect(new Set(rows.map(({ pod }) => pod)).size).toBe(pods);
}

const machines = bed.machines;

/** Processes of a node whose command line names `program`. */
function processesIn(machine: LabMachine, program: string): number[] {
  const ofNode = (pid: number): number[] => [pid, ...childPids(pid).flatMap(ofNode)];
  const namespace = readlink(`/proc/${machine.initPid}/ns/pid`);
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => readlink(`/proc/${pid}/ns/pid`) === namespace && commandLine(pid).includes(program))
    .filter((pid) => ofNode(pid).length > 0);
}

function readlink(path: string): string | undefined {
  return spawnSync("readlink", [path], { encoding: "utf8" }).stdout.trim() || undefined;
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

describe.skipIf(!isRoot)("a lab", () => {
  beforeAll(() => {
    succeed("up", "--nodes", "2", "--detach");
    succeed("run", "web", "--replicas", "6");
  }, 180_000);

  afterAll(() => {
    if (existsSync(paths.state)) eniverse("down");
  }, 180_000);

  test("the network model holds, and the internet sees the NAT gateways' addresses", () => {
    const { rules } = json<{ rules: { rule: string; passed: number; failed: number }[] }>("verify");
    expect(rules.map(({ rule, failed }) => `${rule} ${failed}`)).toEqual([
      "pod-to-pod 0",
      "node-to-pod 0",
      "pod-to-node 0",
      "pod-to-internet 0",
    ]);
    expect(rules.every(({ passed }) => passed > 0)).toBe(true);
  });

  test("the service `kubernetes` leads to the cluster's cross-account interfaces", async () => {
    const [subset] = (await bed.kube().get(endpoints, "kubernetes", "default")).subsets ?? [];
    const own = json<{ PrivateIpAddress: string; Description: string }[]>("get", "enis")
      .filter(({ Description }) => Description === `Amazon EKS ${name}`)
      .map(({ PrivateIpAddress }) => PrivateIpAddress);
    expect(subset?.addresses?.map(({ ip }) => ip)).toEqual(own);
    expect(own).toHaveLength(2);
  });

  test("every pod has an address of its own, from a subnet of the VPC", () => {
    expectOneAddressEach(6);
    expect(assigned().every(({ address }) => /^10\.0\.(3[2-9]|[4-9]\d)\./.test(address))).toBe(true);
  });

  test("a node shows what an EC2 node shows", async () => {
    const [machine] = await machines();
    const on = (...words: readonly string[]): string =>
      succeed("node", machine?.instanceId ?? "", "--", ...words);
    expect(on("ip", "-o", "-4", "addr", "show", "eth0")).toContain(machine?.address ?? "no machine");
    expect(on("ip", "rule")).toMatch(/512:\s+from all to 10\.0\.\S+ lookup main/);
    expect(on("ip", "rule")).toMatch(/1024:\s+from all fwmark 0x80\/0x80 lookup main/);
    expect(JSON.parse(on("cat", "/etc/cni/net.d/10-aws.conflist"))).toMatchObject({
      name: "aws-cni",
      cniVersion: "0.4.0",
    });
    expect(on("ls", "/opt/cni/bin").split("\n")).toContain("aws-cni");
    expect(on("iptables", "-t", "nat", "-S", "AWS-SNAT-CHAIN-0")).toContain(
      `--to-source ${machine?.address} --random-fully`,
    );
  });

  test("ipamd killed: pods keep their connectivity, and no address is held twice or lost", async () => {
    const addressesBefore = assigned();
    const [machine] = await machines();
    if (machine === undefined) throw new Error("no machine");
    const [ipamd] = processesIn(machine, "ipamd/main.ts");
    expect(ipamd).toBeDefined();
    process.kill(ipamd ?? 0, "SIGKILL");
    expect(eniverse("verify").status).toBe(0);
    await until("ipamd runs again", () => processesIn(machine, "ipamd/main.ts").some((pid) => pid !== ipamd));
    succeed("scale", "web", "--replicas", "10");
    await until("the pool page is back", () => assigned().length === 10);
    expectOneAddressEach(10);
    const now = new Map(assigned().map(({ pod, address }) => [pod, address]));
    for (const { pod, address } of addressesBefore) expect(now.get(pod)).toBe(address);
    expect(eniverse("verify").status).toBe(0);
  }, 180_000);

  test("the kubelet killed: its pods go on; started again, it has them all", async () => {
    const [machine] = await machines();
    if (machine === undefined) throw new Error("no machine");
    const podsBefore = assigned()
      .map(({ pod }) => pod)
      .sort();
    const kubelets = (): number[] =>
      processesIn(machine, "kubelet/main.ts").filter((pid) => !commandLine(pid).includes("kubelet-service"));
    const killed = kubelets();
    expect(killed.length).toBe(1);
    for (const pid of killed) process.kill(pid, "SIGKILL");
    expect(eniverse("verify").status).toBe(0);
    await until("the kubelet runs again", () => kubelets().some((pid) => !killed.includes(pid)));
    expect(
      assigned()
        .map(({ pod }) => pod)
        .sort(),
    ).toEqual(podsBefore);
  }, 180_000);

  test("the lab process killed: nodes and pods go on, and `up` takes them over", async () => {
    const rowsBefore = assigned();
    const lab = runningLab(paths);
    process.kill(lab?.pid ?? 0, "SIGKILL");
    await until("the lab process is gone", () => lab !== undefined && identityOf(lab.pid) === undefined);
    expect(eniverse("get", "pods").stderr).toContain(`cannot reach the lab ${name}`);
    succeed("up", "--detach");
    await until("all pools answer", () => assigned().length === rowsBefore.length);
    const byPod = (rows: readonly AddressRow[]): string[] =>
      rows.map(({ pod, address }) => `${pod} ${address}`).sort();
    expect(byPod(assigned())).toEqual(byPod(rowsBefore));
    succeed("scale", "web", "--replicas", "12");
    expectOneAddressEach(12);
    expect(eniverse("verify").status).toBe(0);
  }, 180_000);

  test("what is broken by hand is told by `verify`: which pair, and what came instead", async () => {
    const [row] = assigned();
    if (row?.node === undefined) throw new Error("no pod has an address");
    const { address, node, pod } = row;
    const route = (word: string, ...rest: readonly string[]): string =>
      succeed("node", node, "--", "ip", "route", word, address, ...rest);
    const device = /dev (\S+)/.exec(route("show"))?.[1] ?? "no device";
    route("del");
    const run = eniverse("verify");
    route("add", "dev", device, "scope", "link");
    expect(run.status).toBe(1);
    expect(run.stdout).toMatch(
      new RegExp(`✗ tcp \\S+ \\(\\S+\\) -> ${pod} \\(${address}\\): no answer within 2000 ms`),
    );
    expect(eniverse("verify").status).toBe(0);
  });

  test("a lab that is up is neither brought up again nor taken down by who wanted to", () => {
    for (const words of [
      ["up", "--detach"],
      ["start", "--once"],
    ]) {
      const run = eniverse(...words);
      expect(run.status).toBe(1);
      expect(run.stderr).toContain("it is up already");
    }
    expect(eniverse("verify").status).toBe(0);
  });

  test("after a reboot of this machine `up` boots the nodes again, with the addresses that they had", async () => {
    const rowsBefore = assigned();
    const lab = runningLab(paths);
    const pids = findHolders(`${name}/`).map(({ identity }) => identity.pid);
    for (const pid of [lab?.pid ?? 0, ...pids]) process.kill(pid, "SIGKILL");
    await until("its processes are gone", () => findHolders(`${name}/`).length === 0);
    rmSync(paths.run, { recursive: true });
    expect(succeed("status")).toMatch(new RegExp(`${name} +\\| not running`));
    succeed("up", "--detach");
    await until("all pods have addresses", () => assigned().length === rowsBefore.length);
    await until("the network model holds", () => eniverse("verify").status === 0);
    expect((await machines()).length).toBe(2);
    expectOneAddressEach(rowsBefore.length);
    expect(eniverse("check").status).toBe(0);
  }, 180_000);

  test("`down` after kill -9 leaves nothing, and this machine's own network is as before", async () => {
    const lab = runningLab(paths);
    process.kill(lab?.pid ?? 0, "SIGKILL");
    succeed("down");
    expect(existsSync(paths.state)).toBe(false);
    expect(existsSync(paths.run)).toBe(false);
    expect(findHolders(`${name}/`)).toEqual([]);
    const left = readdirSync("/proc").filter(
      (entry) => /^\d+$/.test(entry) && commandLine(Number(entry)).includes(`/${name}/`),
    );
    expect(left).toEqual([]);
    expect(comparePictures(before, takeHostPicture())).toEqual([]);
    const again = eniverse("down");
    expect(again.status).toBe(1);
    expect(again.stderr).toContain(`cannot use the lab ${name}`);
  }, 180_000);
});

describe("a command line that is wrong", () => {
  test.each([
    [["up", "--nodes", "many"], 2, "wanted: a whole number"],
    [["up", "--frobnicate"], 2, "unknown option '--frobnicate'"],
    [["up", "--vpc-cidr", "10.0.0.0/30", "--detach"], 1, "cannot use --vpc-cidr"],
    [["up", "--instance-type", "m5.larg", "--detach"], 1, "did you mean m5.large"],
    [["up", "--set", "WARM_IP=5", "--detach"], 1, "no such variable"],
    [["up", "--set", "WARM_IP_TARGET=few", "--detach"], 1, "wanted a whole number of 0 or more"],
    [["up", "--config", "/nowhere/lab.yaml", "--detach"], 1, "cannot read /nowhere/lab.yaml"],
    [["get", "things"], 1, "wanted one of clusters"],
    [["get", "pods", "-o", "xml"], 1, "wanted one of table, wide, json, yaml"],
    [["frobnicate"], 2, "unknown command 'frobnicate'"],
  ] as const)("%p says so and leaves nothing", (args, status, text) => {
    const run = eniverse(...args);
    expect(run.stderr).toContain(text);
    expect(run.status).toBe(status);
    expect(existsSync(paths.state)).toBe(false);
  });
});
