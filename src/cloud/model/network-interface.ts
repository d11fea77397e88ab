import type { Ipv4 } from "../../addr/ipv4.ts";
import type { Ipv6 } from "../../addr/ipv6.ts";
import { type Mac, macBytes, macFromBytes, randomMac } from "../../addr/mac.ts";
import type { AttachmentStatus, ConnectionTracking, EniStatus, EniType } from "../../aws/shapes.ts";
import type { Random } from "../../base/random.ts";
import { type AddressWish, forgetOwner, giveBack, noteOwner, takeAddresses } from "./address-taking.ts";
import { releaseAssociationsOf } from "./elastic-ip.ts";
import { Ec2Fault, faults } from "./fault.ts";
import { newId } from "./ids.ts";
import { findAttached, findEni, findSubnet, findVpc } from "./lookup.ts";
import { checkGroups } from "./security-group.ts";
import type { CloudState, Context } from "./state.ts";
import { newTags, type Tags } from "./tags.ts";

export interface NetworkInterface {
  readonly eniId: string;
  readonly interfaceType: EniType;
  readonly ownerId: string;
  /** Who asked for it: a user's or role's id, or an AWS service's. */
  readonly requesterId: string;
  /** True for interfaces that belong to an AWS service; customers can only tag them. */
  readonly requesterManaged: boolean;
  readonly vpcId: string;
  readonly subnetId: string;
  readonly zone: string;
  readonly mac: Mac;
  description: string;
  status: EniStatus;
  sourceDestCheck: boolean;
  /** All private IPv4 addresses, the primary first. */
  readonly addresses: Ipv4[];
  /** First addresses of the /28 blocks. */
  readonly prefixes: Ipv4[];
  readonly ipv6Addresses: Ipv6[];
  /** First addresses of the /80 blocks. */
  readonly ipv6Prefixes: Ipv6[];
  groups: string[];
  readonly tags: Tags;
  attachment: Attachment | undefined;
  connectionTracking: ConnectionTracking | undefined;
  /** A public address that came with the launch, not an elastic one. */
  autoPublicIp: Ipv4 | undefined;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

export interface Attachment {
  readonly attachmentId: string;
  /** Absent on interfaces that AWS services hold. */
  readonly instanceId: string | undefined;
  readonly instanceOwnerId: string;
  readonly deviceIndex: number;
  readonly networkCardIndex: number;
  /** Key of the machine that gets the device; absent for NAT gateways. */
  readonly place: string | undefined;
  /** The device's name there. */
  readonly deviceName: string;
  status: AttachmentStatus;
  deleteOnTermination: boolean;
  /** True for interfaces that the instance started with. */
  readonly atLaunch: boolean;
  readonly attachTime: number;
  /** When the state that is under way ends; absent when none is. */
  dueAt: number | undefined;
}

export interface CreateEniRequest extends AddressWish {
  readonly subnetId: string;
  readonly description?: string;
  /** The VPC's default group when absent or empty. */
  readonly groups?: readonly string[];
  /** Chosen when absent. */
  readonly primaryAddress?: Ipv4;
  readonly interfaceType?: EniType;
  readonly connectionTracking?: ConnectionTracking;
  readonly tags?: Iterable<readonly [string, string]>;
  readonly requesterId: string;
  readonly requesterManaged?: boolean;
}

/** Creates a detached interface with a primary IPv4 address and what else the request names. */
export function createEni(ctx: Context, request: CreateEniRequest): NetworkInterface {
  const { state, account } = ctx;
  const subnet = findSubnet(state, request.subnetId);
  const vpc = findVpc(state, subnet.vpcId);
  if (state.enis.size >= ctx.settings.limits.networkInterfaces) {
    throw new Ec2Fault(
      "NetworkInterfaceLimitExceeded",
      "The maximum number of network interfaces has been reached.",
    );
  }
  // NAT gateways' interfaces have no groups at all.
  const wanted = request.groups ?? [];
  const groups =
    wanted.length > 0 || request.interfaceType === "natGateway" ? [...new Set(wanted)] : [vpc.defaultGroupId];
  checkGroups(ctx, vpc.vpcId, subnet.subnetId, groups);
  if (request.connectionTracking !== undefined) checkTracking(request.connectionTracking);
  const tags = newTags(request.tags);
  const taken = takeAddresses(ctx, subnet, {
    ...request,
    ipv6AddressCount: ipv6CountOf(request, subnet.assignIpv6OnCreation),
    ...(request.primaryAddress === undefined
      ? { addressCount: (request.addressCount ?? 0) + 1 }
      : { addresses: [request.primaryAddress, ...(request.addresses ?? [])] }),
  });
  // Named addresses come first in what was taken, and the primary one is chosen when it is not named.
  if (request.primaryAddress === undefined) {
    const chosen = taken.addresses.splice(request.addresses?.length ?? 0, 1);
    taken.addresses.unshift(...chosen);
  }
  const eniId = newId("eni", ctx.random);
  const eni: NetworkInterface = {
    eniId,
    interfaceType: request.interfaceType ?? "interface",
    ownerId: account.accountId,
    requesterId: request.requesterId,
    requesterManaged: request.requesterManaged ?? false,
    vpcId: vpc.vpcId,
    subnetId: subnet.subnetId,
    zone: subnet.zone,
    mac: newMac(state, ctx.random),
    description: request.description ?? "",
    status: "available",
    sourceDestCheck: request.interfaceType !== "natGateway",
    ...taken,
    groups,
    tags,
    attachment: undefined,
    connectionTracking: request.connectionTracking,
    autoPublicIp: undefined,
    createdAt: ctx.now,
  };
  state.put("network-interface", eniId, eni);
  indexEni(state, eni);
  return eni;
}

/** A subnet may give every new interface an IPv6 address; a request that names IPv6 itself is left alone. */
function ipv6CountOf(request: AddressWish, onCreation: boolean): number {
  if (request.ipv6AddressCount !== undefined) return request.ipv6AddressCount;
  return onCreation && (request.ipv6Addresses?.length ?? 0) === 0 ? 1 : 0;
}

/** Enters an interface into the indexes; its addresses are taken already. */
export function indexEni(state: CloudState, eni: NetworkInterface): void {
  noteOwner(state, eni.vpcId, eni.eniId, eni);
  state.enisOfSubnet.get(eni.subnetId)?.add(eni.eniId);
  state.macs.set(eni.mac, eni.eniId);
  if (eni.attachment !== undefined) state.attachments.set(eni.attachment.attachmentId, eni.eniId);
}

/** AWS's MACs are locally administered ones; no two interfaces of the cloud share one. */
function newMac(state: CloudState, random: Random): Mac {
  for (;;) {
    const bytes = macBytes(randomMac(random));
    bytes[0] = (bytes[0] ?? 0) & 0x0f;
    const mac = macFromBytes(bytes);
    if (!state.macs.has(mac)) return mac;
  }
}

/** Deletes a detached interface and frees its addresses. */
export function deleteEni(ctx: Context, eniId: string): void {
  const eni = findEni(ctx.state, eniId);
  refuseManaged(eni);
  if (eni.attachment !== undefined) {
    throw faults.invalid(`Network interface '${eniId}' is currently in use.`);
  }
  removeEni(ctx, eni);
}

/** Takes an interface out of the model whatever its state. */
export function removeEni(ctx: Context, eni: NetworkInterface): void {
  const { state } = ctx;
  releaseAssociationsOf(ctx, eni.eniId);
  giveBack(state, eni.subnetId, eni);
  forgetOwner(state, eni.vpcId, eni);
  state.enisOfSubnet.get(eni.subnetId)?.delete(eni.eniId);
  state.macs.delete(eni.mac);
  if (eni.attachment !== undefined) state.attachments.delete(eni.attachment.attachmentId);
  state.drop("network-interface", eni.eniId);
}

/** Interfaces of AWS services can be tagged by the customer and nothing else. */
export function refuseManaged(eni: NetworkInterface): void {
  if (eni.requesterManaged) {
    throw faults.notPermitted(`You are not allowed to manage '${eni.eniId}': it belongs to an AWS service.`);
  }
}

/** One attribute a call, as ModifyNetworkInterfaceAttribute. */
export interface EniChange {
  readonly description?: string;
  readonly groups?: readonly string[];
  readonly sourceDestCheck?: boolean;
  readonly connectionTracking?: ConnectionTracking;
  readonly deleteOnTermination?: { readonly attachmentId: string; readonly value: boolean };
}

export function modifyEni(ctx: Context, eniId: string, change: EniChange): void {
  const { state } = ctx;
  const eni = findEni(state, eniId);
  refuseManaged(eni);
  if (change.groups !== undefined) {
    if (change.groups.length === 0) throw faults.missing("groupId");
    checkGroups(ctx, eni.vpcId, eni.subnetId, change.groups);
    eni.groups = [...new Set(change.groups)];
  }
  if (change.connectionTracking !== undefined) {
    checkTracking(change.connectionTracking);
    eni.connectionTracking = { ...eni.connectionTracking, ...change.connectionTracking };
  }
  if (change.deleteOnTermination !== undefined) {
    const { attachmentId, value } = change.deleteOnTermination;
    const attachment = findAttached(state, attachmentId) === eni ? eni.attachment : undefined;
    if (attachment === undefined) {
      throw faults.invalid(`The attachment '${attachmentId}' is not one of interface '${eniId}'`);
    }
    attachment.deleteOnTermination = value;
  }
  if (change.description !== undefined) eni.description = change.description;
  if (change.sourceDestCheck !== undefined) eni.sourceDestCheck = change.sourceDestCheck;
  state.touch("network-interface", eniId);
}

/** The bounds of EC2's connection tracking time-outs, in seconds. */
const trackingBounds = {
  tcpEstablishedTimeout: [60, 432_000],
  udpStreamTimeout: [60, 180],
  udpTimeout: [30, 60],
} as const;

function checkTracking(tracking: ConnectionTracking): void {
  for (const name of ["tcpEstablishedTimeout", "udpStreamTimeout", "udpTimeout"] as const) {
    const seconds = tracking[name];
    const [least, most] = trackingBounds[name];
    if (seconds !== undefined && !(seconds >= least && seconds <= most)) {
      throw faults.badValue(seconds, name, `Valid values are ${least} to ${most} seconds.`);
    }
  }
}
