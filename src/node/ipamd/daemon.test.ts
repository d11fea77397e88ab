import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import type { EniAttachment } from "../../aws/shapes.ts";
import { primaryEniId, refusal } from "./fake-aws.ts";
import { addRequest, delRequest, failureOf, TestNode } from "./test-node.ts";

/** Secondary addresses of each ENI, as EC2 has them, by device index. */
function secondaries(node: TestNode): number[] {
  return [...node.aws.enis.values()]
    .sort((a, b) => (a.attachment?.deviceIndex ?? 0) - (b.attachment?.deviceIndex ?? 0))
    .map((eni) => eni.privateIpAddresses.length - 1);
}

function attachmentOf(node: TestNode, id: string): EniAttachment {
  const attachment = node.aws.enis.get(id)?.attachment;
  if (attachment === undefined) throw new Error(`${id} is not attached`);
  return attachment;
}

describe("an m5.large with WARM_ENI_TARGET=1", () => {
  test("comes to rest with one ENI and nine addresses, ready as soon as it has them", async () => {
    using node = new TestNode();
    await node.start();
    await node.pass(10_000);
    expect(secondaries(node)).toEqual([9]);
    expect(node.aws.count("AssignPrivateIpAddresses")).toBe(1);
    expect(node.host[0]).toBe("node 10.0.0.0/16");
  });

  test("one pod makes it take a second ENI, which is set up before it is used", async () => {
    using node = new TestNode();
    await node.start();
    const reply = await node.add("web-0");
    expect(reply).toMatchObject({ Success: true, VPCv4CIDRs: ["10.0.0.0/16"], UseExternalSNAT: false });
    expect(reply.IPAllocationMetadata[0]).toMatchObject({ DeviceNumber: 0, RouteTableId: 254 });
    await node.pass(5000);
    expect(secondaries(node)).toEqual([9, 9]);
    expect(node.host.some((line) => line.startsWith("eni 02:00:00:00:ff"))).toBe(true);
    const created = node.aws.enis.get("eni-1");
    expect(created?.attachment).toMatchObject({ deviceIndex: 1, deleteOnTermination: true });
    expect(created?.description).toBe("aws-K8S-i-0123456789abcdef0");
    await node.pass(600_000);
    expect(secondaries(node)).toEqual([9, 9]);
  });

  test("twenty-seven pods at once all get an address, and the twenty-eighth is refused at once", async () => {
    using node = new TestNode();
    node.aws.latencyMs = 400;
    await node.start();
    const replies = await node.whileTimePasses(
      Promise.all(
        Array.from({ length: 27 }, (_, index) => node.daemon.backend.addNetwork(addRequest(`p-${index}`))),
      ),
    );
    expect(new Set(replies.map((reply) => reply.IPAllocationMetadata[0]?.IPv4Addr)).size).toBe(27);
    expect(secondaries(node)).toEqual([9, 9, 9]);
    const before = node.clock.now();
    expect((await node.add("one-too-many")).Success).toBe(false);
    expect(node.clock.now() - before).toBeLessThan(1000);
  });

  test("both ENIs that thirty pods need are created in parallel", async () => {
    using node = new TestNode();
    node.aws.latencyMs = 1000;
    await node.start();
    const start = node.clock.now();
    await node.whileTimePasses(
      Promise.all(
        Array.from({ length: 27 }, (_, index) => node.daemon.backend.addNetwork(addRequest(`p-${index}`))),
      ),
    );
    // DescribeSubnets, then CreateNetworkInterface beside DescribeInstances, Attach, and the mark.
    expect(node.clock.now() - start).toBeLessThan(5000);
  });
});

