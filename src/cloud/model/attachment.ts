import { schedule } from "./due.ts";
import { Ec2Fault, faults } from "./fault.ts";
import { newId } from "./ids.ts";
import type { Instance } from "./instance.ts";
import { findAttached, findEni, findInstance } from "./lookup.ts";
import { type Attachment, type NetworkInterface, refuseManaged } from "./network-interface.ts";
import type { CloudState, Context } from "./state.ts";
import { checkIpv4Slots, checkIpv6Slots, checkPrefixes, limitsOf } from "./type-limits.ts";

export interface AttachRequest {
  readonly eniId: string;
  readonly instanceId: string;
  readonly deviceIndex: number;
  /** 0 when absent. */
  readonly networkCardIndex?: number;
}

/** EC2 takes device indexes up to here; the CNI uses 0…99. */
const maxDeviceIndex = 127;

/** Begins to attach; the state is "attaching" until the attach time is over, and then the device appears. */
export function attachEni(ctx: Context, request: AttachRequest): Attachment {
  const { state, settings, now } = ctx;
  const eni = findEni(state, request.eniId);
  const instance = findInstance(state, request.instanceId);
  refuseManaged(eni);
  if (eni.attachment !== undefined) throw faults.interfaceInUse(eni.eniId);
  if (instance.state !== "running" && instance.state !== "stopped") {
    throw faults.incorrectState(`Instance '${instance.instanceId}' is not 'running' or 'stopped'.`);
  }
  checkFit(eni, instance, attachmentsOf(state, instance), request);
  const { attach } = settings.transitionsMs;
  return putAttachment(ctx, eni, instance, {
    deviceIndex: request.deviceIndex,
    networkCardIndex: request.networkCardIndex ?? 0,
    deleteOnTermination: false,
    atLaunch: false,
    status: attach > 0 ? "attaching" : "attached",
    dueAt: attach > 0 ? now + attach : undefined,
  });
}

/** Where an interface is or is to be on an instance; card 0 when absent. */
export interface DeviceSlot {
  readonly deviceIndex: number;
  readonly networkCardIndex?: number;
}

/** Throws unless the interface may become the device asked for of an instance that has `present` already. */
export function checkFit(
  eni: NetworkInterface,
  instance: Pick<Instance, "instanceId" | "instanceType" | "vpcId" | "zone">,
  present: readonly DeviceSlot[],
  request: DeviceSlot,
): void {
  const { deviceIndex, networkCardIndex = 0 } = request;
  const limits = limitsOf(instance.instanceType);
  if (eni.zone !== instance.zone) {
    throw faults.combination(
      "You may not attach a network interface to an instance if they are not in the same availability zone",
    );
  }
  if (eni.vpcId !== instance.vpcId) {
    throw faults.combination(
      `Network interface '${eni.eniId}' and instance '${instance.instanceId}' belong to different networks.`,
    );
  }
  if (!(Number.isInteger(deviceIndex) && deviceIndex >= 0 && deviceIndex <= maxDeviceIndex)) {
    throw faults.badValue(deviceIndex, "deviceIndex");
  }
  const most = limits.cards[networkCardIndex];
  if (most === undefined) {
    throw faults.invalid(
      `Network card index ${networkCardIndex} exceeds the limit for ${instance.instanceType}: it has ${limits.cards.length}.`,
    );
  }
  const onCard = present.filter((one) => (one.networkCardIndex ?? 0) === networkCardIndex);
  if (onCard.some((one) => one.deviceIndex === deviceIndex)) {
    throw faults.invalid(
      `Instance '${instance.instanceId}' already has an interface attached at device index '${deviceIndex}'.`,
    );
  }
  if (onCard.length >= most) throw faults.attachmentLimit(onCard.length + 1, instance.instanceType);
  checkIpv4Slots(limits, eni.addresses.length + eni.prefixes.length);
  checkIpv6Slots(limits, eni.ipv6Addresses.length + eni.ipv6Prefixes.length);
  checkPrefixes(limits, eni.prefixes.length + eni.ipv6Prefixes.length);
}

type AttachmentStart = Pick<
  Attachment,
  "deviceIndex" | "networkCardIndex" | "deleteOnTermination" | "atLaunch" | "status" | "dueAt"
>;

