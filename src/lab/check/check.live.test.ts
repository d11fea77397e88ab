import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { AssignPrivateIpAddressesCommand, DescribeSubnetsCommand } from "@aws-sdk/client-ec2";
import { type EniConfig, eniConfigs, nodes, type Pod, pods } from "../../kube/resources.ts";
import { labStatus } from "../control.ts";
import { type AddressRow, type LabBed, labBed, until } from "../lab-bed.ts";
import { checkLab } from "./check.ts";

// Labs of every address mode are whole; an invariant that is broken by hand is found, and no other.

const isRoot = process.getuid?.() === 0;

/** Numbers of the broken invariants; what is under way is waited for when all should hold. */
async function brokenIn(bed: LabBed, patienceMs: number): Promise<number[]> {
  const { broken } = await checkLab({ paths: bed.paths, kube: bed.kube() }, { patienceMs });
  return [...new Set(broken.map(({ invariant }) => invariant))].sort((a, b) => a - b);
}

const whole = async (bed: LabBed): Promise<void> => expect(await brokenIn(bed, 90_000)).toEqual([]);

/** Does harm, expects exactly these invariants to be broken, and undoes it. */
async function finds(
  bed: LabBed,
  wanted: readonly number[],
  harm: readonly string[],
  undo: readonly string[],
  run: (...words: readonly string[]) => string = (...words) => bed.on("ip-10-0-", ...words),
): Promise<void> {
  run(...harm);
  expect({ harm: harm.join(" "), broken: await brokenIn(bed, 500) }).toEqual({
    harm: harm.join(" "),
    broken: [...wanted],
  });
  if (undo.length > 0) run(...undo);
}

const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some((one) => one.type === "Ready" && one.status === "True") === true;

/** Reboots the lab's node; everything is there again, in new sandboxes, and nothing of the old ones. */
async function survivesReboot(bed: LabBed): Promise<void> {
  const [machine] = await bed.machines();
  const podsNow = async (): Promise<Pod[]> => (await bed.kube().list(pods)).items;
  const before = (await podsNow()).map(({ metadata }) => metadata.uid).sort();
  bed.succeed("break", "node", machine?.nodeName ?? "", "--reboot");
  await until("every container was started again", async () =>
    (await podsNow()).every(
      (pod) => isReady(pod) && pod.status?.containerStatuses?.every(({ restartCount }) => restartCount > 0),
    ),
  );
  expect((await podsNow()).map(({ metadata }) => metadata.uid).sort()).toEqual(before);
  await whole(bed);
  bed.succeed("verify");
}

async function renewAgent(bed: LabBed): Promise<void> {
  const agents = { namespace: "kube-system", labelSelector: "k8s-app=aws-node" };
  const before = (await bed.kube().list(pods, agents)).items.map(({ metadata }) => metadata.uid);
  await bed.restartAwsNode();
  await until("another aws-node is ready", async () => {
    const { items } = await bed.kube().list(pods, agents);
    return (
      items.length === before.length &&
      items.every((pod) => !before.includes(pod.metadata.uid) && isReady(pod))
    );
  });
}

/** The words of the only line that `ip … show` prints. */
const wordsOf = (line: string): string[] => line.trim().split(/\s+/);

const given = (bed: LabBed): AddressRow[] => bed.addresses().filter(({ state }) => state === "assigned");
const inPod =
  (bed: LabBed, pod: string | undefined) =>
  (...words: readonly string[]) =>
    bed.succeed("exec", pod?.replace("default/", "") ?? "?", "--", ...words);

