import { describe, expect, test } from "bun:test";
import { spaceOf } from "./address-taking.ts";
import { allocateElasticIp, associateElasticIp } from "./elastic-ip.ts";
import { attachInternetGateway, createInternetGateway } from "./gateway.ts";
import {
  failLaunch,
  finishLaunch,
  modifyMetadataOptions,
  startInstances,
  stopInstances,
  terminateInstances,
} from "./instance.ts";
import { runInstances } from "./instance-launch.ts";
import { checkCloud } from "./invariants.ts";
import { codeOf, faultOf, ip, ModelBed } from "./model-bed.ts";
import { modifySubnet } from "./subnet.ts";

describe("launching", () => {
  test("makes a pending instance whose primary interface is being attached", () => {
    const bed = new ModelBed();
    const { subnetId } = bed.loneSubnet("10.0.0.0/24");
    const [instance] = runInstances(
      bed.ctx,
      { instanceType: "m5.large", subnetId, tags: { Name: "n" } },
      "me",
    );
    if (instance === undefined) throw new Error("nothing launched");
    const primary = bed.primaryOf(instance);
    expect(instance).toMatchObject({ state: "pending", zone: "us-west-2a", subnetId });
    expect(primary.attachment).toMatchObject({
      status: "attaching",
      deviceIndex: 0,
      deviceName: "eth0",
      deleteOnTermination: true,
    });
    finishLaunch(bed.ctx, instance.instanceId);
    expect([instance.state, primary.attachment?.status]).toEqual(["running", "attached"]);
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("launches as many as there is room for, from minCount up", () => {
    const bed = new ModelBed();
    const { subnetId } = bed.loneSubnet("10.0.0.0/28");
    const launch = (minCount: number, maxCount: number) => () =>
      runInstances(bed.ctx, { instanceType: "m5.large", subnetId, minCount, maxCount }, "me");
    expect(codeOf(launch(12, 20))).toBe("InsufficientFreeAddressesInSubnet");
    expect([bed.state.instances.size, bed.state.enis.size]).toEqual([0, 0]);
    expect(launch(2, 20)()).toHaveLength(11);
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test.each([
    ["no such type", { instanceType: "m5.enormous" }, "InvalidParameterValue"],
    ["no subnet", { subnetId: undefined }, "MissingInput"],
    ["an unknown subnet", { subnetId: "subnet-0" }, "InvalidSubnetID.NotFound"],
    ["an unknown group", { securityGroupIds: ["sg-0"] }, "InvalidGroup.NotFound"],
    ["no instances", { minCount: 0 }, "InvalidParameterValue"],
    ["a maximum below the minimum", { minCount: 3, maxCount: 2 }, "InvalidParameterValue"],
    ["a subnet twice", { networkInterfaces: [{ deviceIndex: 0 }] }, "InvalidParameterCombination"],
    ["a bad tag", { tags: { "": "x" } }, "InvalidParameterValue"],
  ])("with %s is refused and leaves nothing", (_, change, code) => {
    const bed = new ModelBed();
    const { subnetId } = bed.loneSubnet("10.0.0.0/24");
    const { subnetId: wanted = "subnetId" in change ? undefined : subnetId, ...rest } = {
      ...change,
    } as { subnetId?: string };
    const request = {
      instanceType: "m5.large",
      ...(wanted === undefined ? {} : { subnetId: wanted }),
      ...rest,
    };
    expect(codeOf(() => runInstances(bed.ctx, request, "me"))).toBe(code);
    expect([bed.state.instances.size, bed.state.enis.size]).toEqual([0, 0]);
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("with interfaces described, several cards among them", () => {
    const bed = new ModelBed();
    const { subnetId } = bed.loneSubnet("10.0.0.0/24");
    const networkInterfaces = [
      { deviceIndex: 0, subnetId, primaryAddress: ip("10.0.0.10"), addressCount: 2 },
      { deviceIndex: 1, networkCardIndex: 1, subnetId, deleteOnTermination: false },
    ];
    const [instance] = runInstances(bed.ctx, { instanceType: "p4d.24xlarge", networkInterfaces }, "me");
    if (instance === undefined) throw new Error("nothing launched");
    expect(bed.primaryOf(instance).addresses).toHaveLength(3);
    expect(bed.primaryOf(instance).addresses[0]).toBe(ip("10.0.0.10"));
    expect(instance.eniIds).toHaveLength(2);
    finishLaunch(bed.ctx, instance.instanceId);
    terminateInstances(bed.ctx, [instance.instanceId]);
    bed.pass(0);
    expect([...bed.state.enis.values()].map((eni) => eni.status)).toEqual(["available"]);
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("with an interface that exists keeps it on termination", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    const { eniId } = bed.eni(subnet);
    const launch = () =>
      runInstances(
        bed.ctx,
        { instanceType: "m5.large", networkInterfaces: [{ deviceIndex: 0, eniId }] },
        "me",
      );
    const [instance] = launch();
    expect(codeOf(launch)).toBe("InvalidNetworkInterface.InUse");
    terminateInstances(bed.ctx, [instance?.instanceId ?? ""]);
    bed.pass(0);
    expect(bed.state.enis.get(eniId)?.status).toBe("available");
  });

  test.each([
    ["more interfaces than the type has", [0, 1, 2, 3], "AttachmentLimitExceeded"],
    ["an index twice", [0, 1, 1], "InvalidParameterValue"],
    ["no primary", [1], "InvalidParameterValue"],
  ])("with %s is refused and leaves nothing", (_, indexes, code) => {
    const bed = new ModelBed();
    const { subnetId } = bed.loneSubnet("10.0.0.0/24");
    const networkInterfaces = indexes.map((deviceIndex) => ({ deviceIndex, subnetId }));
    expect(codeOf(() => runInstances(bed.ctx, { instanceType: "m5.large", networkInterfaces }, "me"))).toBe(
      code,
    );
    expect([bed.state.instances.size, bed.state.enis.size]).toEqual([0, 0]);
    expect(spaceOf(bed.state, subnetId).freeCount).toBe(251);
  });

  test("with too many addresses on the primary has a code of its own", () => {
    const bed = new ModelBed();
    const { subnetId } = bed.loneSubnet("10.0.0.0/24");
    const networkInterfaces = [{ deviceIndex: 0, subnetId, addressCount: 10 }];
    expect(codeOf(() => runInstances(bed.ctx, { instanceType: "m5.large", networkInterfaces }, "me"))).toBe(
      "InvalidInterface.IpAddressLimitExceeded",
    );
  });

  test("in a public subnet gives a public address that ends with the instance", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    modifySubnet(bed.ctx, subnet.subnetId, { mapPublicIpOnLaunch: true });
    const instance = bed.instance(subnet);
    const primary = bed.primaryOf(instance);
    expect(primary.autoPublicIp).toBeDefined();
    stopInstances(bed.ctx, [instance.instanceId]);
    bed.pass(0);
    expect(primary.autoPublicIp).toBeUndefined();
    startInstances(bed.ctx, [instance.instanceId]);
    expect(primary.autoPublicIp).toBeDefined();
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("that fails is terminated with the reason", () => {
    const bed = new ModelBed();
    const { subnetId } = bed.loneSubnet("10.0.0.0/24");
    const [instance] = runInstances(bed.ctx, { instanceType: "m5.large", subnetId }, "me");
    failLaunch(bed.ctx, instance?.instanceId ?? "", "no room");
    expect(instance?.state).toBe("terminated");
    expect(instance?.stateReason?.message).toBe("Server.InternalError: no room");
    expect(bed.state.enis.size).toBe(0);
    expect(checkCloud(bed.state)).toEqual([]);
  });
});

describe("ending", () => {
  test("deletes what ends with the instance and shows it for an hour", () => {
    const bed = new ModelBed();
    bed.settings = { ...bed.settings, transitionsMs: { ...bed.settings.transitionsMs, terminate: 1000 } };
    const subnet = bed.loneSubnet("10.0.0.0/24");
    const instance = bed.instance(subnet);
    const extra = bed.eni(subnet);
    bed.attach(extra, instance);
    expect(terminateInstances(bed.ctx, [instance.instanceId])).toEqual([
      { instanceId: instance.instanceId, previous: "running", current: "shutting-down" },
    ]);
    bed.pass(999);
    expect(instance.state).toBe("shutting-down");
    bed.pass(1);
    expect(instance.state).toBe("terminated");
    expect(bed.state.enis.size).toBe(1);
    expect(extra.status).toBe("available");
    expect(terminateInstances(bed.ctx, [instance.instanceId])[0]?.current).toBe("terminated");
    bed.pass(3_599_999);
    expect(bed.state.instances.size).toBe(1);
    bed.pass(1);
    expect(bed.state.instances.size).toBe(0);
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("all or none when an id is unknown", () => {
    const bed = new ModelBed();
    const instance = bed.instance(bed.loneSubnet("10.0.0.0/24"));
    expect(faultOf(() => terminateInstances(bed.ctx, [instance.instanceId, "i-0123456789abcdef0"]))).toBe(
      "InvalidInstanceID.NotFound: The instance ID 'i-0123456789abcdef0' does not exist",
    );
    expect(instance.state).toBe("running");
  });

  test("addresses of a stopped instance still count as used", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/28");
    const instance = bed.instance(subnet);
    stopInstances(bed.ctx, [instance.instanceId]);
    bed.pass(0);
    expect(spaceOf(bed.state, subnet.subnetId).freeCount).toBe(10);
  });

  test("a terminated instance neither stops nor starts", () => {
    const bed = new ModelBed();
    const { instanceId } = bed.instance(bed.loneSubnet("10.0.0.0/24"));
    terminateInstances(bed.ctx, [instanceId]);
    for (const run of [stopInstances, startInstances]) {
      expect(codeOf(() => run(bed.ctx, [instanceId]))).toBe("IncorrectInstanceState");
    }
  });

  test("frees an elastic address and keeps it allocated", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    attachInternetGateway(bed.ctx, createInternetGateway(bed.ctx).gatewayId, subnet.vpcId);
    const instance = bed.instance(subnet);
    const elastic = allocateElasticIp(bed.ctx);
    const { eniId } = bed.primaryOf(instance);
    associateElasticIp(bed.ctx, { allocationId: elastic.allocationId, eniId, allowReassociation: false });
    terminateInstances(bed.ctx, [instance.instanceId]);
    bed.pass(0);
    expect(elastic.association).toBeUndefined();
    expect(checkCloud(bed.state)).toEqual([]);
  });
});

test("metadata options change within their bounds", () => {
  const bed = new ModelBed();
  const { instanceId } = bed.instance(bed.loneSubnet("10.0.0.0/24"));
  expect(modifyMetadataOptions(bed.ctx, instanceId, { httpPutResponseHopLimit: 2 })).toMatchObject({
    httpTokens: "required",
    httpPutResponseHopLimit: 2,
  });
  expect(codeOf(() => modifyMetadataOptions(bed.ctx, instanceId, { httpPutResponseHopLimit: 65 }))).toBe(
    "InvalidParameterValue",
  );
});
