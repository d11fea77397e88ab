import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { connectToLab, type LabConnection } from "../../cli/lab-connection.ts";
import { daemonSets, nodes, type Pod, pods } from "../../kube/resources.ts";
import { breakLab, healLab } from "../control.ts";
import type { Fault } from "../faults/fault.ts";
import { labPaths } from "../paths.ts";
import type { Cause, Chain } from "./chain.ts";
import { observe } from "./observe.ts";
import { answerWhy } from "./why.ts";

// Every cause behind "failed to assign an IP address to container", made in one lab and asked for by `why`.
const name = `why${process.pid}`;
const paths = labPaths(name);
const command = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
const isRoot = process.getuid?.() === 0;
const folder = mkdtempSync(join(tmpdir(), "eniverse-why-"));

const zone = (letter: string, index: number): string =>
  `    - {name: ${letter}, zone: us-west-2${letter}, cidr: 10.0.${index}.0/24, publicAddresses: true, routeTable: public}`;
const labFile = `
vpc:
  cidrs: [10.0.0.0/16]
  subnets:
${zone("a", 1)}
${zone("b", 2)}
${zone("c", 3)}
  routeTables:
    - {name: public, routes: [{destination: 0.0.0.0/0, target: internet-gateway}]}
cluster:
  subnets: [a, b]
nodeGroups:
  - {name: small, instanceType: t3.small, count: 1, subnets: [a], maxPods: 40}
  - {name: full, instanceType: m5.large, count: 1, subnets: [b], maxPods: 40}
  - {name: free, instanceType: m5.large, count: 1, subnets: [c], maxPods: 40}
awsNode:
  env: {WARM_IP_TARGET: "1", IP_COOLDOWN_PERIOD: "300"}
`;

function eniverse(...args: readonly string[]): string {
  const run = spawnSync(process.execPath, [command, "--name", name, ...args], {
    encoding: "utf8",
    timeout: 90_000,
  });
  if (run.status !== 0)
    throw new Error(`eniverse ${args.join(" ")}: ${run.status}\n${run.stdout}\n${run.stderr}`);
  return run.stdout;
}

