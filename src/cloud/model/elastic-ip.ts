import { formatIpv4, type Ipv4 } from "../../addr/ipv4.ts";
import { Ec2Fault, faults } from "./fault.ts";
import { newId } from "./ids.ts";
import { findEni } from "./lookup.ts";
import { takePublicAddress } from "./public-addresses.ts";
import type { CloudState, Context } from "./state.ts";
import { newTags, type Tags } from "./tags.ts";

export interface ElasticIp {
  readonly allocationId: string;
  readonly ownerId: string;
  readonly address: Ipv4;
  association: ElasticIpAssociation | undefined;
  readonly tags: Tags;
}

export interface ElasticIpAssociation {
  readonly associationId: string;
  readonly eniId: string;
  readonly privateAddress: Ipv4;
}

export function allocateElasticIp(ctx: Context, tags: Iterable<readonly [string, string]> = []): ElasticIp {
  if (ctx.state.elasticIps.size >= ctx.settings.limits.addresses) {
    throw new Ec2Fault("AddressLimitExceeded", "The maximum number of addresses has been reached.");
  }
  const allocationId = newId("eipalloc", ctx.random);
  const elastic: ElasticIp = {
    allocationId,
    ownerId: ctx.account.accountId,
    address: takePublicAddress(ctx),
    association: undefined,
    tags: newTags(tags),
  };
  ctx.state.put("elastic-ip", allocationId, elastic);
  return elastic;
}

export function findElasticIp(state: CloudState, allocationId: string): ElasticIp {
  const elastic = state.elasticIps.get(allocationId);
  if (elastic === undefined) {
    throw faults.notFound("InvalidAllocationID.NotFound", "allocation ID", allocationId);
  }
  return elastic;
}

export interface AssociateRequest {
  readonly allocationId: string;
  readonly eniId: string;
  /** The interface's primary address when absent. */
  readonly privateAddress?: Ipv4;
  readonly allowReassociation: boolean;
}

/** Maps the elastic address to a private address of an interface; returns the association's id. */
export function associateElasticIp(ctx: Context, request: AssociateRequest): string {
  const { state } = ctx;
  const elastic = findElasticIp(state, request.allocationId);
  const eni = findEni(state, request.eniId);
  const primary = eni.addresses[0];
  const privateAddress = request.privateAddress ?? primary;
  if (privateAddress === undefined || !eni.addresses.includes(privateAddress)) {
    throw faults.invalid(`The address is not assigned to interface ${eni.eniId}`);
  }
  if (!state.internetGateways.values().some((gateway) => gateway.vpcId === eni.vpcId)) {
    throw new Ec2Fault("Gateway.NotAttached", `Network ${eni.vpcId} is not attached to any internet gateway`);
  }
  if (elastic.association !== undefined && !request.allowReassociation) {
    throw new Ec2Fault(
      "Resource.AlreadyAssociated",
      `resource ${elastic.allocationId} is already associated with associate-id ${elastic.association.associationId}`,
    );
  }
  for (const other of state.elasticIps.values()) {
    if (other === elastic || other.association?.eniId !== eni.eniId) continue;
    if (other.association.privateAddress !== privateAddress) continue;
    if (!request.allowReassociation) {
      throw new Ec2Fault(
        "Resource.AlreadyAssociated",
        `resource ${eni.eniId} is already associated with associate-id ${other.association.associationId}`,
      );
    }
    other.association = undefined;
    state.touch("elastic-ip", other.allocationId);
  }
  const associationId = newId("eipassoc", ctx.random);
  elastic.association = { associationId, eniId: eni.eniId, privateAddress };
  // An elastic address takes the place of the automatic one, which goes back to Amazon.
  if (privateAddress === primary) eni.autoPublicIp = undefined;
  state.touch("network-interface", eni.eniId);
  state.touch("elastic-ip", elastic.allocationId);
  return associationId;
}

export function disassociateElasticIp(ctx: Context, associationId: string): void {
  for (const elastic of ctx.state.elasticIps.values()) {
    if (elastic.association?.associationId !== associationId) continue;
    refuseNatGateways(ctx.state, elastic);
    const { eniId } = elastic.association;
    elastic.association = undefined;
    ctx.state.touch("elastic-ip", elastic.allocationId);
    ctx.state.touch("network-interface", eniId);
    return;
  }
  throw faults.notFound("InvalidAssociationID.NotFound", "association ID", associationId);
}

function refuseNatGateways(state: CloudState, elastic: ElasticIp): void {
  if (
    state.natGateways
      .values()
      .some((gateway) => gateway.allocationId === elastic.allocationId && gateway.state !== "deleted")
  ) {
    throw new Ec2Fault("AuthFailure", "You do not have permission to access the specified resource.");
  }
}

export function releaseElasticIp(ctx: Context, allocationId: string): void {
  const elastic = findElasticIp(ctx.state, allocationId);
  if (elastic.association !== undefined) {
    throw new Ec2Fault("InvalidIPAddress.InUse", `Address ${formatIpv4(elastic.address)} is in use.`);
  }
  ctx.state.drop("elastic-ip", allocationId);
}

/** Frees the elastic addresses of an interface that is going away, or of those private addresses that are. */
export function releaseAssociationsOf(ctx: Context, eniId: string, addresses?: readonly Ipv4[]): void {
  for (const elastic of ctx.state.elasticIps.values()) {
    if (elastic.association?.eniId !== eniId) continue;
    if (addresses?.includes(elastic.association.privateAddress) === false) continue;
    elastic.association = undefined;
    ctx.state.touch("elastic-ip", elastic.allocationId);
  }
}

/** The elastic address of a private one that moves to another interface moves with it. */
export function moveAssociation(ctx: Context, fromEniId: string, address: Ipv4, toEniId: string): void {
  for (const elastic of ctx.state.elasticIps.values()) {
    const { association } = elastic;
    if (association?.eniId !== fromEniId || association.privateAddress !== address) continue;
    elastic.association = { ...association, eniId: toEniId };
    ctx.state.touch("elastic-ip", elastic.allocationId);
  }
}
