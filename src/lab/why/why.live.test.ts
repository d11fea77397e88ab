import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { setTimeout as pause } from "node:timers/promises";
import { AssignPrivateIpAddressesCommand } from "@aws-sdk/client-ec2";
import { daemonSets, nodes, type Pod, pods } from "../../kube/resources.ts";
import { breakLab, healLab, labStatus } from "../control.ts";
import type { Fault } from "../faults/fault.ts";
import { labBed, until } from "../lab-bed.ts";
import { type Cause, type Chain, causes } from "./chain.ts";
import { observe } from "./observe.ts";
import { parseSubject } from "./subject.ts";
import { answerWhy } from "./why.ts";

// Every cause behind "failed to assign an IP address to container", made in one lab and asked for by `why`.
const bed = labBed("why");
const isRoot = process.getuid?.() === 0;

/** What a lab cannot bring about in the time of a test; `causes.test.ts` proves these over fixed observations. */
const notMadeHere: readonly Cause[] = [];

const zone = (letter: string, index: number): string =>
  `    - {name: ${letter}, zone: us-west-2${letter}, cidr: 10.0.${index}.0/24, publicAddresses: true, routeTable: public}`;

// Small types, so that few pods reach the limits: a t3.nano has two addresses for pods, a t3.small nine.
const lab = `
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
  - {name: tiny, instanceType: t3.nano, count: 1, subnets: [a], maxPods: 4}
  - {name: full, instanceType: t3.small, count: 1, subnets: [b], maxPods: 30}
  - {name: free, instanceType: m5.large, count: 1, subnets: [c], maxPods: 30}
awsNode:
  env: {WARM_IP_TARGET: "1", IP_COOLDOWN_PERIOD: "300"}
`;

type Group = "tiny" | "full" | "free";

