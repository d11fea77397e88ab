import { EniverseError } from "../../base/error.ts";
import { Netns } from "../../linux/netns.ts";
import * as address from "../../linux/rtnetlink/address.ts";
import { replaceNeighbourRequest } from "../../linux/rtnetlink/neighbour.ts";
import * as route from "../../linux/rtnetlink/route.ts";
import { Rtnetlink, type RtRequest } from "../../linux/rtnetlink/rtnetlink.ts";
import { addRuleRequest, deleteRuleRequest } from "../../linux/rtnetlink/rule.ts";
import type { RouteSpec } from "../../linux/rtnetlink/values.ts";
import type { PortBlock, RouterChanges } from "./diff.ts";
import { connectEnds, setFastLink, setKernel, startIpv4, startIpv6 } from "./link.ts";
import { type LinkEnd, linkLocalOf, links, routerLinkLocal, routerMac, vpcMtu } from "./names.ts";
import { portAlias } from "./observe.ts";
import {
  type IpAddress,
  type Port,
  primaryOf,
  type RouterState,
  routeKey,
  type WantedRoute,
} from "./wanted.ts";

/** The router namespace: makes it what {@link RouterState} says, change by change. */
export class Router {
  readonly netns: Netns;
  readonly rtnetlink: Rtnetlink;
  /** Indexes of the devices that routes lead through. */
  readonly #indexes = new Map<string, number>();

  constructor(netns: Netns) {
    this.netns = netns;
    this.rtnetlink = Rtnetlink.open(netns);
  }

  close(): void {
    this.rtnetlink.close();
  }

  /** What the namespace needs once: forwarding, the sink. May be called again. */
  prepare(): void {
    const { netns, rtnetlink } = this;
    // The source check is made in `ruleset.ts`, which counts per ENI.
    startIpv4(netns);
    // New devices take their settings from here: the router answers ARP for all that it can route to.
    setKernel(netns, { "net/ipv4/conf/default/proxy_arp": 1 });
    startIpv6(netns);
    rtnetlink.setLink(rtnetlink.indexOf("lo"), { up: true });
    const sink = connectEnds(netns, links.sink, netns, links.sinkEnd, vpcMtu);
    // No ARP answer for what would only end in the sink: Linux leaves out devices of medium -1 (ip-sysctl.rst).
    setKernel(netns, { [`net/ipv4/conf/${links.sink.device}/medium_id`]: -1 });
    this.#indexes.set(links.sink.device, sink);
  }

  /** Learns the devices' indexes from the kernel, after `prepare` and when something went wrong. */
  learnDevices(): void {
    this.#indexes.clear();
    for (const link of this.rtnetlink.links()) this.#indexes.set(link.name, link.index);
  }