describe("ADD and DEL", () => {
  test("S4: ADD again gives the same address", async () => {
    using node = new TestNode();
    await node.start();
    const [first, second] = [await node.add("web-0"), await node.add("web-0")];
    expect(second.IPAllocationMetadata).toEqual(first.IPAllocationMetadata);
  });

  test("S26: a plugin of another version is turned away", async () => {
    using node = new TestNode();
    await node.start();
    const failure = await failureOf(node.daemon.backend.addNetwork(addRequest("x", { ClientVersion: "v0" })));
    expect((failure as Error).message).toMatch(
      /^rpc error: code = FailedPrecondition desc = wrong client version "v0" \(!= "/,
    );
  });

  test("DEL of an unknown pod says so in the words that the plugin looks for", async () => {
    using node = new TestNode();
    await node.start();
    expect(String(await failureOf(node.del("nobody")))).toContain("datastore: unknown pod");
  });

  test("S27: exclusions from source translation come after the VPC's blocks", async () => {
    const excluded = "10.12.0.0/16,10.13.0.0/16";
    using node = new TestNode({ AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: excluded });
    await node.start();
    expect((await node.add("a")).VPCv4CIDRs).toEqual(["10.0.0.0/16", "10.12.0.0/16", "10.13.0.0/16"]);
    using external = new TestNode({
      AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: excluded,
      AWS_VPC_K8S_CNI_EXTERNALSNAT: "true",
    });
    await external.start();
    expect(await external.add("a")).toMatchObject({ UseExternalSNAT: true, VPCv4CIDRs: ["10.0.0.0/16"] });
  });

  test("requests without ids, and multi-NIC requests without multi-NIC, are refused", async () => {
    using node = new TestNode();
    await node.start();
    for (const more of [
      { ContainerID: "" },
      { IfName: "" },
      { NetworkName: "" },
      { RequiresMultiNICAttachment: true },
    ])
      expect((await node.add("x", more)).Success).toBe(false);
  });

  test("a released address cools down before it is given to another pod", async () => {
    using node = new TestNode({ MAX_ENI: "1" });
    await node.start();
    for (let index = 0; index < 9; index++) await node.add(`p-${index}`);
    const released = (await node.del("p-3")).IPAllocationMetadata[0]?.IPv4Addr;
    const before = node.clock.now();
    const reply = await node.add("late");
    expect(reply.IPAllocationMetadata[0]?.IPv4Addr).toBe(released ?? "");
    expect(node.clock.now() - before).toBeGreaterThanOrEqual(30_000);
    expect((await node.add("later")).Success).toBe(false);
  });

  test("a pod that is deleted while it waits is told so, and takes nothing", async () => {
    using node = new TestNode({ MAX_ENI: "1" });
    await node.start();
    for (let index = 0; index < 9; index++) await node.add(`p-${index}`);
    await node.del("p-3");
    const waiting = node.daemon.backend.addNetwork(addRequest("late"));
    await node.pass(1000);
    expect(String(await failureOf(node.del("late")))).toContain("datastore: unknown pod");
    expect((await node.whileTimePasses(waiting)).Success).toBe(false);
    expect(node.daemon.ledger.waiting).toEqual({ anyCard: 0, everyCard: 0 });
  });

  test("S5: no address is given when the checkpoint cannot be written", async () => {
    using node = new TestNode();
    await node.start();
    const store = node.daemon.ctx.env.backingStore;
    Object.assign(node.daemon.ctx.env, { backingStore: `${node.folder}/missing/ipam.json` });
    expect((await node.add("web-0")).Success).toBe(false);
    expect(node.daemon.ledger.pool(0).assignments()).toEqual([]);
    Object.assign(node.daemon.ctx.env, { backingStore: store });
    expect((await node.add("web-0")).Success).toBe(true);
  });
});

describe("a restart", () => {
  test("finds every pod again, and no address twice", async () => {
    using node = new TestNode();
    await node.start();
    const addresses = new Map<string, string>();
    for (let index = 0; index < 12; index++) {
      const reply = await node.add(`p-${index}`);
      addresses.set(`p-${index}`, reply.IPAllocationMetadata[0]?.IPv4Addr ?? "");
    }
    node.kill();
    // One pod's sandbox goes while nobody watches.
    node.veths.delete([...node.veths][5] ?? "");
    await node.start();
    expect(node.daemon.ledger.pool(0).assignments()).toHaveLength(11);
    const again = await node.add("p-0");
    expect(again.IPAllocationMetadata[0]?.IPv4Addr).toBe(addresses.get("p-0") ?? "");
    const fresh = await node.add("new");
    expect([...addresses.values()]).not.toContain(fresh.IPAllocationMetadata[0]?.IPv4Addr);
    expect(node.host.filter((line) => line.startsWith("no rules of pod"))).toHaveLength(1);
  });

  test("waits for instance metadata when an ENI was attached just before the kill", async () => {
    using node = new TestNode();
    await node.start();
    node.aws.imdsLagMs = 8000;
    const replies = [];
    for (let index = 0; index < 12; index++) replies.push(await node.add(`p-${index}`));
    expect(new Set(replies.map((reply) => reply.IPAllocationMetadata[0]?.DeviceNumber)).size).toBe(2);
    node.kill();
    await node.start();
    expect(node.daemon.ledger.pool(0).assignments()).toHaveLength(12);
  });

  test("believes EC2 about addresses: metadata may show neither the newest nor only present ones", async () => {
    using node = new TestNode({ WARM_IP_TARGET: "2" });
    await node.start();
    node.aws.imdsLagMs = 60_000;
    const replies = [];
    for (let index = 0; index < 5; index++) replies.push(await node.add(`p-${index}`));
    node.kill();
    await node.start();
    expect(node.daemon.ledger.pool(0).assignments()).toHaveLength(5);
    const total = node.daemon.ledger.pool(0).stats(node.clock.now()).total;
    expect(secondaries(node)).toEqual([total]);
  });

  test("an ENI that was created and not attached is deleted", async () => {
    using node = new TestNode();
    await node.start();
    node.aws.onCall = (action) => {
      if (action === "AttachNetworkInterface" || action === "DeleteNetworkInterface")
        throw refusal("InternalError", "down");
    };
    await node.add("a");
    await node.pass(2000);
    node.kill();
    expect([...node.aws.enis.values()].map(({ status }) => status)).toEqual(["in-use", "available"]);
    node.aws.onCall = () => {};
    await node.start();
    await node.pass(3000);
    expect([...node.aws.enis.values()].filter(({ status }) => status === "available")).toEqual([]);
  });

  test("an ENI that was attached and not marked is marked for deletion with the instance", async () => {
    using node = new TestNode();
    await node.start();
    node.aws.onCall = (action) => {
      if (action !== "ModifyNetworkInterfaceAttribute") return;
      node.kill();
      throw refusal("InternalError", "never heard");
    };
    void node.daemon.backend.addNetwork(addRequest("a"));
    await node.pass(1000);
    expect(attachmentOf(node, "eni-1").deleteOnTermination).toBe(false);
    node.aws.onCall = () => {};
    await node.start();
    await node.pass(1000);
    expect(attachmentOf(node, "eni-1").deleteOnTermination).toBe(true);
  });

  test("a corrupted checkpoint stops the start and says what to do", async () => {
    using node = new TestNode();
    await node.start();
    await node.add("a");
    node.kill();
    writeFileSync(node.checkpoint, '{"version":"vpc-cni-ipam/1","allocations":[');
    const failure = await node.start().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "corrupted" });
    expect(String(failure)).toContain(node.checkpoint);
    expect(String(failure)).toContain("move the file away");
  });

  test("the checkpoint file has the official form", async () => {
    using node = new TestNode();
    await node.start();
    const reply = await node.add("web-0");
    const file = JSON.parse(readFileSync(node.checkpoint, "utf8"));
    expect(file).toEqual({
      version: "vpc-cni-ipam/1",
      allocations: [
        {
          networkName: "aws-cni",
          containerID: "sandbox-web-0",
          ifName: "eth0",
          ipv4: reply.IPAllocationMetadata[0]?.IPv4Addr,
          allocationTimestamp: expect.any(Number),
          metadata: { k8sPodNamespace: "default", k8sPodName: "web-0", interfacesCount: 1 },
        },
      ],
    });
  });
});