/** Records an attachment to an instance; the caller has checked that it fits. */
export function putAttachment(
  ctx: Context,
  eni: NetworkInterface,
  instance: Instance,
  start: AttachmentStart,
): Attachment {
  const { state, account, now } = ctx;
  const attachment: Attachment = {
    ...start,
    attachmentId: newId("eni-attach", ctx.random),
    instanceId: instance.instanceId,
    instanceOwnerId: account.accountId,
    place: instance.instanceId,
    deviceName: deviceNameFor(start, attachmentsOf(state, instance)),
    attachTime: now,
  };
  hold(ctx, eni, attachment);
  instance.eniIds.push(eni.eniId);
  state.touch("instance", instance.instanceId);
  return attachment;
}

/** Records an attachment that an AWS service holds, at once. */
export function putServiceAttachment(
  ctx: Context,
  eni: NetworkInterface,
  start: Pick<Attachment, "instanceOwnerId" | "place" | "deviceName">,
): void {
  hold(ctx, eni, {
    ...start,
    attachmentId: newId("eni-attach", ctx.random),
    instanceId: undefined,
    deviceIndex: 1,
    networkCardIndex: 0,
    status: "attached",
    deleteOnTermination: false,
    atLaunch: false,
    attachTime: ctx.now,
    dueAt: undefined,
  });
}

function hold(ctx: Context, eni: NetworkInterface, attachment: Attachment): void {
  eni.attachment = attachment;
  eni.status = "in-use";
  ctx.state.attachments.set(attachment.attachmentId, eni.eniId);
  ctx.state.touch("network-interface", eni.eniId);
  if (attachment.dueAt !== undefined)
    schedule(ctx.state, { at: attachment.dueAt, kind: "attach", id: eni.eniId });
}

/** "ethN" of the device index on card 0; interfaces of other cards get the lowest free name. */
function deviceNameFor(
  start: Pick<Attachment, "deviceIndex" | "networkCardIndex">,
  present: readonly Attachment[],
): string {
  const used = new Set(present.map((one) => one.deviceName));
  const own = `eth${start.deviceIndex}`;
  if (start.networkCardIndex === 0 && !used.has(own)) return own;
  for (let n = 1; ; n++) if (!used.has(`eth${n}`)) return `eth${n}`;
}

/** The attachments of an instance in order of card and device. */
export function attachmentsOf(state: CloudState, instance: Pick<Instance, "eniIds">): Attachment[] {
  return instance.eniIds
    .map((eniId) => state.enis.get(eniId)?.attachment)
    .filter((attachment) => attachment !== undefined)
    .sort((a, b) => a.networkCardIndex - b.networkCardIndex || a.deviceIndex - b.deviceIndex);
}

/** Begins to detach; the device goes at once, the interface is "available" when the detach time is over. */
export function detachEni(ctx: Context, attachmentId: string): NetworkInterface {
  const { state, settings, now } = ctx;
  const eni = findAttached(state, attachmentId);
  const { attachment } = eni;
  refuseManaged(eni);
  if (attachment?.instanceId === undefined) {
    throw faults.notPermitted("You do not have permission to access the specified resource.");
  }
  if (attachment.deviceIndex === 0 && attachment.networkCardIndex === 0) {
    throw faults.notPermitted(
      "The network interface at device index 0 and networkCard index 0 cannot be detached.",
    );
  }
  if (attachment.status === "detaching") return eni;
  if (attachment.status === "attaching") {
    throw new Ec2Fault("IncorrectState", `The attachment '${attachmentId}' is not in the state 'attached'.`);
  }
  const { detach } = settings.transitionsMs;
  if (detach <= 0) {
    finishDetach(state, eni);
    return eni;
  }
  attachment.status = "detaching";
  attachment.dueAt = now + detach;
  eni.status = "detaching";
  schedule(state, { at: attachment.dueAt, kind: "detach", id: eni.eniId });
  state.touch("network-interface", eni.eniId);
  return eni;
}

/** The attach time is over. */
export function finishAttach(state: CloudState, eni: NetworkInterface): void {
  if (eni.attachment?.status !== "attaching") return;
  eni.attachment.status = "attached";
  eni.attachment.dueAt = undefined;
  state.touch("network-interface", eni.eniId);
}

/** Takes the attachment away. */
export function finishDetach(state: CloudState, eni: NetworkInterface): void {
  const { attachment } = eni;
  if (attachment === undefined) return;
  const instance =
    attachment.instanceId === undefined ? undefined : state.instances.get(attachment.instanceId);
  const index = instance?.eniIds.indexOf(eni.eniId) ?? -1;
  if (instance !== undefined && index >= 0) {
    instance.eniIds.splice(index, 1);
    state.touch("instance", instance.instanceId);
  }
  state.attachments.delete(attachment.attachmentId);
  eni.attachment = undefined;
  eni.status = "available";
  state.touch("network-interface", eni.eniId);
}
