import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import {
  CreateNetworkInterfaceCommand,
  CreateSecurityGroupCommand,
  DescribeNetworkInterfacesCommand,
  ModifyNetworkInterfaceAttributeCommand,
} from "@aws-sdk/client-ec2";
import { nodes, type Pod, pods } from "../../kube/resources.ts";
import { labStatus } from "../control.ts";
import { labBed, until } from "../lab-bed.ts";

// The plugins that are chained after aws-cni, with packets; and, as it takes its time, what ipamd does by the clock:
// security groups are spread, leaked ENIs deleted. Two t3.small nodes, whose ENIs have room for three pods each.
const bed = labBed("plugins");
const hostPort = 8007;
/** With this rate the plugin's bucket, 2^32−1 bits as containerd says, wraps around to 0.9 MB: soon used up. */
const rate = 7_800_000;

const lab = `
vpc:
  cidrs: [10.0.0.0/16]
  subnets:
    - {name: nodes-a, zone: us-west-2a, cidr: 10.0.32.0/20, publicAddresses: true, routeTable: out}
    - {name: nodes-b, zone: us-west-2b, cidr: 10.0.48.0/20, publicAddresses: true, routeTable: out}
  routeTables:
    - {name: out, routes: [{destination: 0.0.0.0/0, target: internet-gateway}]}
nodeGroups:
  - {name: workers, instanceType: t3.small, count: 2, subnets: [nodes-a, nodes-b]}
awsNode:
  env:
    ENABLE_BANDWIDTH_PLUGIN: "true"
    DISABLE_POD_V6: "true"
    ENIVERSE_LEAKED_ENI_SEARCH_SECONDS: "1"
`;

const limited = (name: string, node: string, limits: Readonly<Record<string, string>>): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", annotations: { ...limits } },
  spec: {
    nodeName: node,
    terminationGracePeriodSeconds: 1,
    containers: [{ name: "echo", image: "eniverse/echo", ports: [{ containerPort: 8080, hostPort }] }],
  },
});

const get = async (name: string): Promise<Pod> => bed.kube().get(pods, name, "default");
const addressOf = async (name: string): Promise<string> => (await get(name)).status?.podIP ?? "";

/** Deletes a pod and waits until nothing of it is left. */
async function remove(name: string): Promise<void> {
  await bed.kube().delete(pods, name, { namespace: "default" });
  await until(`${name} is gone`, async () =>
    (await bed.kube().list(pods, { namespace: "default" })).items.every(
      ({ metadata }) => metadata.name !== name,
    ),
  );
}

interface Qdisc {
  readonly dev: string;
  readonly kind: string;
  readonly bytes: number;
  readonly overlimits: number;
}

/** The token buckets of a node: that of the pod's veth (what comes in), and that of the ifb device (what goes out). */
const buckets = (node: string): Qdisc[] =>
  (JSON.parse(bed.on(node, "tc", "-s", "-j", "qdisc", "show")) as Qdisc[]).filter(
    ({ kind }) => kind === "tbf",
  );