describe("when EC2 refuses", () => {
  test("S57: without permission the node does not become ready, and the error says why", async () => {
    using node = new TestNode();
    node.aws.onCall = (action) => {
      if (action === "AssignPrivateIpAddresses" || action === "CreateNetworkInterface")
        throw refusal("UnauthorizedOperation", "You are not authorized to perform this operation.");
    };
    const failure = await node.start().catch((error: unknown) => error);
    expect(String(failure)).toContain("UnauthorizedOperation");
  });

  test("S19: a full subnet is asked for fewer and fewer addresses, and then left alone for 120 s", async () => {
    using node = new TestNode();
    node.aws.onCall = (action) => {
      if (action === "AssignPrivateIpAddresses" || action === "CreateNetworkInterface")
        throw refusal("InsufficientFreeAddressesInSubnet", "full");
    };
    await node.start();
    await node.pass(3000);
    const asked = node.aws.calls.filter(({ action }) => action === "AssignPrivateIpAddresses");
    expect(asked.map(({ args }) => args[1])).toEqual([9, 4, 2, 1].map((addressCount) => ({ addressCount })));
    await node.pass(120_000);
    expect(node.aws.count("AssignPrivateIpAddresses")).toBe(5);
  });

  test("a pod gets an address of a subnet that has fewer left than an ENI could hold", async () => {
    using node = new TestNode({ WARM_ENI_TARGET: "0" });
    let left = 20;
    node.aws.onCall = (action, args) => {
      if (action !== "AssignPrivateIpAddresses" && action !== "CreateNetworkInterface") return;
      const wanted = JSON.stringify(args).match(/ount":(\d+)/)?.[1];
      const own = action === "CreateNetworkInterface" ? 1 : 0;
      if (Number(wanted) + own > left) throw refusal("InsufficientFreeAddressesInSubnet", `${left} left`);
      left -= Number(wanted) + own;
    };
    await node.start();
    left = 4;
    const pods = Array.from({ length: 12 }, (_, index) => node.add(`web-${index}`));
    await node.pass(10_000);
    const answers = await Promise.all(pods);
    expect(answers.map(({ Success }) => Success)).toEqual(Array.from({ length: 12 }, () => true));
    const created = node.aws.calls.filter(({ action }) => action === "CreateNetworkInterface");
    expect(created.map(({ args }) => args[0])).toMatchObject([
      { secondaryPrivateIpAddressCount: 9 },
      { secondaryPrivateIpAddressCount: 3 },
    ]);
    expect(left).toBe(0);
  });

  test("an ENI whose attachment EC2 throttles is not thrown away, and its security groups are not set again", async () => {
    using node = new TestNode();
    await node.start();
    let throttles = 4;
    node.aws.onCall = (action) => {
      if (action === "AttachNetworkInterface" || action === "ModifyNetworkInterfaceAttribute")
        if (throttles-- > 0) throw refusal("RequestLimitExceeded", "Request limit exceeded.");
    };
    await node.add("a");
    await node.pass(200_000);
    expect(node.daemon.ledger.pool(0).enis()).toHaveLength(2);
    expect(node.aws.count("CreateNetworkInterface")).toBe(1);
    expect(node.aws.count("DeleteNetworkInterface")).toBe(0);
    expect(node.aws.calls.filter(({ args }) => JSON.stringify(args).includes("groups")).length).toBe(1);
  });

  test("S40: an ENI that cannot be attached is deleted again", async () => {
    using node = new TestNode();
    await node.start();
    node.aws.addEni("eni-other", { deviceIndex: 1, address: "10.0.0.200" });
    node.aws.onCall = (action) => {
      if (action === "AttachNetworkInterface") throw refusal("AttachmentLimitExceeded", "too many");
    };
    await node.add("a");
    await node.pass(3000);
    expect(node.aws.calls.find(({ action }) => action === "AttachNetworkInterface")?.args[0]).toMatchObject({
      deviceIndex: 2,
    });
    expect([...node.aws.enis.keys()].sort()).toEqual(["eni-other", primaryEniId].sort());
  });

  test("an ENI that is fuller than the pool believed is read from EC2", async () => {
    using node = new TestNode();
    const full = Array.from({ length: 10 }, (_, index) => ({
      address: `10.0.0.${10 + index}`,
      primary: index === 0,
    }));
    node.aws.onCall = (action) => {
      if (action === "AssignPrivateIpAddresses") node.aws.change(primaryEniId, { privateIpAddresses: full });
    };
    await node.start();
    expect(node.daemon.ledger.pool(0).stats(node.clock.now()).total).toBe(9);
    expect(node.aws.count("AssignPrivateIpAddresses")).toBe(1);
  });
});

describe("reconcile", () => {
  test("S21: what others assign, unassign, attach and detach is taken over", async () => {
    using node = new TestNode({ WARM_ENI_TARGET: "0", DISABLE_NETWORK_RESOURCE_PROVISIONING: "true" });
    await node.start();
    const held = (): number[] =>
      node.daemon.ledger
        .pool(0)
        .enis()
        .map((eni) => eni.cidrCount);
    const own = { address: "10.0.0.10", primary: true };
    const with2 = [own, ...["10.0.0.50", "10.0.0.51"].map((address) => ({ address, primary: false }))];
    node.aws.change(primaryEniId, { privateIpAddresses: with2 });
    await node.pass(61_500);
    expect(held()).toEqual([2]);
    node.aws.change(primaryEniId, { privateIpAddresses: [own] });
    await node.pass(61_500);
    expect(held()).toEqual([0]);
    node.aws.addEni("eni-2", { deviceIndex: 1, address: "10.0.0.60", secondaries: ["10.0.0.61"] });
    await node.pass(61_500);
    expect(held()).toEqual([0, 1]);
    node.aws.drop("eni-2");
    await node.pass(61_500);
    expect(held()).toEqual([0]);
  });

  test("S22: metadata that shows nothing changes nothing", async () => {
    using node = new TestNode({ DISABLE_NETWORK_RESOURCE_PROVISIONING: "true" });
    const shown = ["10.0.0.10", "10.0.0.50", "10.0.0.51"];
    node.aws.change(primaryEniId, {
      privateIpAddresses: shown.map((address, index) => ({ address, primary: index === 0 })),
    });
    await node.start();
    node.aws.onCall = () => {
      throw refusal("InternalError", "down");
    };
    const find = node.aws.imds.find;
    Object.assign(node.aws.imds, {
      find: async (path: string) => (path.endsWith("/local-ipv4s") ? "10.0.0.10" : find(path)),
    });
    await node.pass(130_000);
    expect(node.daemon.ledger.pool(0).stats(node.clock.now()).total).toBe(2);
  });

  test("an address that is taken back while its pod is still being wired is not held any more", async () => {
    using node = new TestNode();
    const { backend } = await node.start();
    const begun = await backend.beginAddNetwork?.(addRequest("web-0"));
    expect(begun?.isHeld()).toBe(true);
    await node.whileTimePasses(backend.delNetwork(delRequest("web-0")));
    expect(begun?.isHeld()).toBe(false);
  });

  test("S36: a new ENI serves with what EC2 gave, all of it, before metadata shows any", async () => {
    using node = new TestNode({ WARM_ENI_TARGET: "0" });
    await node.start();
    node.aws.imdsLagMs = 300_000;
    const answers = await node.whileTimePasses(
      Promise.all(Array.from({ length: 18 }, (_, index) => node.add(`web-${index}`))),
    );
    expect(answers.filter(({ Success }) => Success)).toHaveLength(18);
    const [, created] = node.daemon.ledger.pool(0).enis();
    expect([created?.cidrCount, created?.assigned]).toEqual([9, 9]);
  });

  test("an ENI that metadata does not show yet is not taken for detached", async () => {
    using node = new TestNode();
    await node.start();
    node.aws.imdsLagMs = 300_000;
    for (let index = 0; index < 12; index++) await node.add(`p-${index}`);
    await node.pass(130_000);
    expect(node.daemon.ledger.pool(0).assignments()).toHaveLength(12);
  });
});
