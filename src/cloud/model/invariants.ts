import { cidr4Has, cidrContains, cidrsOverlap, formatCidr } from "../../addr/cidr.ts";
import { formatIpv4, ipv4 } from "../../addr/ipv4.ts";
import { formatIpv6 } from "../../addr/ipv6.ts";
import { SubnetSpace } from "../../addr/subnet-space.ts";
import { instanceLimits } from "../../limits/instance-types.ts";
import { block28 } from "./address-taking.ts";
import { enisIn } from "./lookup.ts";
import type { NetworkInterface } from "./network-interface.ts";
import type { CloudState } from "./state.ts";
import type { Subnet } from "./subnet.ts";

/** Every broken invariant of the model, one line of evidence each; empty when all hold. */
export function checkCloud(state: CloudState): string[] {
  return [
    ...checkAddresses(state),
    ...checkSubnets(state),
    ...checkAttachments(state),
    ...checkReferences(state),
    ...checkPublicAddresses(state),
  ];
}

/** 1: each address and prefix is held by one interface, lies in its subnet, and the owners' index says so. */
function* checkAddresses(state: CloudState): Generator<string> {
  const holders = new Map<string, string>();
  for (const eni of state.enis.values()) {
    const subnet = state.subnets.get(eni.subnetId);
    if (subnet === undefined) {
      yield `${eni.eniId} is in ${eni.subnetId}, which does not exist`;
      continue;
    }
    if (eni.addresses.length === 0) yield `${eni.eniId} has no primary address`;
    const owners = state.owners.of(eni.vpcId);
    for (const [what, inside, owner] of heldBy(eni, subnet, owners)) {
      const key = `${eni.vpcId} ${what}`;
      const other = holders.get(key);
      if (other !== undefined) yield `${what} is held twice: by ${other} and by ${eni.eniId}`;
      holders.set(key, eni.eniId);
      if (!inside) yield `${what} of ${eni.eniId} is not in ${eni.subnetId}`;
      if (owner !== eni.eniId) yield `${what} of ${eni.eniId} is indexed as ${owner ?? "nobody"}'s`;
    }
    for (const base of eni.prefixes) {
      for (let address: number = base; address < base + 16; address++) {
        const other = owners.addresses.get(ipv4(address));
        if (other === undefined) continue;
        yield `${formatIpv4(ipv4(address))} of ${other} is in the prefix ${formatCidr(block28(base))} of ${eni.eniId}`;
      }
    }
  }
  for (const vpcId of state.vpcs.keys()) {
    const owners = state.owners.of(vpcId);
    const enis = [...state.enis.values()].filter((eni) => eni.vpcId === vpcId);
    const held = enis.reduce((sum, eni) => sum + eni.addresses.length, 0);
    const prefixes = enis.reduce((sum, eni) => sum + eni.prefixes.length, 0);
    if (owners.addresses.size !== held) {
      yield `${vpcId}: ${held} addresses are held and ${owners.addresses.size} indexed`;
    }
    if (owners.prefixes.size !== prefixes) {
      yield `${vpcId}: ${prefixes} prefixes are held and ${owners.prefixes.size} indexed`;
    }
  }
}

type Owners = ReturnType<CloudState["owners"]["of"]>;

function* heldBy(
  eni: NetworkInterface,
  subnet: Subnet,
  owners: Owners,
): Generator<readonly [what: string, inside: boolean, owner: string | undefined]> {
  for (const address of eni.addresses) {
    yield [formatIpv4(address), cidr4Has(subnet.cidr, address), owners.addresses.get(address)];
  }
  for (const base of eni.prefixes) {
    const block = block28(base);
    yield [formatCidr(block), cidrContains(subnet.cidr, block), owners.prefixes.get(base)];
  }
  const ipv6 = subnet.ipv6Cidrs[0]?.cidr;
  const in6 = (base: bigint): boolean => ipv6 !== undefined && base >> 64n === ipv6.base >> 64n;
  for (const address of eni.ipv6Addresses) {
    yield [formatIpv6(address), in6(address), owners.ipv6Addresses.get(address)];
  }
  for (const base of eni.ipv6Prefixes) {
    yield [`${formatIpv6(base)}/80`, in6(base), owners.ipv6Prefixes.get(base)];
  }
}

/** 2: subnets lie in their VPC without overlap, and their free counts follow from their interfaces. */
function* checkSubnets(state: CloudState): Generator<string> {
  for (const subnet of state.subnets.values()) {
    const { subnetId, vpcId, cidr } = subnet;
    const vpc = state.vpcs.get(vpcId);
    if (!vpc?.cidrs.some((one) => cidrContains(one.cidr, cidr))) {
      yield `${subnetId} ${formatCidr(cidr)} is not in a block of ${vpcId}`;
    }
    for (const other of state.subnets.values()) {
      if (other.subnetId > subnetId && other.vpcId === vpcId && cidrsOverlap(other.cidr, cidr)) {
        yield `${subnetId} and ${other.subnetId} overlap`;
      }
    }
    const space = state.spaces.get(subnetId);
    const again = new SubnetSpace(cidr);
    for (const one of state.reservations.values()) {
      if (one.subnetId === subnetId) again.reserve({ cidr: one.cidr, kind: one.type });
    }
    for (const eni of enisIn(state, subnetId)) {
      for (const address of eni.addresses) if (again.isFree(address)) again.take(address);
      for (const base of eni.prefixes)
        if (again.isBlock28Free(block28(base))) again.takeGivenBlock28(block28(base));
    }
    for (const count of ["freeCount", "usedCount", "freeBlocks28Count"] as const) {
      if (space?.[count] !== again[count]) {
        yield `${subnetId} says ${count} ${space?.[count]}, and its interfaces leave ${again[count]}`;
      }
    }
  }
}

