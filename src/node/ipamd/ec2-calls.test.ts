import { describe, expect, test } from "bun:test";
import { eniTags, missingTags } from "./eni-tags.ts";
import { refusal } from "./fake-aws.ts";
import { freeEni } from "./free-eni.ts";
import { removeLeakedEnis } from "./leaked-enis.ts";
import { refreshSecurityGroups } from "./security-groups.ts";
import { failureOf, TestNode } from "./test-node.ts";
import { refreshVpcCidrs } from "./vpc-cidrs.ts";

describe("S41: freeing an ENI", () => {
  async function nodeWithEni(): Promise<TestNode> {
    const node = new TestNode({ DISABLE_NETWORK_RESOURCE_PROVISIONING: "true" });
    node.aws.addEni("eni-2", { deviceIndex: 1, address: "10.0.0.60" });
    await node.start();
    return node;
  }

  test("detaches, deletes, and forgets its rules", async () => {
    using node = await nodeWithEni();
    await node.whileTimePasses(freeEni(node.daemon.ctx, "eni-2"));
    expect(node.aws.enis.has("eni-2")).toBe(false);
    expect(node.host).toContain("no rules from 10.0.0.60");
  });

  test.each([
    [1, true],
    [11, true],
    [12, false],
  ])("%d failures to delete: success is %p", async (failures, succeeds) => {
    using node = await nodeWithEni();
    let left = failures;
    node.aws.onCall = (action) => {
      if (action === "DeleteNetworkInterface" && left-- > 0) throw refusal("InternalError", "later");
    };
    const outcome = await node.whileTimePasses(
      freeEni(node.daemon.ctx, "eni-2").then(
        () => true,
        () => false,
      ),
      500,
    );
    expect(outcome).toBe(succeeds);
  });

  test("an ENI that is gone is a success; one that cannot be described is not", async () => {
    using node = await nodeWithEni();
    node.daemon.ctx.known.attachmentIds.clear();
    node.aws.drop("eni-2");
    await node.whileTimePasses(freeEni(node.daemon.ctx, "eni-2"));
    node.aws.onCall = () => {
      throw refusal("InternalError", "down");
    };
    const failure = await failureOf(node.whileTimePasses(freeEni(node.daemon.ctx, "eni-3")));
    expect(String(failure)).toContain("InternalError");
  });
});

test("S42: only old ENIs of the CNI are deleted; one without a time is given one", async () => {
  using node = new TestNode();
  await node.start();
  const { ctx } = node.daemon;
  const now = node.clock.now();
  const leak = (id: string, description: string, createdAt: string | undefined): void => {
    node.aws.addEni(id, { deviceIndex: 5, address: "10.0.0.70" });
    const eni = node.aws.enis.get(id);
    if (eni === undefined) return;
    delete eni.attachment;
    const tags = [{ key: "node.k8s.amazonaws.com/instance_id", value: "i-other" }];
    if (createdAt !== undefined) tags.push({ key: "node.k8s.amazonaws.com/createdAt", value: createdAt });
    node.aws.change(id, { status: "available", description, tags });
  };
  const minutesAgo = (minutes: number): string => new Date(now - minutes * 60_000).toISOString();
  leak("old", "aws-K8S-i-xxxxx", minutesAgo(10));
  leak("young", "aws-K8S-i-xxxxx", minutesAgo(0));
  leak("foreign", "non-k8s-i-xxxxx", minutesAgo(10));
  leak("unstamped", "aws-K8S-i-xxxxx", undefined);
  leak("garbled", "aws-K8S-i-xxxxx", "yesterday");
  await node.whileTimePasses(removeLeakedEnis(ctx));
  const left = ["old", "young", "foreign", "unstamped", "garbled"].filter((id) => node.aws.enis.has(id));
  expect(left).toEqual(["young", "foreign", "unstamped", "garbled"]);
  const filters = node.aws.calls.at(-1);
  expect(filters).toBeDefined();
  expect(node.aws.enis.get("unstamped")?.tags).toContainEqual({
    key: "node.k8s.amazonaws.com/createdAt",
    value: new Date(now).toISOString().replace(/\.\d+Z$/, "Z"),
  });
});

test("S42: the cluster's name is a filter when it is set", async () => {
  for (const [name, filtered] of [
    ["", false],
    ["my-cluster", true],
  ] as const) {
    using node = new TestNode({ CLUSTER_NAME: name });
    await node.start();
    await removeLeakedEnis(node.daemon.ctx);
    expect(JSON.stringify(node.aws.calls.at(-1)?.args).includes("tag:cluster.k8s.amazonaws.com/name")).toBe(
      filtered,
    );
  }
});

