import type { Cidr } from "../../addr/cidr.ts";
import { formatCidr } from "../../addr/cidr.ts";
import type { Netns } from "../../linux/netns.ts";
import { runNft } from "../../linux/nft.ts";
import { Rtnetlink } from "../../linux/rtnetlink/rtnetlink.ts";
import type { AddressSpec, IpAddress, RouteSpec } from "../../linux/rtnetlink/values.ts";
import { connectEnds, startIpv4, startIpv6 } from "./link.ts";
import { type LinkEnd, links, vpcMtu } from "./names.ts";
import { edgeBase, edgeScript } from "./ruleset.ts";
import type { EdgeState } from "./wanted.ts";

/** Frames between the internet gateway and the internet, as on the real one. */
const internetMtu = 1500;

/** What lies outside of the VPC. */
export interface Internet {
  /** Every address in these is a host. */
  readonly hosts: readonly Cidr[];
  /** Public addresses of VPCs: led to the internet gateway. */
  readonly publicCidrs: readonly Cidr[];
  /** Where servers can listen, besides the wildcard address. */
  readonly servers: readonly IpAddress[];
}

/**
 * The internet gateway, between the router and the internet: 1:1 translation of IPv4, and for IPv6 a gate that
 * lets in only what was asked for from inside, unless the subnet has a route to the gateway. It tracks
 * connections, so that ICMP errors are translated too; being a namespace of its own, it keeps that away from
 * traffic inside the VPC.
 */
export class Edge {
  readonly #edge: Netns;
  readonly #internet: Netns;
  readonly #outside: Internet;
  #applied = "";

  constructor(edge: Netns, internet: Netns, outside: Internet) {
    this.#edge = edge;
    this.#internet = internet;
    this.#outside = outside;
  }

  /** What the namespaces need once; may be called again. `fresh`: its rules were never loaded. */
  prepare(router: Netns, fresh: boolean): void {
    for (const netns of [this.#edge, this.#internet]) {
      startIpv4(netns);
      startIpv6(netns);
      using rtnetlink = Rtnetlink.open(netns);
      rtnetlink.setLink(rtnetlink.indexOf("lo"), { up: true });
    }
    connectEnds(router, links.routerToEdge, this.#edge, links.edgeToRouter, vpcMtu);
    connectEnds(this.#edge, links.edgeToInternet, this.#internet, links.internetToEdge, internetMtu);
    if (fresh) runNft(edgeBase, this.#edge);

    const { hosts, publicCidrs, servers } = this.#outside;
    using edge = Rtnetlink.open(this.#edge);
    for (const destination of hosts)
      edge.replaceRoute(towards(edge, destination, links.edgeToInternet, links.internetToEdge));
    // A public address that nobody has: without this it would go to and fro until its time to live is over.
    for (const destination of publicCidrs) edge.replaceRoute({ destination, type: "blackhole" });

    using internet = Rtnetlink.open(this.#internet);
    const lo = internet.indexOf("lo");
    for (const destination of hosts)
      internet.replaceRoute({ destination, type: "local", interfaceIndex: lo, table: 255 });
    for (const address of servers) internet.replaceAddress({ interfaceIndex: lo, ...hostPart(address) });
    for (const destination of publicCidrs)
      internet.replaceRoute(towards(internet, destination, links.internetToEdge, links.edgeToInternet));
  }

  /** Forgets what was applied, so that the next call does it all again. */
  forget(): void {
    this.#applied = "";
  }

  apply(state: EdgeState): void {
    const script = edgeScript(state);
    const wanted = [script, ...state.vpcCidrs.map(formatCidr)].join(" ");
    if (wanted === this.#applied) return;
    runNft(script, this.#edge);
    using edge = Rtnetlink.open(this.#edge);
    replaceRoutes(edge, links.edgeToRouter, links.routerToEdge, state.vpcCidrs);
    using internet = Rtnetlink.open(this.#internet);
    const { publicCidrs } = this.#outside;
    // IPv6 has no translation: the internet knows the VPC's own blocks.
    const ipv6 = state.vpcCidrs.filter((cidr) => cidr.family === 6);
    replaceRoutes(internet, links.internetToEdge, links.edgeToInternet, [...publicCidrs, ...ipv6]);
    this.#applied = wanted;
  }
}

function hostPart(address: IpAddress): Pick<AddressSpec, "address" | "bits" | "noDad"> {
  return typeof address === "number" ? { address, bits: 32 } : { address, bits: 128, noDad: true };
}

function towards(rtnetlink: Rtnetlink, destination: Cidr, near: LinkEnd, far: LinkEnd): RouteSpec {
  return {
    destination,
    interfaceIndex: rtnetlink.indexOf(near.device),
    gateway: destination.family === 4 ? far.ip4 : far.ip6,
    onlink: true,
  };
}

/** Makes the routes through one device exactly those to `destinations`. */
function replaceRoutes(
  rtnetlink: Rtnetlink,
  near: LinkEnd,
  far: LinkEnd,
  destinations: readonly Cidr[],
): void {
  const wanted = new Set(destinations.map(formatCidr));
  const interfaceIndex = rtnetlink.indexOf(near.device);
  for (const destination of destinations) rtnetlink.replaceRoute(towards(rtnetlink, destination, near, far));
  for (const route of rtnetlink.routes({ interfaceIndex, table: 254 })) {
    const { destination, protocol } = route;
    if (protocol !== 2 && route.gateway !== undefined && !wanted.has(formatCidr(destination)))
      rtnetlink.deleteRoute({ destination, interfaceIndex }, { tolerate: "absent" });
  }
}
