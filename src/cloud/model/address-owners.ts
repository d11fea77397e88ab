import type { Ipv4 } from "../../addr/ipv4.ts";
import type { Ipv6 } from "../../addr/ipv6.ts";

/** Which interface holds which address or prefix, per VPC; blocks of different VPCs may overlap. */
export class AddressOwners {
  readonly #vpcs = new Map<string, OwnersOfVpc>();

  of(vpcId: string): OwnersOfVpc {
    let owners = this.#vpcs.get(vpcId);
    if (owners === undefined) {
      owners = new OwnersOfVpc();
      this.#vpcs.set(vpcId, owners);
    }
    return owners;
  }

  forget(vpcId: string): void {
    this.#vpcs.delete(vpcId);
  }
}

export class OwnersOfVpc {
  readonly addresses = new Map<Ipv4, string>();
  /** By first address of the /28. */
  readonly prefixes = new Map<Ipv4, string>();
  readonly ipv6Addresses = new Map<Ipv6, string>();
  /** By first address of the /80. */
  readonly ipv6Prefixes = new Map<Ipv6, string>();

  /** The interface that has `address`, alone or within a prefix. */
  ofIpv4(address: Ipv4): string | undefined {
    return this.addresses.get(address) ?? this.prefixes.get(((address & ~15) >>> 0) as Ipv4);
  }

  ofIpv6(address: Ipv6): string | undefined {
    return this.ipv6Addresses.get(address) ?? this.ipv6Prefixes.get(((address >> 48n) << 48n) as Ipv6);
  }
}