test("tags: ours, the cluster's, and the user's without reserved keys; only what is missing is written", () => {
  const source = {
    instanceId: "i-1",
    clusterName: "c",
    additional: { team: "web", "x.k8s.amazonaws.com/y": "no", "eks:eni:owner": "me" },
  };
  expect(eniTags(source, Date.parse("2026-01-02T03:04:05.678Z"))).toEqual([
    { key: "cluster.k8s.amazonaws.com/name", value: "c" },
    { key: "eks:eni:owner", value: "me" },
    { key: "node.k8s.amazonaws.com/createdAt", value: "2026-01-02T03:04:05Z" },
    { key: "node.k8s.amazonaws.com/instance_id", value: "i-1" },
    { key: "team", value: "web" },
  ]);
  expect(eniTags({ instanceId: "i-1", additional: {} })).toEqual([
    { key: "node.k8s.amazonaws.com/instance_id", value: "i-1" },
  ]);
  const wanted = eniTags(source);
  expect(missingTags(wanted, [...wanted.slice(1), { key: "other", value: "x" }])).toEqual(wanted.slice(0, 1));
});

test("security groups: ENIs that have others are changed, once, and again after a failure", async () => {
  using node = new TestNode();
  await node.start();
  const { ctx } = node.daemon;
  const ids = ["eni-primary"];
  await refreshSecurityGroups(ctx, ids);
  expect(node.aws.count("ModifyNetworkInterfaceAttribute")).toBe(0);
  node.aws.securityGroups = ["sg-2", "sg-1"];
  node.aws.onCall = (action) => {
    if (action === "ModifyNetworkInterfaceAttribute") throw refusal("InternalError", "later");
  };
  await refreshSecurityGroups(ctx, ids);
  node.aws.onCall = () => {};
  await refreshSecurityGroups(ctx, ids);
  await refreshSecurityGroups(ctx, ids);
  expect(node.aws.count("ModifyNetworkInterfaceAttribute")).toBe(2);
  expect(node.aws.enis.get("eni-primary")?.groups).toEqual(["sg-1", "sg-2"]);
});

test("VPC blocks: the kernel follows a change, and a failure is tried again", async () => {
  using node = new TestNode();
  await node.start();
  const { ctx } = node.daemon;
  await refreshVpcCidrs(ctx);
  node.aws.vpcCidrs = ["10.0.0.0/16", "100.64.0.0/16"];
  const update = ctx.host.updateVpcCidrs;
  Object.assign(ctx.host, { updateVpcCidrs: () => Promise.reject(new Error("busy")) });
  expect(String(await failureOf(refreshVpcCidrs(ctx)))).toContain("busy");
  Object.assign(ctx.host, { updateVpcCidrs: update });
  await refreshVpcCidrs(ctx);
  expect(node.host.filter((line) => line.startsWith("cidrs"))).toEqual(["cidrs 10.0.0.0/16,100.64.0.0/16"]);
});

test("subnet discovery: the roomiest tagged subnet is taken, and the next when it is full", async () => {
  using node = new TestNode();
  const subnet = (subnetId: string, free: number) => ({
    subnetId,
    vpcId: "vpc-1",
    availabilityZone: "us-west-2a",
    cidrBlock: "10.0.64.0/20",
    ipv6CidrBlocks: [],
    availableIpAddressCount: free,
    tags: [{ key: "kubernetes.io/role/cni", value: "1" }],
  });
  node.aws.subnets.push(subnet("subnet-2", 9000), subnet("subnet-3", 8000));
  await node.start();
  node.aws.onCall = (action, args) => {
    if (action === "CreateNetworkInterface" && JSON.stringify(args).includes("subnet-2"))
      throw refusal("InsufficientFreeAddressesInSubnet", "full");
  };
  await node.add("web-0");
  await node.pass(3000);
  const created = node.aws.calls.filter(({ action }) => action === "CreateNetworkInterface");
  expect(created.map(({ args }) => (args[0] as { subnetId: string }).subnetId)).toEqual([
    "subnet-2",
    "subnet-3",
  ]);
  expect(
    node.daemon.ledger
      .pool(0)
      .enis()
      .map((eni) => eni.subnetId),
  ).toEqual(["subnet-1", "subnet-3"]);
});
