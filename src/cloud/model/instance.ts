import { attachmentsOf, finishDetach } from "./attachment.ts";
import { schedule } from "./due.ts";
import { Ec2Fault, faults } from "./fault.ts";
import { findInstance, findSubnet } from "./lookup.ts";
import { removeEni } from "./network-interface.ts";
import { takePublicAddress } from "./public-addresses.ts";
import type { Context } from "./state.ts";
import type { Tags } from "./tags.ts";

export type InstanceStateName =
  | "pending"
  | "running"
  | "shutting-down"
  | "terminated"
  | "stopping"
  | "stopped";

export interface MetadataOptions {
  httpTokens: "optional" | "required";
  /** 1…64: the IP TTL of the answer to a token request. */
  httpPutResponseHopLimit: number;
  httpEndpoint: "enabled" | "disabled";
  httpProtocolIpv6: "enabled" | "disabled";
  instanceMetadataTags: "enabled" | "disabled";
}

export const defaultMetadataOptions: MetadataOptions = {
  httpTokens: "required",
  httpPutResponseHopLimit: 1,
  httpEndpoint: "enabled",
  httpProtocolIpv6: "disabled",
  instanceMetadataTags: "disabled",
};

export interface Instance {
  readonly instanceId: string;
  readonly reservationId: string;
  readonly ownerId: string;
  readonly imageId: string;
  readonly instanceType: string;
  readonly launchIndex: number;
  readonly clientToken: string;
  readonly keyName: string | undefined;
  readonly vpcId: string;
  readonly subnetId: string;
  readonly zone: string;
  /** Name of the IAM role that the metadata service gives credentials of. */
  readonly role: string | undefined;
  readonly userData: string | undefined;
  /** Milliseconds since the epoch. */
  readonly launchTime: number;
  state: InstanceStateName;
  stateReason: { readonly code: string; readonly message: string } | undefined;
  /** When the present state began. */
  stateSince: number;
  /** Interfaces attached, being attached or being detached, in the order of their coming. */
  readonly eniIds: string[];
  readonly metadataOptions: MetadataOptions;
  readonly tags: Tags;
}

/** The machine is there: the instance runs and its interfaces are attached. */
export function finishLaunch(ctx: Context, instanceId: string): Instance {
  const { state } = ctx;
  const instance = findInstance(state, instanceId);
  if (instance.state !== "pending") return instance;
  setState(ctx, instance, "running");
  for (const eniId of instance.eniIds) {
    const eni = state.enis.get(eniId);
    if (eni?.attachment?.status !== "attaching") continue;
    eni.attachment.status = "attached";
    state.touch("network-interface", eniId);
  }
  return instance;
}

/** The machine could not be made: the instance is terminated, with the reason. */
export function failLaunch(ctx: Context, instanceId: string, message: string): void {
  const instance = findInstance(ctx.state, instanceId);
  instance.stateReason = { code: "Server.InternalError", message: `Server.InternalError: ${message}` };
  finishTermination(ctx, instance);
}

export interface StateChange {
  readonly instanceId: string;
  readonly previous: InstanceStateName;
  readonly current: InstanceStateName;
}

/** Begins to terminate; instances that are terminated already stay so. All or none when an id is unknown. */
export function terminateInstances(ctx: Context, instanceIds: readonly string[]): StateChange[] {
  const instances = instanceIds.map((instanceId) => findInstance(ctx.state, instanceId));
  const delay = ctx.settings.transitionsMs.terminate;
  return instances.map((instance) => {
    const previous = instance.state;
    if (previous !== "terminated" && previous !== "shutting-down") {
      instance.stateReason = {
        code: "Client.UserInitiatedShutdown",
        message: "Client.UserInitiatedShutdown: User initiated shutdown",
      };
      setState(ctx, instance, "shutting-down");
      schedule(ctx.state, { at: ctx.now + delay, kind: "terminate", id: instance.instanceId });
    }
    return { instanceId: instance.instanceId, previous, current: instance.state };
  });
}

/** The machine is gone: interfaces are deleted or freed, as their attachments say. */
export function finishTermination(ctx: Context, instance: Instance): void {
  endInterfaces(ctx, instance);
  setState(ctx, instance, "terminated");
  const at = ctx.now + ctx.settings.transitionsMs.forgetTerminated;
  schedule(ctx.state, { at, kind: "forget-instance", id: instance.instanceId });
}

