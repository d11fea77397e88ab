import { ec2CodeOf, insufficientCodes } from "../../aws/ec2-errors.ts";
import { EniverseError, hasCode, messageOf } from "../../base/error.ts";
import type { Outcome } from "../../ipam/types.ts";
import type { Context } from "./context.ts";
import { eniConfigName } from "./eniconfig.ts";

/** Why the pool cannot grow, in the words of a Kubernetes event. */
export interface GrowthFailure {
  /** CamelCase, for filters: "SubnetNotFound". */
  readonly reason: string;
  /** What was tried: "ec2:CreateNetworkInterface", "ReadENIConfig". */
  readonly action: string;
  readonly note: string;
}

/** EC2's codes that a person has to do something about; its word for a lack of addresses is the reason itself. */
const reasons: Readonly<Record<string, string>> = {
  InsufficientCidrBlocks: "InsufficientCidrBlocks",
  InsufficientFreeAddressesInSubnet: "InsufficientFreeAddressesInSubnet",
  AttachmentLimitExceeded: "AttachmentLimitExceeded",
  "InvalidSubnetID.NotFound": "SubnetNotFound",
  "InvalidSubnetID.Malformed": "SubnetNotFound",
  "InvalidGroup.NotFound": "SecurityGroupNotFound",
  "InvalidSecurityGroupID.NotFound": "SecurityGroupNotFound",
  "InvalidSecurityGroupID.Malformed": "SecurityGroupNotFound",
};

/** EC2 tells zones that do not match by its message only. */
const otherZone = /not in the same availability zone/;

/** True when EC2 says that a subnet has not so much left. */
export function saysNoRoom(thrown: unknown): boolean {
  const code = ec2CodeOf(thrown) ?? "";
  // "There aren't sufficient free Ipv4 addresses or prefixes": more than the subnet has when it is empty.
  return (
    insufficientCodes.includes(code) || (code === "InvalidParameterValue" && hasCode(thrown, "exhausted"))
  );
}

type Failed = Extract<Outcome, { kind: "failed" }>;

/** The outcome of an action that ended with an error. */
export function failed(thrown: unknown, insufficientSubnets: readonly string[] = []): Failed {
  return {
    kind: "failed",
    error: messageOf(thrown),
    insufficientSubnets,
    ...(hasCode(thrown, "throttled") ? { throttled: true } : {}),
  };
}

/** Writes the event for an action that could not bring addresses, when there is one to write. */
export function tellWhy(ctx: Context, thrown: unknown): void {
  const failure = growthFailure(ctx, thrown);
  if (failure !== undefined) ctx.events()?.cannotGrow(failure);
}

/**
 * What to tell of an action that could not bring addresses; undefined for what passes by itself (throttling, an
 * API that does not answer) and for a missing permission, which has an event of its own.
 */
export function growthFailure(ctx: Context, thrown: unknown): GrowthFailure | undefined {
  if (hasCode(thrown, "throttled", "unavailable", "timeout", "permission_denied")) {
    if (factOf(thrown, "reason") === undefined) return undefined;
  }
  const { customNetworking } = ctx.settings;
  const action = factOf(thrown, "ec2Action");
  const isElsewhere = otherZone.test(messageOf(thrown));
  const known = factOf(thrown, "reason") ?? reasons[ec2CodeOf(thrown) ?? ""];
  const reason = known ?? (isElsewhere ? "SubnetInOtherZone" : "ENIAllocationFailed");
  const config = customNetworking && action !== undefined ? `ENIConfig ${nameOf(ctx)}: ` : "";
  const zone = isElsewhere ? ` (the node is in ${ctx.facts.availabilityZone})` : "";
  return {
    reason,
    action: action === undefined ? (customNetworking ? "ReadENIConfig" : "CreateENI") : `ec2:${action}`,
    note: `${config}${messageOf(thrown)}${zone}`,
  };
}

function factOf(thrown: unknown, name: string): string | undefined {
  const fact = thrown instanceof EniverseError ? thrown.parts.facts?.[name] : undefined;
  return fact === undefined ? undefined : String(fact);
}

function nameOf(ctx: Context): string {
  return eniConfigName(ctx.node(), {
    annotation: ctx.env.eniConfigAnnotation,
    label: ctx.env.eniConfigLabel,
  });
}
