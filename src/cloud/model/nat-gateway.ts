import type { Ipv4 } from "../../addr/ipv4.ts";
import { putServiceAttachment } from "./attachment.ts";
import { schedule } from "./due.ts";
import { findElasticIp } from "./elastic-ip.ts";
import { Ec2Fault, faults } from "./fault.ts";
import { newId } from "./ids.ts";
import { findSubnet } from "./lookup.ts";
import { createEni, removeEni } from "./network-interface.ts";
import type { Context } from "./state.ts";
import { newTags, type Tags } from "./tags.ts";

export interface NatGateway {
  readonly natGatewayId: string;
  readonly vpcId: string;
  readonly subnetId: string;
  readonly connectivity: "public" | "private";
  readonly eniId: string;
  readonly privateAddress: Ipv4;
  /** Elastic address of a public gateway, and the address itself, which outlives the gateway's hold on it. */
  readonly allocationId: string | undefined;
  readonly associationId: string | undefined;
  readonly publicAddress: Ipv4 | undefined;
  state: "pending" | "available" | "deleting" | "deleted";
  readonly createdAt: number;
  deletedAt: number | undefined;
  readonly tags: Tags;
}

export interface CreateNatGatewayRequest {
  readonly subnetId: string;
  readonly connectivity?: "public" | "private";
  /** Needed by public gateways. */
  readonly allocationId?: string;
  readonly privateAddress?: Ipv4;
  readonly tags?: Iterable<readonly [string, string]>;
}

/** How long DescribeNatGateways still shows a deleted gateway. */
const forgetMs = 3_600_000;

/** Creates a NAT gateway with an interface of its own in the subnet. */
export function createNatGateway(ctx: Context, request: CreateNatGatewayRequest): NatGateway {
  const { state, now, settings } = ctx;
  const subnet = findSubnet(state, request.subnetId);
  const connectivity = request.connectivity ?? "public";
  const { allocationId } = request;
  if (connectivity === "public" && allocationId === undefined) throw faults.missing("allocationId");
  if (connectivity === "private" && allocationId !== undefined) {
    throw faults.combination("A private NAT gateway cannot have an elastic IP address");
  }
  const elastic = allocationId === undefined ? undefined : findElasticIp(state, allocationId);
  if (elastic?.association !== undefined) {
    throw new Ec2Fault(
      "Resource.AlreadyAssociated",
      `Elastic IP address [${elastic.allocationId}] is already associated`,
    );
  }
  const attached = state.internetGateways.values().some((gateway) => gateway.vpcId === subnet.vpcId);
  if (elastic !== undefined && !attached) {
    throw new Ec2Fault("Gateway.NotAttached", `Network ${subnet.vpcId} has no Internet gateway attached`);
  }
  const tags = newTags(request.tags);
  const natGatewayId = newId("nat", ctx.random);
  const eni = createEni(ctx, {
    subnetId: subnet.subnetId,
    description: `Interface for NAT Gateway ${natGatewayId}`,
    interfaceType: "natGateway",
    requesterId: "amazon-aws",
    requesterManaged: true,
    ...(request.privateAddress === undefined ? {} : { primaryAddress: request.privateAddress }),
  });
  const privateAddress = eni.addresses[0] as Ipv4;
  putServiceAttachment(ctx, eni, { instanceOwnerId: "amazon-aws", place: undefined, deviceName: "eth0" });
  const associationId = elastic === undefined ? undefined : newId("eipassoc", ctx.random);
  if (elastic !== undefined && associationId !== undefined) {
    elastic.association = { associationId, eniId: eni.eniId, privateAddress };
    state.touch("elastic-ip", elastic.allocationId);
  }
  const delay = settings.transitionsMs.natGateway;
  const gateway: NatGateway = {
    natGatewayId,
    vpcId: subnet.vpcId,
    subnetId: subnet.subnetId,
    connectivity,
    eniId: eni.eniId,
    privateAddress,
    allocationId,
    associationId,
    publicAddress: elastic?.address,
    state: delay > 0 ? "pending" : "available",
    createdAt: now,
    deletedAt: undefined,
    tags,
  };
  if (delay > 0) schedule(state, { at: now + delay, kind: "nat-gateway", id: natGatewayId });
  state.put("natgateway", natGatewayId, gateway);
  return gateway;
}

export function deleteNatGateway(ctx: Context, natGatewayId: string): void {
  const { state, now } = ctx;
  const gateway = state.natGateways.get(natGatewayId);
  if (gateway === undefined) {
    throw new Ec2Fault("NatGatewayNotFound", `The Nat Gateway ${natGatewayId} was not found`);
  }
  if (gateway.state === "deleting" || gateway.state === "deleted") return;
  gateway.state = "deleting";
  gateway.deletedAt = now;
  state.touch("natgateway", natGatewayId);
  const delay = ctx.settings.transitionsMs.natGateway;
  if (delay > 0) schedule(state, { at: now + delay, kind: "nat-gateway", id: natGatewayId });
  else finishNatGateway(ctx, gateway);
}

/** Moves a gateway on: pending to available, deleting to deleted, deleted to forgotten. */
export function finishNatGateway(ctx: Context, gateway: NatGateway): void {
  const { state } = ctx;
  const { natGatewayId } = gateway;
  switch (gateway.state) {
    case "pending":
      gateway.state = "available";
      break;
    case "deleting": {
      const eni = state.enis.get(gateway.eniId);
      if (eni !== undefined) removeEni(ctx, eni);
      gateway.state = "deleted";
      schedule(state, { at: ctx.now + forgetMs, kind: "forget-nat-gateway", id: natGatewayId });
      break;
    }
    case "deleted":
      state.drop("natgateway", natGatewayId);
      return;
    case "available":
      return;
  }
  state.touch("natgateway", natGatewayId);
}