describe.skipIf(!isRoot)("why", () => {
  let lab: LabConnection;
  /** Node names by node group. */
  const nodeOf = new Map<string, string>();

  beforeAll(async () => {
    const file = join(folder, "lab.yaml");
    writeFileSync(file, labFile);
    eniverse("up", "--config", file, "--detach");
    lab = await connectToLab(name);
    for (const { metadata } of (await lab.kube.list(nodes)).items)
      nodeOf.set(metadata.labels?.["eks.amazonaws.com/nodegroup"] ?? "", metadata.name);
  }, 180_000);

  afterAll(() => {
    if (existsSync(paths.state)) eniverse("down");
    rmSync(folder, { recursive: true, force: true });
  }, 180_000);

  const podOn = (group: string | undefined, pod: string, spec: Partial<Pod["spec"]> = {}): Pod => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: pod, namespace: "default" },
    spec: {
      ...(group === undefined ? {} : { nodeName: nodeOf.get(group) ?? group }),
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "c", image: "eniverse/pause" }],
      ...spec,
    },
  });

  async function run(group: string | undefined, count: number, prefix: string): Promise<string[]> {
    const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
    await Promise.all(names.map((each) => lab.kube.create(pods, podOn(group, each))));
    return names;
  }

  async function remove(...names: readonly string[]): Promise<void> {
    await Promise.all(names.map((each) => lab.kube.delete(pods, each, { namespace: "default" })));
  }

  async function podsOf(prefix: string): Promise<Pod[]> {
    const { items } = await lab.kube.list(pods, { namespace: "default" });
    return items.filter(({ metadata }) => metadata.name.startsWith(`${prefix}-`));
  }

  async function until(holds: () => Promise<boolean>, waitMs = 60_000): Promise<void> {
    for (const deadline = Date.now() + waitMs; Date.now() < deadline; await pause(100))
      if (await holds()) return;
    throw new Error(`not in ${waitMs} ms`);
  }

  async function why(subject: string): Promise<Chain> {
    const seen = await observe({ paths, kube: lab.kube, ec2: await lab.ec2() });
    return answerWhy(seen, { subject, namespace: "default" });
  }

  /** Asks until the answer is `cause`; what it was last is told when it never is. */
  async function expectCause(subject: string, cause: Cause, waitMs = 60_000): Promise<Chain> {
    let last: Chain | undefined;
    for (const deadline = Date.now() + waitMs; Date.now() < deadline; await pause(250)) {
      last = await why(subject);
      if (last.cause === cause) return last;
    }
    throw new Error(`wanted ${cause} for ${subject}, was ${JSON.stringify(last, null, 2)}`);
  }

  const withFault = async (fault: Fault, work: () => Promise<void>): Promise<void> => {
    const standing = await breakLab(paths, fault);
    try {
      await work();
    } finally {
      if (standing !== undefined) await healLab(paths, String(standing.id));
    }
  };

  const words = ({ summary, links, change }: Chain): string => JSON.stringify([summary, links, change]);

  test("the ENI limit of the type, then only cooling addresses", async () => {
    // t3.small: three ENIs of four addresses, nine of them for pods.
    await run("small", 11, "limit");
    await until(
      async () => (await podsOf("limit")).filter(({ status }) => status?.podIP !== undefined).length === 9,
    );
    const chain = await expectCause("pod/limit", "eni-limit");
    expect(words(chain)).toContain("t3.small takes 3 ENIs");
    expect(chain.links.length).toBeGreaterThanOrEqual(4);
    const items = await podsOf("limit");
    const waiting = items
      .filter(({ status }) => status?.phase === "Pending")
      .map(({ metadata }) => metadata.name);
    expect(waiting.length).toBe(2);
    const gone = items.filter(({ metadata }) => !waiting.includes(metadata.name)).slice(0, 2);
    await remove(...waiting, ...gone.map(({ metadata }) => metadata.name));
    await run("small", 1, "cool");
    const cooling = await expectCause("pod/cool-0", "cooldown");
    expect(words(cooling)).toContain("IP_COOLDOWN_PERIOD=300");
    const address = gone[0]?.status?.podIP ?? "";
    expect((await why(`address/${address}`)).cause).toBe("cooldown");
  }, 180_000);

  test("a subnet without addresses", async () => {
    await withFault({ kind: "subnet", subnet: "b", filled: 1 }, async () => {
      await run("full", 4, "full");
      const chain = await expectCause("pod/full", "subnet-full");
      expect(words(chain)).toContain("InsufficientFreeAddressesInSubnet");
      expect(chain.summary).toContain("subnet b (10.0.2.0/24) has 0 free addresses");
    });
  }, 180_000);

  test("EC2 throttles, or refuses for want of permission", async () => {
    await withFault({ kind: "ec2", action: "*", rate: 1, error: "RequestLimitExceeded" }, async () => {
      await run("free", 6, "throttled");
      expect(words(await expectCause("pod/throttled", "throttled"))).toContain("RequestLimitExceeded");
    });
    await withFault({ kind: "ec2", action: "*", rate: 1, error: "UnauthorizedOperation" }, async () => {
      await run("free", 3, "forbidden");
      const chain = await expectCause("pod/forbidden", "missing-permission");
      expect(chain.summary).toMatch(/lacks the permission ec2:[A-Z]/);
    });
  }, 180_000);

  test("a cordoned node fetches nothing, and the scheduler passes it by", async () => {
    const node = nodeOf.get("free") ?? "";
    await lab.kube.patch(nodes, node, { spec: { unschedulable: true } });
    await run("free", 6, "cordoned");
    const chain = await expectCause("pod/cordoned", "cordoned");
    expect(words(chain)).toContain("AWS_MANAGE_ENIS_NON_SCHEDULABLE");
    await lab.kube.create(
      pods,
      podOn(undefined, "bound", { nodeSelector: { "eks.amazonaws.com/nodegroup": "free" } }),
    );
    expect((await expectCause("pod/bound", "cordoned")).summary).toContain("1 of 3 are cordoned");
    await lab.kube.patch(nodes, node, { spec: { unschedulable: null } });
    await expectCause("pod/cordoned", "none");
    await remove("bound", ...(await podsOf("cordoned")).map(({ metadata }) => metadata.name));
  }, 180_000);

  test("more pods than the nodes may have", async () => {
    eniverse("run", "many", "--replicas", "130", "--no-wait");
    const homeless = async () => (await podsOf("many")).filter(({ spec }) => spec.nodeName === undefined);
    await until(async () => (await homeless()).length > 0);
    const chain = await expectCause(`pod/${(await homeless())[0]?.metadata.name}`, "max-pods");
    expect(words(chain)).toContain("--max-pods=40");
    eniverse("delete", "many");
    await until(async () => (await podsOf("many")).length === 0);
  }, 180_000);

  test("ipamd is down", async () => {
    const instanceId =
      lab.status.machines.find(({ nodeName }) => nodeName === nodeOf.get("free"))?.instanceId ?? "";
    await withFault({ kind: "ipamd", instanceId, keepDown: true }, async () => {
      await run("free", 1, "down");
      expect(words(await expectCause("pod/down-0", "ipamd-down"))).toContain("kubectl logs -n kube-system");
    });
  }, 180_000);

  async function setEnv(env: Readonly<Record<string, string>>, group: string): Promise<void> {
    const containers = [
      { name: "aws-node", env: Object.entries(env).map(([key, value]) => ({ name: key, value })) },
    ];
    await lab.kube.patch(
      daemonSets,
      "aws-node",
      { spec: { updateStrategy: { type: "OnDelete" }, template: { spec: { containers } } } },
      { namespace: "kube-system", kind: "strategic" },
    );
    const { items } = await lab.kube.list(pods, {
      namespace: "kube-system",
      labelSelector: "k8s-app=aws-node",
    });
    const old = items.find(({ spec }) => spec.nodeName === nodeOf.get(group));
    await lab.kube.delete(pods, old?.metadata.name ?? "", { namespace: "kube-system" });
  }

  test("no whole /28 in prefix mode", async () => {
    await breakLab(paths, { kind: "subnet", subnet: "b", fragmented: true });
    await setEnv({ ENABLE_PREFIX_DELEGATION: "true" }, "full");
    await run("full", 3, "frag");
    const chain = await expectCause("pod/frag", "subnet-fragmented");
    expect(chain.summary).toContain("0 whole free /28");
  }, 180_000);

  test("custom networking without its ENIConfig", async () => {
    await setEnv({ ENABLE_PREFIX_DELEGATION: "false", AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: "true" }, "full");
    await run("full", 1, "custom");
    const chain = await expectCause("pod/custom-0", "eniconfig-missing");
    expect(chain.summary).toContain("the ENIConfig default");
    expect((await why(`node/${nodeOf.get("full")}`)).cause).toBe("eniconfig-missing");
  }, 180_000);

  test("the command prints the chain, and refuses what is not there", () => {
    expect(eniverse("why", "pod/custom-0")).toMatch(
      /\[eniconfig-missing\]\n\n {1,2}1\. .*\n {6}seen: .*\n {6}rule: /,
    );
    expect((JSON.parse(eniverse("why", "pod/custom-0", "-o", "json")) as Chain).cause).toBe(
      "eniconfig-missing",
    );
    expect(() => eniverse("why", "pod/nobody")).toThrow(/cannot find the pod default\/nobody/);
    expect(() => eniverse("why", "web")).toThrow(/wanted pod\/NAME/);
  }, 180_000);
});