describe.skipIf(process.getuid?.() !== 0)("chained plugins, and what is done by the clock", () => {
  let [here, there] = ["", ""];
  let group = "";

  beforeAll(async () => {
    await bed.upFrom(lab);
    [here = "", there = ""] = (await bed.kube().list(nodes)).items.map(({ metadata }) => metadata.name);
    // Four on each: the primary ENIs are full, and the next pod lives on another one.
    bed.succeed("run", "web", "--replicas", "8");
    const ec2 = await bed.ec2();
    const [primary, second] = await bed.enis(here);
    expect(second).toBeDefined();
    const made = await ec2.send(
      new CreateSecurityGroupCommand({ GroupName: "new", Description: "new", VpcId: primary?.VpcId }),
    );
    group = made.GroupId ?? "";
    const NetworkInterfaceId = primary?.NetworkInterfaceId;
    await ec2.send(new ModifyNetworkInterfaceAttributeCommand({ NetworkInterfaceId, Groups: [group] }));
    const limits = { "kubernetes.io/ingress-bandwidth": "7.8M", "kubernetes.io/egress-bandwidth": "7800k" };
    await bed.kube().create(pods, limited("shaped", here, limits));
    await until("the pod runs", async () => (await get("shaped")).status?.phase === "Running");
  }, 180_000);

  afterAll(() => bed.down(), 60_000);

  test("portmap: the port of a node leads to the pod, for its node, others, pods and the internet", async () => {
    const [primary] = await bed.enis(here);
    const row = bed.addresses().find(({ pod }) => pod === "default/shaped");
    expect(row?.eniId).not.toBe(primary?.NetworkInterfaceId ?? "");
    const curl = (address: string): [string, ...string[]] => [
      "curl",
      "-s",
      "--max-time",
      "20",
      `http://${address}:${hostPort}/`,
    ];
    const inside = curl(primary?.PrivateIpAddress ?? "");
    const { namespaces } = await labStatus(bed.paths);
    const outside = curl(primary?.Association?.PublicIp ?? "");
    const answers = [
      bed.on(here, ...inside),
      bed.on(here, ...curl("127.0.0.1")),
      bed.on(there, ...inside),
      bed.succeed("exec", "web-", "--", ...inside),
      spawnSync("nsenter", [`--net=${namespaces.internet}`, ...outside], { encoding: "utf8" }).stdout,
    ];
    for (const answer of answers) expect(answer).toContain('"pod":"shaped"');
  });

  test("tuning: a pod has no IPv6", () => {
    expect(bed.succeed("exec", "shaped", "--", "ip", "-6", "address").trim()).toBe("");
  });

  test("bandwidth: what comes to a pod and what leaves it is held to the annotations' rates", async () => {
    const web = bed.addresses().find(({ pod, node }) => pod?.startsWith("default/web-") && node === there);
    const flood = (to: string): string => `exec cat /dev/zero >/dev/tcp/${to}/8080`;
    const cases = [
      { device: /^eni/, from: ["node", there], to: await addressOf("shaped") },
      { device: /^bwp/, from: ["exec", "shaped"], to: web?.address ?? "" },
    ];
    for (const { device, from, to } of cases) {
      const bucket = (): Qdisc | undefined => buckets(here).find(({ dev }) => device.test(dev));
      const sender = eniverse(...from, "--", "timeout", "60", "bash", "-c", flood(to));
      try {
        await until("the bucket is empty", () => (bucket()?.overlimits ?? 0) > 0);
        const started = performance.now();
        const before = bucket()?.bytes ?? 0;
        await pause(1500);
        const sent = (bucket()?.bytes ?? 0) - before;
        const seconds = (performance.now() - started) / 1000;
        expect(sent).toBeGreaterThan(0);
        // Without a limit a hundred times as much gets through.
        expect((sent * 8) / seconds).toBeLessThan(2 * rate);
      } finally {
        sender.kill();
      }
    }
  });

  test("a pod takes its devices, buckets and rules with it", async () => {
    await remove("shaped");
    expect(buckets(here)).toEqual([]);
    expect(bed.on(here, "ip", "-o", "link")).not.toContain("bwp");
    expect(bed.on(here, "iptables", "-t", "nat", "-S")).not.toContain(String(hostPort));
  });

  test("bandwidth: an annotation that is no rate is named in the pod's event", async () => {
    await bed.kube().create(pods, limited("bad", here, { "kubernetes.io/egress-bandwidth": "fast" }));
    await until("the event is there", async () =>
      (await bed.warnings()).some(
        ({ reason, message, involvedObject }) =>
          involvedObject.name === "bad" &&
          reason === "FailedCreatePodSandBox" &&
          message?.includes("kubernetes.io/egress-bandwidth=fast"),
      ),
    );
    await remove("bad");
  });

  test("leaked ENIs of the cluster are deleted, but for young ones and those of others", async () => {
    const [own = ""] = (await bed.machines()).map(({ instanceId }) => instanceId);
    const cluster = { "cluster.k8s.amazonaws.com/name": bed.paths.name };
    const ours = { ...cluster, "node.k8s.amazonaws.com/instance_id": own };
    const createdAt = (minutesAgo: number): Record<string, string> => ({
      "node.k8s.amazonaws.com/createdAt": new Date(Date.now() - minutesAgo * 60_000).toISOString(),
    });
    const description = `aws-K8S-${own}`;
    const kept = await Promise.all([
      available(description, { ...ours, ...createdAt(2) }),
      available("mine", { ...ours, ...createdAt(60) }),
      available(description, { ...cluster, ...createdAt(60) }),
      available(description, { ...ours, ...createdAt(60), "cluster.k8s.amazonaws.com/name": "another" }),
    ]);
    const undated = await available(description, ours);
    // The second one is looked for after all others have been dealt with.
    for (const turn of [1, 2]) {
      const leaked = await available(description, { ...ours, ...createdAt(6) });
      await until(`leak ${turn} is gone`, async () => !(await alone()).has(leaked));
    }
    const left = await alone();
    expect([...left.keys()].sort()).toEqual([...kept, undated].sort());
    expect(Date.parse(left.get(undated)?.["node.k8s.amazonaws.com/createdAt"] ?? "")).toBeGreaterThan(
      Date.now() - 120_000,
    );
  });

  test("the primary ENI's security groups are given to the node's others within the refresh period", async () => {
    const groupsOf = async (node: string): Promise<string[]> =>
      (await bed.enis(node)).map(({ Groups = [] }) => Groups.map(({ GroupId }) => GroupId).join());
    await until("every ENI has the new group", async () =>
      (await groupsOf(here)).every((groups) => groups === group),
    );
    expect(await groupsOf(there)).not.toContain(group);
    // By the timer: no ipamd was started again meanwhile.
    const { items } = await bed.kube().list(pods, { namespace: "kube-system" });
    const restarts = items.flatMap(({ status }) => status?.containerStatuses ?? []);
    expect(restarts.map(({ restartCount }) => restartCount)).toEqual([0, 0, 0, 0]);
  });

  test("the network model holds with all of them, and the lab is whole", () => {
    bed.succeed("verify");
    bed.succeed("check", "--patience", "60");
  });
});

