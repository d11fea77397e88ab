import type { PoolEniFacts } from "./types.ts";

/** An ENI that is attached to this instance, as IMDS or EC2 tells it. */
export interface AttachedEni {
  readonly id: string;
  readonly card: number;
  readonly deviceNumber: number;
  readonly subnetId: string;
  /** On device 0 of card 0. */
  readonly primary: boolean;
  /** The ENI's own address; absent on EFA-only interfaces. */
  readonly primaryAddress?: string;
  /** The other private IPv4 addresses. */
  readonly addresses: readonly string[];
  readonly ipv4Prefixes: readonly string[];
  readonly ipv6Prefixes: readonly string[];
  /** EC2's InterfaceType; "interface" where only IMDS was asked. */
  readonly interfaceType: string;
  /** Undefined where only IMDS was asked. */
  readonly tags?: Readonly<Record<string, string>>;
}

/** The number of an ENI's route table: main for the primary, the numbering of amazon-ec2-net-utils for cards > 0. */
export function routeTableOf(card: number, deviceNumber: number): number {
  if (card > 0) return 10_000 + 100 * card + deviceNumber;
  return deviceNumber === 0 ? 254 : deviceNumber + 1;
}

/** The pool's view of an attached ENI. */
export function poolFacts(
  eni: AttachedEni,
  options: { readonly excluded: boolean; readonly routeTable?: number },
): PoolEniFacts {
  return {
    id: eni.id,
    deviceNumber: eni.deviceNumber,
    routeTable: options.routeTable ?? routeTableOf(eni.card, eni.deviceNumber),
    subnetId: eni.subnetId,
    primary: eni.primary,
    trunk: eni.interfaceType === "trunk",
    efa: eni.interfaceType === "efa",
    excluded: options.excluded,
    ...(eni.primaryAddress === undefined ? {} : { primaryAddress: eni.primaryAddress }),
  };
}