describe.skipIf(!isRoot)("check of an IPv6 lab", () => {
  const bed = labBed("check6");
  beforeAll(async () => {
    await bed.upFrom(`
cluster: {ipFamily: ipv6}
nodeGroups: [{name: workers, instanceType: t3.medium, count: 1}]
`);
    bed.succeed("run", "web", "--replicas", "2");
  }, 180_000);
  afterAll(() => bed.down(), 60_000);

  test("is clean, and finds a lost route, a stray rule and an address twice", async () => {
    await whole(bed);
    const [one, two] = given(bed);
    const address = one?.address ?? "";
    const node = (await bed.kube().list(nodes)).items[0]?.metadata.name ?? "";
    const run = (...words: readonly string[]): string => bed.on(node, ...words);
    const route = wordsOf(run("ip", "-6", "route", "show", address));
    await finds(
      bed,
      [3],
      ["ip", "-6", "route", "del", ...route],
      ["ip", "-6", "route", "add", ...route],
      run,
    );
    const stray = ["to", address.replace(/[^:]*$/, "fff1"), "lookup", "main", "pref", "512"];
    await finds(bed, [4], ["ip", "-6", "rule", "add", ...stray], ["ip", "-6", "rule", "del", ...stray], run);
    const twice = [`${two?.address}/128`, "dev", "eth0"];
    await finds(
      bed,
      [1],
      ["ip", "-6", "address", "add", ...twice, "nodad"],
      ["ip", "-6", "address", "del", ...twice],
      inPod(bed, one?.pod),
    );
    await whole(bed);
  });

  test("is clean after a reboot", () => survivesReboot(bed));
});

describe.skipIf(!isRoot)("check of a lab with two network cards", () => {
  const bed = labBed("check2");
  beforeAll(async () => {
    await bed.upFrom(`
nodeGroups: [{name: workers, instanceType: c6in.32xlarge, count: 1}]
awsNode: {env: {ENABLE_MULTI_NIC: "true", WARM_IP_TARGET: "1", MINIMUM_IP_TARGET: "2"}}
`);
    await bed.kube().create(pods, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: "fast",
        namespace: "default",
        annotations: { "k8s.amazonaws.com/nicConfig": "multi-nic-attachment" },
      },
      spec: { containers: [{ name: "echo", image: "eniverse/echo" }] },
    });
    await until(
      "the pod runs",
      async () => (await bed.kube().get(pods, "fast", "default")).status?.phase === "Running",
    );
  }, 180_000);
  afterAll(() => bed.down(), 60_000);

  test("is clean, and finds what is missing of the second card", async () => {
    await whole(bed);
    const first = (await bed.kube().get(pods, "fast", "default")).status?.podIP;
    const second = given(bed).find(({ address }) => address !== first)?.address ?? "";
    const own = [`${second}/32`, "dev", "mNicIf1"];
    await finds(
      bed,
      [2],
      ["ip", "address", "del", ...own],
      ["ip", "address", "add", ...own],
      inPod(bed, "fast"),
    );
    const rule = wordsOf(bed.on("ip-10-0-", "ip", "rule", "show", "from", second)).slice(1);
    await finds(
      bed,
      [3],
      ["ip", "rule", "del", ...rule, "pref", "1536"],
      ["ip", "rule", "add", ...rule, "pref", "1536"],
    );
    const out = wordsOf(bed.on("ip-10-0-", "ip", "route", "show", "default", "table", "10100"));
    const way = [...out, "table", "10100"];
    await finds(bed, [3], ["ip", "route", "del", ...way], ["ip", "route", "add", ...way]);
    await whole(bed);
  });

  test("is clean after a reboot", () => survivesReboot(bed));
});

