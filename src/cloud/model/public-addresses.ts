import { cidr4Size, parseCidr4 } from "../../addr/cidr.ts";
import { type Ipv4, ipv4 } from "../../addr/ipv4.ts";
import { Ec2Fault } from "./fault.ts";
import type { CloudState, Context } from "./state.ts";

/** Takes a free address of Amazon's public pool; the caller stores who has it. */
export function takePublicAddress(ctx: Context): Ipv4 {
  const pool = parseCidr4(ctx.account.publicCidr);
  // The first and the last address stay free, so that the pool can be a link's network in the fabric.
  const usable = cidr4Size(pool) - 2;
  const used = publicAddressesInUse(ctx.state);
  if (used.size >= usable) {
    throw new Ec2Fault(
      "InsufficientAddressCapacity",
      "Not enough free public addresses to satisfy the request.",
    );
  }
  const start = ctx.settings.addressChoice === "random" ? ctx.random.int(usable) : 0;
  for (let step = 0; ; step++) {
    const address = ipv4(pool.base + 1 + ((start + step) % usable));
    if (!used.has(address)) return address;
  }
}

function publicAddressesInUse(state: CloudState): Set<Ipv4> {
  const used = new Set<Ipv4>();
  for (const eni of state.enis.values()) if (eni.autoPublicIp !== undefined) used.add(eni.autoPublicIp);
  for (const elastic of state.elasticIps.values()) used.add(elastic.address);
  return used;
}

/** The public address that stands for an interface's private one. */
export interface PublicAssociation {
  readonly address: Ipv4;
  readonly privateAddress: Ipv4;
  /** Only elastic addresses have the two ids. */
  readonly allocationId: string | undefined;
  readonly associationId: string | undefined;
  readonly ownerId: string;
}

/** The public addresses of every interface that has one; at most one per private address. */
export function publicAssociations(state: CloudState): Map<string, PublicAssociation[]> {
  const found = new Map<string, PublicAssociation[]>();
  const add = (eniId: string, association: PublicAssociation): void => {
    const present = found.get(eniId);
    if (present === undefined) found.set(eniId, [association]);
    else if (!present.some((one) => one.privateAddress === association.privateAddress))
      present.push(association);
  };
  for (const elastic of state.elasticIps.values()) {
    if (elastic.association === undefined) continue;
    const { eniId, privateAddress, associationId } = elastic.association;
    const { address, allocationId, ownerId } = elastic;
    add(eniId, { address, privateAddress, allocationId, associationId, ownerId });
  }
  for (const eni of state.enis.values()) {
    const privateAddress = eni.addresses[0];
    if (eni.autoPublicIp === undefined || privateAddress === undefined) continue;
    const ids = { allocationId: undefined, associationId: undefined };
    add(eni.eniId, { address: eni.autoPublicIp, privateAddress, ...ids, ownerId: "amazon" });
  }
  return found;
}