describe.skipIf(!isRoot)("why", () => {
  /** Node names by node group. */
  const nodeOf = new Map<string, string>();
  const proven = new Set<Cause>();
  const inDefault = { namespace: "default" };

  beforeAll(async () => {
    await bed.upFrom(lab);
    for (const { metadata } of (await bed.kube().list(nodes)).items)
      nodeOf.set(metadata.labels?.["eks.amazonaws.com/nodegroup"] ?? "", metadata.name);
  }, 180_000);

  afterAll(() => bed.down(), 180_000);

  const nodeName = (group: Group): string => nodeOf.get(group) ?? group;

  const pod = (name: string, spec: Partial<Pod["spec"]>): Pod => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "c", image: "eniverse/pause" }],
      ...spec,
    },
  });

  const create = (name: string, spec: Partial<Pod["spec"]>): Promise<Pod> =>
    bed.kube().create(pods, pod(name, spec));

  /** Pods that are bound to a node past the scheduler. */
  async function run(group: Group, count: number, prefix: string): Promise<void> {
    const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
    await Promise.all(names.map((name) => create(name, { nodeName: nodeName(group) })));
  }

  const remove = (...names: readonly string[]): Promise<unknown> =>
    Promise.all(names.map((name) => bed.kube().delete(pods, name, inDefault)));

  async function podsOf(prefix: string): Promise<Pod[]> {
    const { items } = await bed.kube().list(pods, inDefault);
    return items.filter(({ metadata }) => metadata.name.startsWith(`${prefix}-`));
  }

  /** The addresses that pods of that name have, once they are so many. */
  async function addressesOf(prefix: string, count: number): Promise<string[]> {
    let found: string[] = [];
    await until(`${count} pods of ${prefix} have addresses`, async () => {
      found = (await podsOf(prefix)).flatMap(({ status }) => status?.podIP ?? []);
      return found.length === count;
    });
    return found;
  }

  async function why(subject: string): Promise<Chain> {
    const seen = await observe({ paths: bed.paths, kube: bed.kube(), ec2: await bed.ec2() });
    return answerWhy(seen, parseSubject(subject, "default"));
  }

  /** Asks until the answer is `cause` and says so much; what it was last is told when it never is. */
  async function expectCause(subject: string, cause: Cause, says = /^/): Promise<Chain> {
    let last: Chain | undefined;
    for (const deadline = Date.now() + 60_000; Date.now() < deadline; await pause(250)) {
      last = await why(subject);
      if (last.cause !== cause || !says.test(words(last))) continue;
      proven.add(cause);
      return last;
    }
    throw new Error(`wanted ${cause} ${says} for ${subject}, was ${JSON.stringify(last, null, 2)}`);
  }

  async function withFault(fault: Fault, work: () => Promise<void>): Promise<void> {
    const standing = await breakLab(bed.paths, fault);
    try {
      await work();
    } finally {
      if (standing !== undefined) await healLab(bed.paths, String(standing.id));
    }
  }

  async function instanceOf(group: Group): Promise<string> {
    const { machines } = await labStatus(bed.paths);
    return machines.find((machine) => machine.nodeName === nodeName(group))?.instanceId ?? "";
  }

  const patchAwsNode = (spec: object): Promise<unknown> =>
    bed.kube().patch(daemonSets, "aws-node", { spec }, { namespace: "kube-system", kind: "strategic" });

  /** Gives one node's aws-node other settings; null takes one back. */
  async function restartWith(env: Readonly<Record<string, string | null>>, group: Group): Promise<void> {
    await patchAwsNode({ updateStrategy: { type: "OnDelete" } });
    await bed.setEnv(env);
    const where = { namespace: "kube-system", labelSelector: "k8s-app=aws-node" };
    const onNode = async (): Promise<Pod | undefined> =>
      (await bed.kube().list(pods, where)).items.find(({ spec }) => spec.nodeName === nodeName(group));
    const old = await onNode();
    await bed.kube().delete(pods, old?.metadata.name ?? "", where);
    await until("aws-node is another", async () => {
      const now = await onNode();
      return now !== undefined && now.metadata.uid !== old?.metadata.uid;
    });
  }

  const words = ({ summary, links, change }: Chain): string => JSON.stringify([summary, links, change]);

  test("the ENI limit of the type, the node's max-pods, then only cooling addresses", async () => {
    await run("tiny", 3, "limit");
    const given = await addressesOf("limit", 2);
    const chain = await expectCause("pod/limit", "eni-limit");
    expect(words(chain)).toContain("t3.nano takes 2 ENIs");
    expect(chain.links.length).toBeGreaterThanOrEqual(4);

    const onTiny = { nodeSelector: { "eks.amazonaws.com/nodegroup": "tiny" } };
    await create("homeless", onTiny);
    expect(words(await expectCause("pod/homeless", "max-pods"))).toContain("--max-pods=4");

    const items = await podsOf("limit");
    await remove("homeless", ...items.map(({ metadata }) => metadata.name));
    await run("tiny", 1, "cool");
    expect(words(await expectCause("pod/cool-0", "cooldown"))).toContain("IP_COOLDOWN_PERIOD=300");
    for (const address of given) {
      const told = await expectCause(`address/${address}`, "cooldown");
      expect(told.summary).toMatch(/was released and cools down on .* until 20/);
    }
    await remove("cool-0");
  });

  test("addresses and ENIs: who holds them, since when, why they stay", async () => {
    await run("free", 1, "holder");
    const [address = ""] = await addressesOf("holder", 1);
    const held = await expectCause(`address/${address}`, "none");
    expect(held.summary).toMatch(/is held by pod default\/holder-0 on ip-10-0-3-\d+ since 20/);
    expect((await why("pod/holder-0")).summary).toContain(address);

    const [primary] = await bed.enis(nodeName("free"));
    const eniId = primary?.NetworkInterfaceId ?? "";
    const own = await why(`address/${primary?.PrivateIpAddress}`);
    expect(own.summary).toContain(`is the primary address of ${eniId}`);
    let spare: string | undefined;
    await until("an address is warm", () => {
      const found = bed.addresses().find((row) => row.state === "warm" && row.address.startsWith("10.0.3."));
      spare = found?.address;
      return spare !== undefined;
    });
    const warm = await expectCause(`address/${spare}`, "none");
    expect(words(warm)).toContain("WARM_IP_TARGET=1");
    expect((await why(`eni/${eniId}`)).summary).toContain("is the primary ENI of ip-10-0-3-");

    const kept = await why(`eni/${(await bed.enis(nodeName("tiny")))[1]?.NetworkInterfaceId}`);
    expect(kept.summary).toMatch(/has no pod, and ipamd of ip-10-0-1-\d+ keeps it: 1 address cools down/);
    expect(words(kept)).toContain("ipamd decided to create an ENI");

    expect((await why("address/10.0.3.2")).summary).toContain("the VPC's DNS resolver");
    expect((await why("address/10.0.3.255")).summary).toContain("the broadcast address");
    const used = new Set(bed.addresses().map((each) => each.address));
    const unused = Array.from({ length: 250 }, (_, index) => `10.0.3.${index + 4}`).find(
      (each) => !used.has(each),
    );
    expect((await why(`address/${unused}`)).summary).toContain("it is free in subnet c (10.0.3.0/24)");
    await expect(why("address/10.0.9.9")).rejects.toThrow(/it is in none of the VPC's subnets/);

    const node = await expectCause(`node/${nodeName("free")}`, "none");
    expect(node.summary).toMatch(/holds \d+ addresses: 1 given/);
  });

  test("what the scheduler has to do with it, and what the network has not", async () => {
    await create("picky", { nodeSelector: { disk: "ssd" } });
    expect((await expectCause("pod/picky", "no-node-fits")).summary).toContain("node affinity/selector");
    await create("branch", {
      containers: [
        { name: "c", image: "eniverse/pause", resources: { limits: { "vpc.amazonaws.com/pod-eni": "1" } } },
      ],
    });
    expect(words(await expectCause("pod/branch", "branch-eni-limit"))).toContain("ENABLE_POD_ENI=false");
    await create("ghost", { nodeName: "ip-10-0-7-7.us-west-2.compute.internal" });
    await expectCause("pod/ghost", "node-not-ready");
    const containers = [{ name: "c", image: "busybox", command: ["sh", "-c", "exit 3"] }];
    await create("crash", { nodeName: nodeName("free"), containers });
    expect((await expectCause("pod/crash", "containers")).summary).toContain("has its address (10.0.3.");
    await remove("picky", "branch", "ghost", "crash");
  });

  test("EC2 is slow, throttles, refuses for want of permission, or fails", async () => {
    await withFault({ kind: "ec2", action: "A*", rate: 1, delayMs: 8000 }, async () => {
      await run("free", 4, "slow");
      await expectCause("pod/slow", "in-progress", /which has been under way for ([3-9]|\d\d) s/);
    });
    await addressesOf("slow", 4);
    // Some had an address at once; the others have theirs now and still tell of the wait.
    const told = await Promise.all([0, 1, 2, 3].map((index) => why(`pod/slow-${index}`)));
    expect(
      told.map(words).filter((text) => /it waited \d+ s for its address/.test(text)).length,
    ).toBeGreaterThan(1);
    await withFault({ kind: "ec2", action: "*", rate: 1, error: "RequestLimitExceeded" }, async () => {
      await run("free", 4, "throttled");
      expect(words(await expectCause("pod/throttled", "throttled"))).toContain("RequestLimitExceeded");
    });
    await addressesOf("throttled", 4);
    await withFault({ kind: "ec2", action: "*", rate: 1, error: "UnauthorizedOperation" }, async () => {
      await run("free", 3, "forbidden");
      const chain = await expectCause("pod/forbidden", "missing-permission");
      expect(chain.summary).toMatch(/lacks the permission ec2:[A-Z]/);
    });
    await addressesOf("forbidden", 3);
    await withFault({ kind: "ec2", action: "*", rate: 1, error: "InternalError" }, async () => {
      await run("free", 3, "failing");
      expect((await expectCause("pod/failing", "ec2-error")).summary).toMatch(
        /EC2 answered InternalError to [A-Z]/,
      );
    });
    await addressesOf("failing", 3);
  });

  test("a cordoned node fetches nothing, and the scheduler passes it by", async () => {
    const node = nodeName("free");
    await bed.kube().patch(nodes, node, { spec: { unschedulable: true } });
    await run("free", 3, "cordoned");
    expect(words(await expectCause("pod/cordoned", "cordoned"))).toContain("AWS_MANAGE_ENIS_NON_SCHEDULABLE");
    await create("bound", { nodeSelector: { "eks.amazonaws.com/nodegroup": "free" } });
    expect((await expectCause("pod/bound", "cordoned")).summary).toContain("1 of 3 are cordoned");
    await bed.kube().patch(nodes, node, { spec: { unschedulable: null } });
    await expectCause("pod/cordoned", "none");
    await addressesOf("cordoned", 3);
    await expectCause("pod/bound", "none");
  });

  test("ipamd may ask EC2 for nothing; then instance metadata hides what the node was given", async () => {
    await restartWith({ DISABLE_NETWORK_RESOURCE_PROVISIONING: "true" }, "free");
    await run("free", 4, "given");
    const chain = await expectCause("pod/given", "provisioning-disabled");
    expect(words(chain)).toContain("DISABLE_NETWORK_RESOURCE_PROVISIONING=true");
    await withFault({ kind: "metadata", frozen: true }, async () => {
      const [eni] = (await bed.enis(nodeName("free"))).toSorted(
        (a, b) => (a.PrivateIpAddresses?.length ?? 0) - (b.PrivateIpAddresses?.length ?? 0),
      );
      const { AssignedPrivateIpAddresses: given = [] } = await (await bed.ec2()).send(
        new AssignPrivateIpAddressesCommand({
          NetworkInterfaceId: eni?.NetworkInterfaceId,
          SecondaryPrivateIpAddressCount: 1,
        }),
      );
      const address = given[0]?.PrivateIpAddress ?? "";
      await expectCause(
        "pod/given",
        "stale-imds",
        new RegExp(`does not show ${address} of ${eni?.NetworkInterfaceId}`),
      );
      await expectCause(`address/${address}`, "stale-imds");
    });
    // Until ipamd's next look, or already after it.
    await until("instance metadata shows what was given", async () =>
      ["in-progress", "none"].includes((await why("pod/given")).cause),
    );
  });

  test("ipamd is down; then the node has no network plugin", async () => {
    const instanceId = await instanceOf("free");
    await withFault({ kind: "ipamd", instanceId, keepDown: true }, async () => {
      await run("free", 1, "down");
      expect(words(await expectCause("pod/down-0", "ipamd-down"))).toContain("kubectl logs -n kube-system");
      bed.on(nodeName("free"), "rm", "/etc/cni/net.d/10-aws.conflist");
      const chain = await expectCause("pod/down-0", "network-plugin-not-ready");
      expect(words(chain)).toContain("cni plugin not initialized");
      await create("late", { nodeSelector: { "eks.amazonaws.com/nodegroup": "free" } });
      const late = await expectCause("pod/late", "network-plugin-not-ready");
      expect(late.links[0]?.evidence).toContain("node.kubernetes.io/not-ready");
      await expectCause(`node/${nodeName("free")}`, "network-plugin-not-ready");
    });
  });

  test("MAX_ENI keeps another ENI away", async () => {
    await restartWith({ DISABLE_NETWORK_RESOURCE_PROVISIONING: null, MAX_ENI: "1" }, "full");
    await run("full", 4, "capped");
    const chain = await expectCause("pod/capped", "max-eni-setting");
    expect(chain.summary).toMatch(/^MAX_ENI=1 keeps ip-10-0-2-\d+ from another ENI, and all 3 addresses/);
    await remove(...(await podsOf("capped")).map(({ metadata }) => metadata.name));
  });

  test("a subnet without addresses; in prefix mode without a whole /28", async () => {
    await withFault({ kind: "subnet", subnet: "b", filled: 1 }, async () => {
      await restartWith({ MAX_ENI: null }, "full");
      await run("full", 5, "full");
      const chain = await expectCause("pod/full", "subnet-full");
      expect(words(chain)).toContain("InsufficientFreeAddressesInSubnet");
      expect(chain.summary).toContain("subnet b (10.0.2.0/24) has 0 free addresses");
    });
    await withFault({ kind: "subnet", subnet: "b", fragmented: true }, async () => {
      await restartWith({ ENABLE_PREFIX_DELEGATION: "true" }, "full");
      await run("full", 3, "frag");
      expect((await expectCause("pod/frag", "subnet-fragmented")).summary).toContain("0 whole free /28");
    });
  });

  test("custom networking without its ENIConfig", async () => {
    const env = { ENABLE_PREFIX_DELEGATION: null, AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: "true" };
    await restartWith(env, "full");
    await run("full", 1, "custom");
    expect((await expectCause("pod/custom-0", "eniconfig-missing")).summary).toContain(
      "the ENIConfig default",
    );
    await expectCause(`node/${nodeName("full")}`, "eniconfig-missing");
  });

  test("the command prints the chain in each form, and refuses what is not there", () => {
    expect(bed.succeed("why", "pod/custom-0")).toMatch(
      /\[eniconfig-missing\]\n\n {1,2}1\. .*\n {6}seen: .*\n {6}rule: /,
    );
    expect(bed.json<Chain>("why", "pod/custom-0").cause).toBe("eniconfig-missing");
    expect(bed.succeed("why", "pod/custom-0", "-o", "yaml")).toContain("cause: eniconfig-missing");
    const refused = bed.run("why", "pod/nobody");
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain("cannot find the pod default/nobody");
    expect(refused.stdout).toBe("");
  });

  test("nodes without aws-node, and no node at all", async () => {
    await patchAwsNode({ template: { spec: { nodeSelector: { "no-such": "label" } } } });
    await run("tiny", 1, "alone");
    expect((await expectCause("pod/alone-0", "aws-node-missing")).summary).toMatch(/runs on ip-10-0-1-\d+,/);
    await Promise.all([...nodeOf.values()].map((name) => bed.kube().delete(nodes, name)));
    await create("early", {});
    await expectCause("pod/early", "no-nodes");
  });

  test("no cause is without a proof", () => {
    expect(causes.filter((cause) => !proven.has(cause) && !notMadeHere.includes(cause))).toEqual([]);
  });
});