describe.skipIf(!isRoot)("check of a lab with custom networking", () => {
  const bed = labBed("checkc");
  beforeAll(async () => {
    await bed.upFrom(`
vpc:
  cidrs: [10.0.0.0/16, 100.64.0.0/16]
  subnets:
    - {name: nodes-a, zone: us-west-2a, cidr: 10.0.32.0/24, publicAddresses: true, routeTable: out}
    - {name: nodes-b, zone: us-west-2b, cidr: 10.0.33.0/24, publicAddresses: true, routeTable: out}
    - {name: pods-a, zone: us-west-2a, cidr: 100.64.0.0/20, routeTable: out}
  routeTables:
    - {name: out, routes: [{destination: 0.0.0.0/0, target: internet-gateway}]}
nodeGroups:
  - {name: workers, instanceType: t3.medium, count: 1, subnets: [nodes-a]}
awsNode: {env: {WARM_IP_TARGET: "1"}}
`);
    const { Subnets = [] } = await (await bed.ec2()).send(new DescribeSubnetsCommand({}));
    const subnet = Subnets.find(({ CidrBlock }) => CidrBlock === "100.64.0.0/20")?.SubnetId ?? "";
    const config: EniConfig = {
      apiVersion: "crd.k8s.amazonaws.com/v1alpha1",
      kind: "ENIConfig",
      metadata: { name: "us-west-2a" },
      spec: { subnet },
    };
    await bed.kube().create(eniConfigs, config);
    await bed.rollOut({
      AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: "true",
      ENI_CONFIG_LABEL_DEF: "topology.kubernetes.io/zone",
    });
    bed.succeed("run", "web", "--replicas", "3");
  }, 180_000);
  afterAll(() => bed.down(), 60_000);

  test("is clean, and finds a pod without a way out and a device without its address", async () => {
    await whole(bed);
    const [one] = given(bed);
    expect(one?.address).toStartWith("100.64.");
    const rule = ["from", one?.address ?? "", "lookup", "2", "pref", "1536"];
    await finds(bed, [3], ["ip", "rule", "del", ...rule], ["ip", "rule", "add", ...rule]);
    // With the address go the routes of the ENI's table; a new ipamd sets up both.
    const [, eni] = await bed.enis("ip-10-0-");
    const primary = `${eni?.PrivateIpAddress}/20`;
    await finds(bed, [3, 10], ["ip", "address", "del", primary, "dev", "eth1"], []);
    await renewAgent(bed);
    await whole(bed);
  });

  test("is clean after a reboot", () => survivesReboot(bed));
});

describe.skipIf(!isRoot)("check of a lab with prefixes", () => {
  const bed = labBed("checkp");
  beforeAll(async () => {
    await bed.upFrom(`
nodeGroups: [{name: workers, instanceType: t3.medium, count: 1}]
awsNode: {env: {ENABLE_PREFIX_DELEGATION: "true"}}
`);
    bed.succeed("run", "web", "--replicas", "3");
  }, 180_000);
  afterAll(() => bed.down(), 60_000);

  test("is clean, and finds a prefix without its route, a wrong checkpoint and a stray device", async () => {
    await whole(bed);
    const prefix = bed.addresses().find(({ state }) => state === "prefix")?.address ?? "";
    const { namespaces } = await labStatus(bed.paths);
    const inRouter = (...words: readonly string[]): string => {
      const { status, stdout, stderr } = spawnSync("nsenter", [`--net=${namespaces.router}`, ...words], {
        encoding: "utf8",
      });
      expect({ words, status, stderr }).toEqual({ words, status: 0, stderr: "" });
      return stdout;
    };
    const route = wordsOf(inRouter("ip", "route", "show", prefix));
    await finds(bed, [13], ["ip", "route", "del", ...route], ["ip", "route", "add", ...route], inRouter);
    const file = "/run/aws-node/ipam.json";
    const lose = `cp ${file} /tmp/kept; sed 's/"allocations":\\[[^]]*\\]/"allocations":[]/' /tmp/kept >${file}`;
    await finds(bed, [8], ["sh", "-c", lose], ["cp", "/tmp/kept", file]);
    const stray = "eni0123456789a";
    await finds(
      bed,
      [4],
      ["ip", "link", "add", "name", stray, "type", "veth", "peer", "name", "stray"],
      ["ip", "link", "del", stray],
    );
    await whole(bed);
  });

  test("finds a prefix that EC2 has and ipamd does not know, until ipamd looks again", async () => {
    const [primary] = await bed.enis("ip-10-0-");
    await (await bed.ec2()).send(
      new AssignPrivateIpAddressesCommand({
        NetworkInterfaceId: primary?.NetworkInterfaceId,
        Ipv4PrefixCount: 1,
      }),
    );
    expect(await brokenIn(bed, 1000)).toContain(7);
    await renewAgent(bed);
    await whole(bed);
  });

  test("is clean after a reboot", () => survivesReboot(bed));
});
