import { describe, expect, test } from "bun:test";
import { attachEni, detachEni } from "./attachment.ts";
import { stopInstances, terminateInstances } from "./instance.ts";
import { checkCloud } from "./invariants.ts";
import { codeOf, faultOf, ModelBed } from "./model-bed.ts";
import { deleteEni } from "./network-interface.ts";

function twoZones() {
  const bed = new ModelBed();
  const vpc = bed.vpc();
  const a = bed.subnet(vpc, "10.0.0.0/24", { zone: "us-west-2a" });
  const b = bed.subnet(vpc, "10.0.1.0/24", { zone: "us-west-2b" });
  return { bed, vpc, a, b };
}

describe("attaching", () => {
  test("puts the interface in use, with no deletion on termination", () => {
    const { bed, a } = twoZones();
    const eni = bed.eni(a);
    const instance = bed.instance(a);
    const attachment = bed.attach(eni, instance);
    expect(attachment).toMatchObject({
      instanceId: instance.instanceId,
      deviceIndex: 1,
      networkCardIndex: 0,
      status: "attached",
      deleteOnTermination: false,
      deviceName: "eth1",
    });
    expect(attachment.attachmentId).toMatch(/^eni-attach-0[0-9a-f]{16}$/);
    expect(eni.status).toBe("in-use");
    expect(instance.eniIds).toHaveLength(2);
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("takes as long as it is set to", () => {
    const { bed, a } = twoZones();
    bed.settings = {
      ...bed.settings,
      transitionsMs: { ...bed.settings.transitionsMs, attach: 2000, detach: 500 },
    };
    const eni = bed.eni(a);
    const { attachmentId } = bed.attach(eni, bed.instance(a));
    bed.pass(1999);
    expect(eni.attachment?.status).toBe("attaching");
    expect(codeOf(() => detachEni(bed.ctx, attachmentId))).toBe("IncorrectState");
    bed.pass(1);
    expect(eni.attachment?.status).toBe("attached");
    detachEni(bed.ctx, attachmentId);
    expect([eni.status, eni.attachment?.status]).toEqual(["detaching", "detaching"]);
    expect(codeOf(() => deleteEni(bed.ctx, eni.eniId))).toBe("InvalidParameterValue");
    bed.pass(500);
    expect([eni.status, eni.attachment]).toEqual(["available", undefined]);
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test.each([
    ["m5.large", 3],
    ["t3.medium", 3],
    ["t2.micro", 2],
    ["m5.4xlarge", 8],
  ])("a %s has room for %d interfaces", (instanceType, most) => {
    const { bed, a } = twoZones();
    const instance = bed.instance(a, instanceType);
    for (let index = 1; index < most; index++) bed.attach(bed.eni(a), instance, index);
    expect(faultOf(() => bed.attach(bed.eni(a), instance, most))).toBe(
      `AttachmentLimitExceeded: Interface count ${most + 1} exceeds the limit for ${instanceType}`,
    );
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("limits and device indexes count per card", () => {
    const { bed, a } = twoZones();
    const instance = bed.instance(a, "p4d.24xlarge");
    bed.attach(bed.eni(a), instance, 1, 0);
    const second = bed.attach(bed.eni(a), instance, 1, 1);
    expect(second.networkCardIndex).toBe(1);
    expect(second.deviceName).toBe("eth2");
    for (let index = 2; index < 16; index++) bed.attach(bed.eni(a), instance, index, 1);
    expect(codeOf(() => bed.attach(bed.eni(a), instance, 99, 1))).toBe("AttachmentLimitExceeded");
    expect(codeOf(() => bed.attach(bed.eni(a), instance, 99, 0))).toBe("no fault");
    expect(codeOf(() => bed.attach(bed.eni(a), instance, 1, 4))).toBe("InvalidParameterValue");
    const names = instance.eniIds.map((eniId) => bed.state.enis.get(eniId)?.attachment?.deviceName);
    expect(new Set(names).size).toBe(names.length);
  });

  test("refuses an index that is taken or out of range", () => {
    const { bed, a } = twoZones();
    const instance = bed.instance(a);
    expect(faultOf(() => bed.attach(bed.eni(a), instance, 0))).toBe(
      `InvalidParameterValue: Instance '${instance.instanceId}' already has an interface attached at device index '0'.`,
    );
    expect(codeOf(() => bed.attach(bed.eni(a), instance, 128))).toBe("InvalidParameterValue");
    expect(codeOf(() => bed.attach(bed.eni(a), instance, -1))).toBe("InvalidParameterValue");
  });

  test("refuses another zone, another VPC, an interface in use, a terminated instance, unknown ids", () => {
    const { bed, a, b } = twoZones();
    const instance = bed.instance(a);
    expect(codeOf(() => bed.attach(bed.eni(b), instance))).toBe("InvalidParameterCombination");
    expect(codeOf(() => bed.attach(bed.eni(bed.loneSubnet("10.8.0.0/24")), instance))).toBe(
      "InvalidParameterCombination",
    );
    const eni = bed.eni(a);
    bed.attach(eni, instance);
    expect(faultOf(() => bed.attach(eni, instance, 2))).toBe(
      `InvalidNetworkInterface.InUse: Network interface '${eni.eniId}' is currently in use.`,
    );
    const ended = bed.instance(a);
    terminateInstances(bed.ctx, [ended.instanceId]);
    expect(codeOf(() => bed.attach(bed.eni(a), ended))).toBe("IncorrectState");
    const { eniId } = bed.eni(a);
    const attach = (instanceId: string) => () => attachEni(bed.ctx, { eniId, instanceId, deviceIndex: 5 });
    expect(codeOf(attach("i-0123456789abcdef0"))).toBe("InvalidInstanceID.NotFound");
    expect(codeOf(attach("i-12"))).toBe("InvalidInstanceID.Malformed");
  });

  test("refuses more addresses than the type allows an interface", () => {
    const { bed, a } = twoZones();
    const instance = bed.instance(a, "m5.large");
    expect(codeOf(() => bed.attach(bed.eni(a, { addressCount: 10 }), instance))).toBe(
      "PrivateIpAddressLimitExceeded",
    );
    expect(codeOf(() => bed.attach(bed.eni(a, { addressCount: 9 }), instance))).toBe("no fault");
  });

  test("refuses prefixes on a type that is not Nitro", () => {
    const { bed, a } = twoZones();
    const eni = bed.eni(a, { prefixCount: 1 });
    expect(codeOf(() => bed.attach(eni, bed.instance(a, "t2.micro")))).toBe("InvalidParameterValue");
    expect(codeOf(() => bed.attach(eni, bed.instance(a, "m5.metal")))).toBe("no fault");
  });

  test("works on a stopped instance too", () => {
    const { bed, a } = twoZones();
    const instance = bed.instance(a);
    stopInstances(bed.ctx, [instance.instanceId]);
    bed.pass(0);
    expect(instance.state).toBe("stopped");
    expect(codeOf(() => bed.attach(bed.eni(a), instance))).toBe("no fault");
  });
});

describe("detaching", () => {
  test("the primary interface stays", () => {
    const { bed, a } = twoZones();
    const { attachment } = bed.primaryOf(bed.instance(a));
    expect(codeOf(() => detachEni(bed.ctx, attachment?.attachmentId ?? ""))).toBe("OperationNotPermitted");
  });

  test.each([
    ["eni-attach-0123456789abcdef0", "InvalidAttachmentID.NotFound"],
    ["attach-1", "InvalidNetworkInterfaceAttachmentId.Malformed"],
  ])("%s: %s", (attachmentId, code) => {
    expect(codeOf(() => detachEni(new ModelBed().ctx, attachmentId))).toBe(code);
  });

  test("may be asked for twice while it is under way", () => {
    const { bed, a } = twoZones();
    bed.settings = { ...bed.settings, transitionsMs: { ...bed.settings.transitionsMs, detach: 500 } };
    const eni = bed.eni(a);
    const { attachmentId } = bed.attach(eni, bed.instance(a));
    detachEni(bed.ctx, attachmentId);
    detachEni(bed.ctx, attachmentId);
    bed.pass(500);
    expect(eni.status).toBe("available");
    expect(bed.state.due).toEqual([]);
  });
});