/** Takes every interface off an instance; those that end with it are deleted. */
export function endInterfaces(ctx: Context, instance: Instance): void {
  for (const eniId of [...instance.eniIds]) {
    const eni = ctx.state.enis.get(eniId);
    if (eni === undefined) continue;
    const remove = eni.attachment?.deleteOnTermination === true;
    eni.autoPublicIp = undefined;
    finishDetach(ctx.state, eni);
    if (remove) removeEni(ctx, eni);
  }
  instance.eniIds.length = 0;
}

/** Begins to stop running instances; interfaces and addresses stay. */
export function stopInstances(ctx: Context, instanceIds: readonly string[]): StateChange[] {
  const instances = instanceIds.map((instanceId) => findInstance(ctx.state, instanceId));
  for (const instance of instances) {
    refuseTerminated(instance, "stopped");
    if (instance.state === "pending") throw notFrom(instance, "stopped");
  }
  return instances.map((instance) => {
    const previous = instance.state;
    if (previous === "running") {
      setState(ctx, instance, "stopping");
      schedule(ctx.state, {
        at: ctx.now + ctx.settings.transitionsMs.terminate,
        kind: "stop",
        id: instance.instanceId,
      });
    }
    return { instanceId: instance.instanceId, previous, current: instance.state };
  });
}

export function finishStop(ctx: Context, instance: Instance): void {
  for (const eniId of instance.eniIds) {
    const eni = ctx.state.enis.get(eniId);
    if (eni?.autoPublicIp === undefined) continue;
    eni.autoPublicIp = undefined;
    ctx.state.touch("network-interface", eniId);
  }
  setState(ctx, instance, "stopped");
}

/** Begins to start stopped instances; they are "pending" until {@link finishLaunch}. */
export function startInstances(ctx: Context, instanceIds: readonly string[]): StateChange[] {
  const instances = instanceIds.map((instanceId) => findInstance(ctx.state, instanceId));
  for (const instance of instances) {
    refuseTerminated(instance, "started");
    if (instance.state === "stopping") throw notFrom(instance, "started");
  }
  return instances.map((instance) => {
    const previous = instance.state;
    if (previous === "stopped") {
      setState(ctx, instance, "pending");
      const primary = ctx.state.enis.get(primaryEniIdOf(ctx, instance) ?? "");
      if (primary !== undefined && findSubnet(ctx.state, primary.subnetId).mapPublicIpOnLaunch) {
        primary.autoPublicIp = takePublicAddress(ctx);
        ctx.state.touch("network-interface", primary.eniId);
      }
    }
    return { instanceId: instance.instanceId, previous, current: instance.state };
  });
}

function refuseTerminated(instance: Instance, verb: string): void {
  if (instance.state === "terminated" || instance.state === "shutting-down") throw notFrom(instance, verb);
}

function notFrom(instance: Instance, verb: string): Ec2Fault {
  return new Ec2Fault(
    "IncorrectInstanceState",
    `The instance '${instance.instanceId}' is not in a state from which it can be ${verb}.`,
  );
}

function primaryEniIdOf(ctx: Context, instance: Instance): string | undefined {
  const [first] = attachmentsOf(ctx.state, instance);
  return instance.eniIds.find((eniId) => ctx.state.enis.get(eniId)?.attachment === first);
}

function setState(ctx: Context, instance: Instance, name: InstanceStateName): void {
  instance.state = name;
  instance.stateSince = ctx.now;
  ctx.state.touch("instance", instance.instanceId);
}

/** Changes how the metadata service serves an instance. */
export function modifyMetadataOptions(
  ctx: Context,
  instanceId: string,
  change: Partial<MetadataOptions>,
): MetadataOptions {
  const instance = findInstance(ctx.state, instanceId);
  const hops = change.httpPutResponseHopLimit;
  if (hops !== undefined && !(Number.isInteger(hops) && hops >= 1 && hops <= 64)) {
    throw faults.badValue(hops, "HttpPutResponseHopLimit", "Valid values are 1 to 64.");
  }
  Object.assign(instance.metadataOptions, change);
  ctx.state.touch("instance", instanceId);
  return instance.metadataOptions;
}
