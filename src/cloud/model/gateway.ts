import { Ec2Fault, faults } from "./fault.ts";
import { newId } from "./ids.ts";
import { findVpc } from "./lookup.ts";
import type { CloudState, Context } from "./state.ts";
import { newTags, type Tags } from "./tags.ts";

export interface InternetGateway {
  readonly gatewayId: string;
  readonly ownerId: string;
  /** Absent while detached. */
  vpcId: string | undefined;
  readonly tags: Tags;
}

/** Lets IPv6 out of a VPC and only answers back in. */
export interface EgressOnlyGateway {
  readonly gatewayId: string;
  readonly vpcId: string;
  readonly tags: Tags;
}

export function createInternetGateway(
  ctx: Context,
  tags: Iterable<readonly [string, string]> = [],
): InternetGateway {
  const gatewayId = newId("igw", ctx.random);
  const gateway: InternetGateway = {
    gatewayId,
    ownerId: ctx.account.accountId,
    vpcId: undefined,
    tags: newTags(tags),
  };
  ctx.state.put("internet-gateway", gatewayId, gateway);
  return gateway;
}

function findInternetGateway(state: CloudState, gatewayId: string): InternetGateway {
  const gateway = state.internetGateways.get(gatewayId);
  if (gateway === undefined) {
    throw faults.notFound("InvalidInternetGatewayID.NotFound", "internetGateway ID", gatewayId);
  }
  return gateway;
}

/** A VPC has at most one internet gateway. */
export function attachInternetGateway(ctx: Context, gatewayId: string, vpcId: string): void {
  const { state } = ctx;
  const gateway = findInternetGateway(state, gatewayId);
  findVpc(state, vpcId);
  if (gateway.vpcId !== undefined) {
    throw new Ec2Fault(
      "Resource.AlreadyAssociated",
      `resource ${gatewayId} is already attached to network ${gateway.vpcId}`,
    );
  }
  if (state.internetGateways.values().some((other) => other.vpcId === vpcId)) {
    throw faults.invalid(`Network ${vpcId} already has an internet gateway attached`);
  }
  gateway.vpcId = vpcId;
  state.touch("internet-gateway", gatewayId);
}

/** Refused while a public address of the VPC is mapped. */
export function detachInternetGateway(ctx: Context, gatewayId: string, vpcId: string): void {
  const { state } = ctx;
  const gateway = findInternetGateway(state, gatewayId);
  findVpc(state, vpcId);
  if (gateway.vpcId !== vpcId) {
    throw new Ec2Fault("Gateway.NotAttached", `resource ${gatewayId} is not attached to network ${vpcId}`);
  }
  const elastic = new Set(state.elasticIps.values().map((one) => one.association?.eniId));
  const mapped = state.enis
    .values()
    .some((eni) => eni.vpcId === vpcId && (eni.autoPublicIp !== undefined || elastic.has(eni.eniId)));
  if (mapped) {
    throw new Ec2Fault(
      "DependencyViolation",
      `Network ${vpcId} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.`,
    );
  }
  gateway.vpcId = undefined;
  state.touch("internet-gateway", gatewayId);
}

export function deleteInternetGateway(ctx: Context, gatewayId: string): void {
  const gateway = findInternetGateway(ctx.state, gatewayId);
  if (gateway.vpcId !== undefined) throw faults.dependency("internetGateway", gatewayId);
  ctx.state.drop("internet-gateway", gatewayId);
}

export function createEgressOnlyGateway(
  ctx: Context,
  vpcId: string,
  tags: Iterable<readonly [string, string]> = [],
): EgressOnlyGateway {
  findVpc(ctx.state, vpcId);
  const gatewayId = newId("eigw", ctx.random);
  const gateway: EgressOnlyGateway = { gatewayId, vpcId, tags: newTags(tags) };
  ctx.state.put("egress-only-internet-gateway", gatewayId, gateway);
  return gateway;
}

export function deleteEgressOnlyGateway(ctx: Context, gatewayId: string): void {
  if (!ctx.state.egressOnlyGateways.has(gatewayId)) {
    throw faults.notFound("InvalidGatewayID.NotFound", "egress only internet gateway ID", gatewayId);
  }
  ctx.state.drop("egress-only-internet-gateway", gatewayId);
}
