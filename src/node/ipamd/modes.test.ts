import { describe, expect, test } from "bun:test";
import type { CniNode, EniConfig, Node, Pod } from "../../kube/resources.ts";
import { instanceId, primaryEniId } from "./fake-aws.ts";
import { FakeKube } from "./fake-kube.ts";
import { podEniAnnotation, readPodEni } from "./pod-eni.ts";
import { delRequest, failureOf, TestNode } from "./test-node.ts";

const kubeNode = (more: Partial<Node> = {}): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "node-1" },
  status: { capacity: { pods: "29" } },
  ...more,
});

const cordon: NonNullable<Node["spec"]> = {
  taints: [{ key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" }],
};

const eniConfig = (name: string, spec: EniConfig["spec"]): EniConfig => ({
  apiVersion: "crd.k8s.amazonaws.com/v1alpha1",
  kind: "ENIConfig",
  metadata: { name },
  spec,
});

/** Prefixes of each ENI by EC2's word, by device index. */
const prefixes = (node: TestNode): number[] =>
  [...node.aws.enis.values()]
    .sort((a, b) => (a.attachment?.deviceIndex ?? 0) - (b.attachment?.deviceIndex ?? 0))
    .map((eni) => eni.ipv4Prefixes.length);

describe("prefix delegation", () => {
  const env = { ENABLE_PREFIX_DELEGATION: "true" };

  test("starts with one /28, gives its first address, and takes another when it is used", async () => {
    using node = new TestNode(env);
    await node.start();
    expect(prefixes(node)).toEqual([1]);
    const reply = await node.add("web-0");
    const [prefix = ""] = node.aws.enis.get(primaryEniId)?.ipv4Prefixes ?? [];
    expect(reply.IPAllocationMetadata[0]?.IPv4Addr).toBe(prefix.replace("/28", ""));
    await node.pass(1000);
    expect(prefixes(node)).toEqual([2]);
  });

  test("a node that is switched over keeps its pods and gives unused single addresses back", async () => {
    using node = new TestNode();
    await node.start();
    const before = await node.add("web-0");
    node.kill();
    Object.assign(node.env, env);
    await node.start();
    await node.pass(40_000);
    const eni = node.aws.enis.get(primaryEniId);
    expect(eni?.privateIpAddresses.map(({ address }) => address)).toEqual([
      "10.0.0.10",
      before.IPAllocationMetadata[0]?.IPv4Addr ?? "",
    ]);
    expect((await node.add("web-0")).IPAllocationMetadata).toEqual(before.IPAllocationMetadata);
  });

  test("a type that cannot hold prefixes uses single addresses", async () => {
    using node = new TestNode(env);
    node.aws.instanceType = "m4.large";
    await node.start();
    expect(node.daemon.ctx.settings.mode).toBe("secondary-ip");
    expect(node.logged.some(({ msg }) => msg.includes("ENABLE_PREFIX_DELEGATION"))).toBe(true);
  });
});

describe("IPv6", () => {
  const env = { ENABLE_IPv4: "false", ENABLE_IPv6: "true", ENABLE_PREFIX_DELEGATION: "true" };

  test("S29: one /80 on the primary ENI, from which the first pod gets the base address", async () => {
    using node = new TestNode(env);
    node.aws.addEni(primaryEniId, { deviceIndex: 0, address: "10.0.0.10", ipv6: "2001:db8::10" });
    await node.start();
    const reply = await node.add("web-0");
    expect(reply).toMatchObject({ Success: true, VPCv4CIDRs: [], VPCv6CIDRs: ["2001:db8::/56"] });
    const [prefix = ""] = node.aws.enis.get(primaryEniId)?.ipv6Prefixes ?? [];
    expect(`${reply.IPAllocationMetadata[0]?.IPv6Addr}/80`).toBe(prefix);
    expect(reply.IPAllocationMetadata[0]?.IPv4Addr).toBe("");
    await node.pass(120_000);
    expect(node.aws.count("AssignIpv6Addresses")).toBe(1);
  });

  test("S25: without prefixes, or beside IPv4, ipamd does not start", async () => {
    using without = new TestNode({ ...env, ENABLE_PREFIX_DELEGATION: "false" });
    expect(String(await failureOf(without.start()))).toContain("ENABLE_PREFIX_DELEGATION");
    using both = new TestNode({ ...env, ENABLE_IPv4: "true" });
    expect(String(await failureOf(both.start()))).toContain("ENABLE_IPv4 and ENABLE_IPv6 are both true");
  });
});

describe("several network cards", () => {
  async function twoCards(): Promise<TestNode> {
    const node = new TestNode({ ENABLE_MULTI_NIC: "true", DISABLE_NETWORK_RESOURCE_PROVISIONING: "true" });
    node.aws.instanceType = "p4d.24xlarge";
    node.aws.addEni(primaryEniId, { deviceIndex: 0, address: "10.0.0.10", secondaries: ["10.0.0.100"] });
    node.aws.addEni("eni-card-1", {
      deviceIndex: 1,
      card: 1,
      address: "10.0.0.11",
      secondaries: ["10.0.0.200"],
    });
    await node.start();
    return node;
  }

  test("S28: a multi-NIC pod gets one address of each card, and gives both back", async () => {
    using node = await twoCards();
    const cards = node.daemon.ledger.cards.map(({ pool }) => pool.card);
    expect(cards.slice(0, 2)).toEqual([0, 1]);
    node.daemon.ledger.cards.splice(2);
    const reply = await node.add("wide", { RequiresMultiNICAttachment: true });
    expect(reply.IPAllocationMetadata).toEqual([
      { IPv4Addr: "10.0.0.100", IPv6Addr: "", DeviceNumber: 0, RouteTableId: 254 },
      { IPv4Addr: "10.0.0.200", IPv6Addr: "", DeviceNumber: 1, RouteTableId: 10_101 },
    ]);
    expect((await node.del("wide")).IPAllocationMetadata).toHaveLength(2);
  });

  test("S28: an ordinary pod overflows to the next card; a multi-NIC pod without enough is refused", async () => {
    using node = await twoCards();
    node.daemon.ledger.cards.splice(2);
    expect((await node.add("a")).IPAllocationMetadata[0]?.RouteTableId).toBe(254);
    const wide = await node.add("wide", { RequiresMultiNICAttachment: true });
    expect(wide.Success).toBe(false);
    expect(node.daemon.ledger.pool(1).assignments()).toEqual([]);
    expect((await node.add("b")).IPAllocationMetadata[0]?.RouteTableId).toBe(10_101);
  });
});

describe("custom networking", () => {
  const env = { AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: "true" };
  const inZone = (): Node =>
    kubeNode({ metadata: { name: "node-1", labels: { "k8s.amazonaws.com/eniConfig": "az1" } } });

  test("pods get addresses of the ENIConfig's subnet, and its security groups", async () => {
    using node = new TestNode(env);
    const config = eniConfig("az1", { subnet: "subnet-9", securityGroups: ["sg1-id", "sg2-id"] });
    node.kube = new FakeKube([inZone(), config]).client;
    node.aws.subnets.push({
      ...(node.aws.subnets[0] as (typeof node.aws.subnets)[0]),
      subnetId: "subnet-9",
      cidrBlock: "100.64.0.0/20",
    });
    await node.start();
    const created = node.aws.calls.find(({ action }) => action === "CreateNetworkInterface");
    expect(created?.args[0]).toMatchObject({ subnetId: "subnet-9", groups: ["sg1-id", "sg2-id"] });
    expect((await node.add("web-0")).IPAllocationMetadata[0]?.DeviceNumber).toBe(1);
    expect(node.aws.enis.get(primaryEniId)?.privateIpAddresses).toHaveLength(1);
    expect(node.host).toContainEqual(expect.stringContaining("100.64.0.0/20"));
  });

  test("S54: a node without an ENIConfig does not become ready, and the error names what is missing", async () => {
    using node = new TestNode(env);
    node.kube = new FakeKube([inZone()]).client;
    const failure = await failureOf(node.start());
    expect(String(failure)).toContain("Failed to attach any ENIs for custom networking");
    expect(String(failure)).toContain("ENIConfig named az1");
  });

  test("S20: on a cordoned node nothing is grown, unless it is said to be", async () => {
    const config = eniConfig("az1", { subnet: "subnet-1", securityGroups: ["sg1-id", "sg2-id"] });
    for (const manage of ["false", "true"]) {
      using node = new TestNode({ ...env, AWS_MANAGE_ENIS_NON_SCHEDULABLE: manage });
      const cordoned: Node = { ...inZone(), spec: cordon };
      node.kube = new FakeKube([cordoned, config]).client;
      await node.start();
      await node.pass(10_000);
      expect(node.aws.count("CreateNetworkInterface")).toBe(manage === "true" ? 1 : 0);
    }
  });
});

describe("IMDS-only mode", () => {
  test("asks EC2 nothing, and follows what metadata shows", async () => {
    using node = new TestNode({ ENABLE_IMDS_ONLY_MODE: "true" });
    node.aws.addEni(primaryEniId, { deviceIndex: 0, address: "10.0.0.10", secondaries: ["10.0.0.50"] });
    await node.start();
    expect((await node.add("web-0")).IPAllocationMetadata[0]?.IPv4Addr).toBe("10.0.0.50");
    node.aws.addEni(primaryEniId, {
      deviceIndex: 0,
      address: "10.0.0.10",
      secondaries: ["10.0.0.50", "10.0.0.51"],
    });
    await node.pass(70_000);
    expect(node.daemon.ledger.pool(0).stats(node.clock.now()).total).toBe(2);
    expect(node.aws.calls).toEqual([]);
  });
});

describe("the Node object", () => {
  test("its capacity caps the pool, and an uncordon lets it grow at once", async () => {
    using node = new TestNode();
    const kube = new FakeKube([kubeNode({ spec: cordon })]);
    node.kube = kube.client;
    await node.start();
    await node.pass(5000);
    expect(node.aws.count("AssignPrivateIpAddresses")).toBe(0);
    expect(node.daemon.ledger.maxPods).toBe(29);
    kube.put(kubeNode());
    await node.pass(1000);
    expect(node.aws.count("AssignPrivateIpAddresses")).toBe(1);
  });

  test("without an API server the type's own number holds", async () => {
    using node = new TestNode();
    await node.start();
    expect(node.daemon.ledger.maxPods).toBe(29);
  });
});

describe("ENIs that are not ours", () => {
  test("S24: no_manage is left alone and takes up a slot; untagged ones are ours by default", async () => {
    using node = new TestNode();
    const tags = [{ key: "node.k8s.amazonaws.com/no_manage", value: "true" }];
    node.aws.addEni("eni-foreign", { deviceIndex: 1, address: "10.0.0.40", tags });
    node.aws.addEni("eni-untagged", { deviceIndex: 2, address: "10.0.0.50" });
    await node.start();
    const ids = node.daemon.ledger
      .pool(0)
      .enis()
      .map(({ id }) => id);
    expect(ids).toEqual([primaryEniId, "eni-untagged"]);
    expect(node.daemon.ledger.cards[0]?.unmanagedEnis).toBe(1);
    expect(node.aws.enis.get("eni-untagged")?.tags).toContainEqual({
      key: "node.k8s.amazonaws.com/instance_id",
      value: instanceId,
    });
    expect(node.aws.enis.get("eni-foreign")?.tags).toEqual(tags);
  });

  test("S24: with MANAGE_UNTAGGED_ENI=false only those with our tag are ours", async () => {
    using node = new TestNode({ MANAGE_UNTAGGED_ENI: "false" });
    node.aws.addEni("eni-untagged", { deviceIndex: 2, address: "10.0.0.50" });
    await node.start();
    expect(
      node.daemon.ledger
        .pool(0)
        .enis()
        .map(({ id }) => id),
    ).toEqual([primaryEniId]);
  });
});

describe("security groups for pods", () => {
  const env = { ENABLE_POD_ENI: "true" };
  const cniNode: CniNode = {
    apiVersion: "vpcresources.k8s.aws/v1alpha1",
    kind: "CNINode",
    metadata: { name: "node-1" },
    spec: { features: [] },
  };
  const branchPod = (annotation: string): Pod =>
    ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "web-0", namespace: "default", annotations: { [podEniAnnotation]: annotation } },
      spec: { containers: [{ name: "c", resources: { limits: { "vpc.amazonaws.com/pod-eni": "1" } } }] },
    }) as unknown as Pod;
  const branch =
    '[{"eniId":"eni-b","ifAddress":"02:00:00:00:0b:01","privateIp":"10.0.0.77","ipv6Addr":"",' +
    '"vlanId":3,"subnetCidr":"10.0.0.0/20"}]';

  test("S35: the trunk is asked for when there is room for it", async () => {
    for (const [maxEni, asked] of [
      ["1", 0],
      ["3", 1],
    ] as const) {
      using node = new TestNode({ ...env, MAX_ENI: maxEni });
      const kube = new FakeKube([kubeNode(), cniNode]);
      node.kube = kube.client;
      await node.start();
      await node.pass(5000);
      expect(kube.get<CniNode>("CNINode", "node-1").spec?.features).toHaveLength(asked);
    }
  });

  test("a pod with a branch ENI is answered from its annotation", async () => {
    using node = new TestNode(env);
    node.kube = new FakeKube([kubeNode(), cniNode, branchPod(branch)]).client;
    node.aws.addEni("eni-trunk", { deviceIndex: 3, address: "10.0.0.66", interfaceType: "trunk" });
    await node.start();
    expect(await node.add("web-0")).toMatchObject({
      Success: true,
      IPAllocationMetadata: [{ IPv4Addr: "10.0.0.77", DeviceNumber: -1, RouteTableId: 0 }],
      PodVlanId: 3,
      PodENIMAC: "02:00:00:00:0b:01",
      PodENISubnetGW: "10.0.0.1",
      ParentIfIndex: 2,
    });
    expect(node.daemon.ledger.pool(0).assignments()).toEqual([]);
    expect(await node.del("web-0")).toMatchObject({ Success: true, PodVlanId: 3 });
  });

  test.each([
    ["not JSON", "failed to unmarshal"],
    ["[]", "parsed PodENIData is empty"],
  ])("S30: %s is refused", async (annotation, text) => {
    using node = new TestNode(env);
    node.kube = new FakeKube([kubeNode(), cniNode, branchPod(annotation)]).client;
    node.aws.addEni("eni-trunk", { deviceIndex: 3, address: "10.0.0.66", interfaceType: "trunk" });
    await node.start();
    expect((await node.add("web-0")).Success).toBe(false);
    const failure = await failureOf(node.daemon.backend.delNetwork(delRequest("web-0")));
    expect(String(failure)).toContain(text);
  });

  test("the VLAN id is read in either spelling", () => {
    expect(readPodEni('[{"vlanID":7}]').vlanId).toBe(7);
    expect(readPodEni('[{"vlanId":7}]').vlanId).toBe(7);
  });
});
