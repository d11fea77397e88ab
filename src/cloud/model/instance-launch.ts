import { checkFit, putAttachment } from "./attachment.ts";
import { Ec2Fault, faults } from "./fault.ts";
import { newId } from "./ids.ts";
import { defaultMetadataOptions, endInterfaces, type Instance, type MetadataOptions } from "./instance.ts";
import { findEni, findSubnet } from "./lookup.ts";
import { type CreateEniRequest, createEni, type NetworkInterface, removeEni } from "./network-interface.ts";
import { takePublicAddress } from "./public-addresses.ts";
import type { Context } from "./state.ts";
import { newTags } from "./tags.ts";
import { limitsOf } from "./type-limits.ts";

/** A launch: of one primary interface made anew in `subnetId`, or of interfaces described one by one. */
export interface RunInstancesRequest {
  readonly instanceType: string;
  readonly imageId?: string;
  /** Fewer are not launched at all; 1 when absent. */
  readonly minCount?: number;
  /** As many as there is room for, up to this; `minCount` when absent. */
  readonly maxCount?: number;
  readonly subnetId?: string;
  readonly securityGroupIds?: readonly string[];
  readonly networkInterfaces?: readonly LaunchInterface[];
  readonly role?: string;
  readonly userData?: string;
  readonly keyName?: string;
  readonly clientToken?: string;
  readonly metadataOptions?: Partial<MetadataOptions>;
  readonly tags?: Readonly<Record<string, string>>;
  /** Tags of the interfaces that the launch makes. */
  readonly interfaceTags?: Readonly<Record<string, string>>;
}

/** An interface of a launch: one that exists, or one to be made. */
export interface LaunchInterface
  extends Partial<Omit<CreateEniRequest, "tags" | "requesterId" | "requesterManaged">> {
  readonly deviceIndex: number;
  readonly networkCardIndex?: number;
  readonly eniId?: string;
  readonly deleteOnTermination?: boolean;
  readonly associatePublicIp?: boolean;
}

/** Launches instances; they are "pending" until {@link finishLaunch}. */
export function runInstances(ctx: Context, request: RunInstancesRequest, requesterId: string): Instance[] {
  const minCount = request.minCount ?? 1;
  const maxCount = request.maxCount ?? minCount;
  if (!(Number.isInteger(minCount) && minCount > 0)) throw faults.badValue(minCount, "minCount");
  if (!(Number.isInteger(maxCount) && maxCount >= minCount)) throw faults.badValue(maxCount, "maxCount");
  limitsOf(request.instanceType);
  newTags(Object.entries(request.tags ?? {}));
  const interfaces = launchInterfaces(request);
  if (maxCount > 1 && interfaces.some((one) => one.eniId !== undefined || one.primaryAddress !== undefined)) {
    throw faults.combination(
      "Network interfaces and an instance-level private IP address may not be specified for more than one instance.",
    );
  }
  const reservationId = newId("r", ctx.random);
  const launched: Instance[] = [];
  try {
    for (let index = 0; index < maxCount; index++) {
      launched.push(launchOne(ctx, request, interfaces, { reservationId, index, requesterId }));
    }
  } catch (fault) {
    if (!(fault instanceof Ec2Fault)) throw fault;
    if (launched.length < minCount) {
      for (const instance of launched) undoLaunch(ctx, instance);
      throw atLaunch(fault);
    }
  }
  return launched;
}

/** RunInstances has a code of its own for a primary interface with too many addresses. */
function atLaunch(fault: Ec2Fault): Ec2Fault {
  return fault.code === "PrivateIpAddressLimitExceeded" ? faults.instanceAddressLimit() : fault;
}