/** Starts the command for the bed's lab and goes on. */
function eniverse(...args: readonly string[]): ChildProcess {
  const argv = [new URL("../../cli/main.ts", import.meta.url).pathname, "--name", bed.paths.name, ...args];
  return spawn(process.execPath, argv, { stdio: "ignore" });
}

async function available(Description: string, tags: Readonly<Record<string, string>>): Promise<string> {
  const [primary] = await bed.enis("ip-10-0-");
  const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  const { NetworkInterface } = await (await bed.ec2()).send(
    new CreateNetworkInterfaceCommand({
      SubnetId: primary?.SubnetId,
      Description,
      TagSpecifications: [{ ResourceType: "network-interface", Tags }],
    }),
  );
  return NetworkInterface?.NetworkInterfaceId ?? "";
}

/** Tags of the ENIs that no instance has, by id. */
async function alone(): Promise<Map<string, Record<string, string>>> {
  const { NetworkInterfaces = [] } = await (await bed.ec2()).send(
    new DescribeNetworkInterfacesCommand({ Filters: [{ Name: "status", Values: ["available"] }] }),
  );
  return new Map(
    NetworkInterfaces.map(({ NetworkInterfaceId = "", TagSet = [] }) => [
      NetworkInterfaceId,
      Object.fromEntries(TagSet.map(({ Key = "", Value = "" }) => [Key, Value])),
    ]),
  );
}
