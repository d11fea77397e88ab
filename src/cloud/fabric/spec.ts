import type { Cidr4, Cidr6 } from "../../addr/cidr.ts";
import type { Ipv4 } from "../../addr/ipv4.ts";
import type { Ipv6 } from "../../addr/ipv6.ts";
import type { Mac } from "../../addr/mac.ts";

/**
 * The wanted state of the packet plane of one VPC: a plain value that the VPC model computes and that
 * {@link Fabric.apply} makes so. It says everything; what is not in it is taken away.
 */
export interface FabricSpec {
  readonly vpcCidrs: readonly (Cidr4 | Cidr6)[];
  readonly subnets: readonly FabricSubnet[];
  readonly enis: readonly FabricEni[];
  readonly natGateways: readonly FabricNatGateway[];
  /** True when an internet gateway is attached. */
  readonly internetGateway: boolean;
  readonly egressOnlyInternetGateway: boolean;
}

export interface FabricSubnet {
  readonly subnetId: string;
  readonly cidr: Cidr4;
  readonly ipv6?: Cidr6;
  /** The routes of the subnet's route table but for the local ones. */
  readonly routes: readonly FabricRoute[];
}

export interface FabricRoute {
  readonly destination: Cidr4 | Cidr6;
  readonly target:
    | { readonly kind: "internet-gateway" }
    | { readonly kind: "egress-only-internet-gateway" }
    | { readonly kind: "nat-gateway"; readonly natGatewayId: string }
    | { readonly kind: "eni"; readonly eniId: string }
    | { readonly kind: "blackhole" };
}

export interface PublicAddress {
  readonly privateAddress: Ipv4;
  readonly publicAddress: Ipv4;
}

export interface FabricEni {
  readonly eniId: string;
  readonly subnetId: string;
  readonly mac: Mac;
  /** All private IPv4 addresses, the primary first. */
  readonly addresses: readonly Ipv4[];
  readonly prefixes: readonly Cidr4[];
  readonly ipv6Addresses: readonly Ipv6[];
  readonly ipv6Prefixes: readonly Cidr6[];
  /** What the internet gateway translates which of the addresses to, one to one. */
  readonly publicAddresses?: readonly PublicAddress[];
  readonly sourceDestCheck: boolean;
  /** Where the device is; absent while detached, and then the ENI has no device at all. */
  readonly place?: FabricPlace;
}

/** A network namespace that gets the ENI's device, and the device's name there. */
export interface FabricPlace {
  /** Key of a namespace registered with {@link Fabric.addPlace}: an instance id, "control-plane" … */
  readonly place: string;
  /** "eth0", "eth1" … */
  readonly device: string;
}

export interface FabricNatGateway {
  readonly natGatewayId: string;
  readonly eniId: string;
}

export interface PlaceOptions {
  /**
   * True gives the devices their addresses and routes too, for places where a service runs and no machine that
   * would do it. Without it a device appears as on EC2: down and without an address.
   */
  readonly configure?: boolean;
}

/** One VPC's packet plane, with its router, NAT gateways and "internet". */
export interface Fabric {
  /**
   * Registers the network namespace (a path such as /proc/PID/ns/net) in which ENIs of that place appear. An ENI
   * whose place is not registered, or whose namespace has ended, waits for the next {@link Fabric.apply}.
   */
  addPlace(place: string, netnsPath: string, options?: PlaceOptions): void;
  /** Forgets the place; its devices are gone with its namespace or are taken away. */
  removePlace(place: string): Promise<void>;
  /**
   * Makes the packet plane equal to `spec`; may be called again with the same value. Calls are carried out one
   * after the other; resolves when the kernel has it all.
   */
  apply(spec: FabricSpec): Promise<void>;
  /** Path of the router's own namespace, where 169.254.169.254 and the other link-local services listen. */
  readonly routerNetns: string;
  /** Path of the "internet" namespace. */
  readonly internetNetns: string;
  /** Ends every namespace and process of the fabric. May be called again. */
  destroy(): Promise<void>;
}