function launchInterfaces(request: RunInstancesRequest): readonly LaunchInterface[] {
  const { networkInterfaces, subnetId, securityGroupIds } = request;
  if (networkInterfaces !== undefined && networkInterfaces.length > 0) {
    if (subnetId !== undefined || securityGroupIds !== undefined) {
      throw faults.combination(
        "Network interfaces and an instance-level subnet ID or security groups may not be specified on the same request",
      );
    }
    if (!networkInterfaces.some((one) => one.deviceIndex === 0 && (one.networkCardIndex ?? 0) === 0)) {
      throw faults.invalid("The first network interface must have device index 0");
    }
    return networkInterfaces;
  }
  if (subnetId === undefined)
    throw new Ec2Fault("MissingInput", "No subnets found for the default VPC. Please specify a subnet.");
  return [
    { deviceIndex: 0, subnetId, ...(securityGroupIds === undefined ? {} : { groups: securityGroupIds }) },
  ];
}

interface Launch {
  readonly reservationId: string;
  readonly index: number;
  readonly requesterId: string;
}

function launchOne(
  ctx: Context,
  request: RunInstancesRequest,
  interfaces: readonly LaunchInterface[],
  launch: Launch,
): Instance {
  const { state, account, now } = ctx;
  const made: NetworkInterface[] = [];
  const instanceId = newId("i", ctx.random);
  try {
    const enis = interfaces.map((one) => {
      if (one.eniId !== undefined) {
        const eni = findEni(state, one.eniId);
        if (eni.attachment !== undefined) throw faults.interfaceInUse(eni.eniId);
        return eni;
      }
      const eni = createEni(ctx, {
        ...one,
        subnetId: one.subnetId ?? request.subnetId ?? "",
        requesterId: launch.requesterId,
        tags: Object.entries(request.interfaceTags ?? {}),
      });
      made.push(eni);
      return eni;
    });
    const primary =
      enis[interfaces.findIndex((one) => one.deviceIndex === 0 && (one.networkCardIndex ?? 0) === 0)];
    if (primary === undefined) throw faults.invalid("The first network interface must have device index 0");
    const instance: Instance = {
      instanceId,
      reservationId: launch.reservationId,
      ownerId: account.accountId,
      imageId: request.imageId ?? "ami-0e0000000000e0e0e",
      instanceType: request.instanceType,
      launchIndex: launch.index,
      clientToken: request.clientToken ?? "",
      keyName: request.keyName,
      vpcId: primary.vpcId,
      subnetId: primary.subnetId,
      zone: primary.zone,
      role: request.role,
      userData: request.userData,
      launchTime: now,
      state: "pending",
      stateReason: undefined,
      stateSince: now,
      eniIds: [],
      metadataOptions: { ...defaultMetadataOptions, ...request.metadataOptions },
      tags: newTags(Object.entries(request.tags ?? {})),
    };
    for (const [index, eni] of enis.entries()) {
      const spec = interfaces[index];
      if (spec !== undefined) checkFit(eni, instance, interfaces.slice(0, index), spec);
    }
    if (wantsPublicIp(ctx, interfaces, primary)) primary.autoPublicIp = takePublicAddress(ctx);
    state.put("instance", instanceId, instance);
    for (const [index, eni] of enis.entries()) {
      const spec = interfaces[index];
      if (spec === undefined) continue;
      putAttachment(ctx, eni, instance, {
        deviceIndex: spec.deviceIndex,
        networkCardIndex: spec.networkCardIndex ?? 0,
        deleteOnTermination: spec.deleteOnTermination ?? spec.eniId === undefined,
        atLaunch: true,
        status: "attaching",
        dueAt: undefined,
      });
    }
    return instance;
  } catch (fault) {
    for (const eni of made) removeEni(ctx, eni);
    throw fault;
  }
}

function wantsPublicIp(
  ctx: Context,
  interfaces: readonly LaunchInterface[],
  primary: NetworkInterface,
): boolean {
  const [first] = interfaces;
  if (interfaces.length !== 1 || first === undefined || first.eniId !== undefined) return false;
  return first.associatePublicIp ?? findSubnet(ctx.state, primary.subnetId).mapPublicIpOnLaunch;
}

function undoLaunch(ctx: Context, instance: Instance): void {
  endInterfaces(ctx, instance);
  ctx.state.drop("instance", instance.instanceId);
}