  /**
   * Carries out the changes on the way to `ports`; `netnsPath` tells where the place of a new port is. Throws at
   * the first that fails.
   */
  async carryOut(
    changes: RouterChanges,
    ports: RouterState["ports"],
    netnsPath: (place: string) => string,
  ): Promise<void> {
    const { rtnetlink } = this;
    const doomed = changes.removePorts.map(({ device }) => this.#indexes.get(device));
    await Rtnetlink.deleteLinksInBackground(
      this.netns,
      doomed.filter((index) => index !== undefined),
    );
    for (const { device } of changes.removePorts) this.#indexes.delete(device);
    const own = (ip: IpAddress): Parameters<typeof address.addAddressRequest>[0] => ({
      interfaceIndex: this.#indexOf("lo"),
      address: ip,
      bits: typeof ip === "number" ? 32 : 128,
      ...(typeof ip === "number" ? {} : { noDad: true }),
    });
    rtnetlink.batch(
      changes.addAddresses.map((ip) => address.addAddressRequest(own(ip), { tolerate: "exists" })),
    );
    rtnetlink.batch(this.#addPorts(changes.addPorts, netnsPath));
    rtnetlink.batch([
      ...changes.addBlocks.map((entry) => route.replaceRouteRequest(this.#blockRoute(entry))),
      ...changes.removeBlocks.map((entry) =>
        // Only the route through this device: another ENI may have taken the address over.
        route.deleteRouteRequest(
          { destination: entry.block, interfaceIndex: this.#indexOf(entry.port.device) },
          { tolerate: "absent" },
        ),
      ),
      ...changes.addRoutes.map((entry) => route.replaceRouteRequest(this.#route(entry, ports))),
      ...changes.removeRoutes.map(({ destination, table }) =>
        route.deleteRouteRequest({ destination, table }, { tolerate: "absent" }),
      ),
      ...changes.addRules.map((rule) => addRuleRequest(rule, { tolerate: "exists" })),
      ...changes.removeRules.map((rule) => deleteRuleRequest(rule, { tolerate: "absent" })),
      ...changes.removeAddresses.map((ip) => address.deleteAddressRequest(own(ip), { tolerate: "absent" })),
    ]);
  }

  /** Makes the devices; returns the requests that give them their neighbours. */
  #addPorts(ports: readonly Port[], netnsPath: (place: string) => string): RtRequest[] {
    const requests: RtRequest[] = [];
    const places = new Map<string, Netns>();
    try {
      for (const port of ports) {
        const place = places.get(port.place) ?? Netns.open(netnsPath(port.place));
        places.set(port.place, place);
        requests.push(...this.#addPort(port, place));
      }
    } finally {
      for (const place of places.values()) place.close();
    }
    return requests;
  }

  #addPort(port: Port, place: Netns): RtRequest[] {
    const { device } = port;
    const { index, peerIndex } = this.rtnetlink.addVeth({
      name: device,
      mac: routerMac,
      mtu: vpcMtu,
      peer: { name: port.guestDevice, mac: port.mac, mtu: vpcMtu, netns: place },
    });
    this.#indexes.set(device, index);
    setKernel(this.netns, {
      // Answers ARP at once; per device, since new namespaces have no default for it.
      [`net/ipv4/neigh/${device}/proxy_delay`]: 0,
      // Any number of its own: Linux answers ARP only for what is behind another medium.
      [`net/ipv4/conf/${device}/medium_id`]: index,
    });
    using guest = Rtnetlink.open(place);
    setFastLink(guest, peerIndex, {});
    setFastLink(this.rtnetlink, index, { alias: portAlias(port), up: true });
    const { mac } = port;
    return [
      replaceNeighbourRequest({ interfaceIndex: index, address: gatewayHop(port, 4), mac }),
      replaceNeighbourRequest({ interfaceIndex: index, address: gatewayHop(port, 6), mac }),
      address.addAddressRequest(
        { interfaceIndex: index, address: routerLinkLocal, bits: 128, noDad: true },
        { tolerate: "exists" },
      ),
    ];
  }

  /** The ENI's primary address is its own next hop; everything else of the ENI goes by way of it. */
  #blockRoute({ port, block }: PortBlock): RouteSpec {
    const gateway = gatewayHop(port, block.family);
    const interfaceIndex = this.#indexOf(port.device);
    return block.base === gateway
      ? { destination: block, interfaceIndex }
      : { destination: block, interfaceIndex, gateway, onlink: true };
  }

  #route({ destination, table, hop }: WantedRoute, ports: RouterState["ports"]): RouteSpec {
    const through = (device: string, gateway: IpAddress): RouteSpec => ({
      destination,
      table,
      interfaceIndex: this.#indexOf(device),
      gateway,
      onlink: true,
    });
    const { family } = destination;
    const toEnd = (device: string, next: LinkEnd): RouteSpec =>
      through(device, family === 4 ? next.ip4 : next.ip6);
    switch (hop.kind) {
      case "port": {
        const port = ports.get(hop.device);
        if (port === undefined) {
          throw new EniverseError("internal", {
            attempted: `route ${routeKey({ table, destination })}`,
            found: `no port ${hop.device}`,
          });
        }
        return through(hop.device, gatewayHop(port, family));
      }
      case "internet":
        return toEnd(links.routerToEdge.device, links.edgeToRouter);
      case "sink":
        return toEnd(links.sink.device, links.sinkEnd);
    }
  }

  #indexOf(device: string): number {
    const known = this.#indexes.get(device);
    if (known !== undefined) return known;
    const index = this.rtnetlink.indexOf(device);
    this.#indexes.set(device, index);
    return index;
  }
}

/** The next hop on the way to everything of an ENI; its neighbour entry has the ENI's MAC. */
function gatewayHop(port: Port, family: 4 | 6): IpAddress {
  return family === 4 ? primaryOf(port) : linkLocalOf(port.mac);
}