/** 3: interfaces and instances agree on who is attached to whom, within the limits of the type. */
function* checkAttachments(state: CloudState): Generator<string> {
  for (const eni of state.enis.values()) {
    const { eniId, attachment, status } = eni;
    if ((status === "available") !== (attachment === undefined)) {
      yield `${eniId} is "${status}" ${attachment === undefined ? "without" : "with"} an attachment`;
    }
    if (state.macs.get(eni.mac) !== eniId) yield `MAC ${eni.mac} of ${eniId} is indexed as another's`;
    if (attachment === undefined) continue;
    if (state.attachments.get(attachment.attachmentId) !== eniId) {
      yield `${attachment.attachmentId} of ${eniId} is not indexed`;
    }
    const { instanceId } = attachment;
    if (instanceId !== undefined && !state.instances.get(instanceId)?.eniIds.includes(eniId)) {
      yield `${eniId} is attached to ${instanceId}, which does not know it`;
    }
  }
  for (const { instanceId, instanceType, eniIds, state: name } of state.instances.values()) {
    const limits = instanceLimits(instanceType);
    const indexes = new Set<string>();
    const perCard = new Map<number, number>();
    for (const eniId of eniIds) {
      const eni = state.enis.get(eniId);
      const attachment = eni?.attachment;
      if (eni === undefined || attachment?.instanceId !== instanceId) {
        yield `${instanceId} lists ${eniId}, which is not attached to it`;
        continue;
      }
      const key = `${attachment.networkCardIndex}/${attachment.deviceIndex}`;
      if (indexes.has(key)) yield `${instanceId} has two interfaces at card/device ${key}`;
      indexes.add(key);
      perCard.set(attachment.networkCardIndex, (perCard.get(attachment.networkCardIndex) ?? 0) + 1);
      const slots = eni.addresses.length + eni.prefixes.length;
      if (limits !== undefined && slots > limits.ipv4PerEni) {
        yield `${eniId} has ${slots} address slots in use, and ${instanceType} allows ${limits.ipv4PerEni}`;
      }
    }
    for (const [card, count] of perCard) {
      if (limits !== undefined && count > (limits.cards[card] ?? 0)) {
        yield `${instanceId} has ${count} interfaces on card ${card}, and ${instanceType} allows ${limits.cards[card] ?? 0}`;
      }
    }
    const alive = name !== "terminated";
    if (alive && !indexes.has("0/0")) yield `${instanceId} has no primary interface`;
    if (!alive && eniIds.length > 0) yield `${instanceId} is terminated and holds ${eniIds.join(", ")}`;
  }
}

/** 4: what resources refer to exists. */
function* checkReferences(state: CloudState): Generator<string> {
  for (const vpc of state.vpcs.values()) {
    if (!state.routeTables.has(vpc.mainRouteTableId)) yield `${vpc.vpcId} has no main route table`;
    if (!state.securityGroups.has(vpc.defaultGroupId)) yield `${vpc.vpcId} has no default security group`;
  }
  for (const eni of state.enis.values()) {
    for (const groupId of eni.groups) {
      if (!state.securityGroups.has(groupId)) yield `${eni.eniId} is in ${groupId}, which does not exist`;
    }
  }
  const associated = new Map<string, string>();
  for (const table of state.routeTables.values()) {
    for (const { subnetId } of table.associations) {
      if (subnetId === undefined) continue;
      const other = associated.get(subnetId);
      if (other !== undefined) yield `${subnetId} uses two route tables: ${other} and ${table.routeTableId}`;
      associated.set(subnetId, table.routeTableId);
      if (!state.subnets.has(subnetId))
        yield `${table.routeTableId} serves ${subnetId}, which does not exist`;
    }
  }
  for (const gateway of state.natGateways.values()) {
    if (gateway.state !== "deleted" && !state.enis.has(gateway.eniId)) {
      yield `${gateway.natGatewayId} has lost its interface ${gateway.eniId}`;
    }
  }
  for (const cluster of state.clusters.values()) {
    for (const eniId of cluster.eniIds) {
      if (!state.enis.has(eniId)) yield `cluster ${cluster.name} has lost its interface ${eniId}`;
    }
  }
}

/** 5: a public address stands for one interface. */
function* checkPublicAddresses(state: CloudState): Generator<string> {
  const holders = new Map<number, string>();
  const claims = [
    ...[...state.elasticIps.values()].map(({ address, allocationId }) => [address, allocationId] as const),
    ...[...state.enis.values()].map(({ autoPublicIp, eniId }) => [autoPublicIp, eniId] as const),
  ];
  for (const [address, holder] of claims) {
    if (address === undefined) continue;
    const other = holders.get(address);
    if (other !== undefined) yield `${formatIpv4(address)} is public for both ${other} and ${holder}`;
    holders.set(address, holder);
  }
  for (const { allocationId, association } of state.elasticIps.values()) {
    if (association !== undefined && !state.enis.has(association.eniId)) {
      yield `${allocationId} is associated with ${association.eniId}, which does not exist`;
    }
  }
}
