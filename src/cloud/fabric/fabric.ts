/**
 * The packet plane of a VPC, made of network namespaces: a *router* with one veth pair per attached ENI, an
 * *internet gateway* that translates public addresses, one namespace per NAT gateway, and an *internet* with an
 * echo service. `wanted.ts` turns a {@link FabricSpec} into the wanted kernel state (pure), `diff.ts` compares,
 * `router.ts`, `edge.ts` and `nat-gateway.ts` make it so. The namespaces are held by processes of their own, so a
 * fabric outlives the lab process; a new one adopts it by its label and reads the state back from the kernel.
 */
import { type Cidr, parseCidr } from "../../addr/cidr.ts";
import { type Ipv4, parseIpv4 } from "../../addr/ipv4.ts";
import { type Ipv6, parseIpv6 } from "../../addr/ipv6.ts";
import { messageOf } from "../../base/error.ts";
import { type Log, noLog } from "../../base/log.ts";
import { Netns } from "../../linux/netns.ts";
import { listNftRuleset, runNft } from "../../linux/nft.ts";
import { diffRouter, isEmpty, samePort } from "./diff.ts";
import type { FabricDrops } from "./drops.ts";
import { type Echo, startEcho } from "./echo.ts";
import { Edge } from "./edge.ts";
import { portDevice } from "./names.ts";
import { endFabricNamespaces, FabricNamespaces, netnsNumber } from "./namespaces.ts";
import { setUpNatGateway } from "./nat-gateway.ts";
import { type KnownPlace, observeRouter } from "./observe.ts";
import { hasTable, readDrops, setElements } from "./read-drops.ts";
import { Router } from "./router.ts";
import { routerBase, routerTable, uncheckedScript, uncheckedSet } from "./ruleset.ts";
import { bringServiceInterfaceUp } from "./service-interface.ts";
import type { Fabric, FabricSpec, PlaceOptions } from "./spec.ts";
import {
  checkDistinct,
  gatewayOf,
  type NatState,
  natPlace,
  type RouterState,
  wantedEdge,
  wantedNats,
  wantedRouter,
} from "./wanted.ts";

export interface FabricOptions {
  /** Namespaces of two fabrics are told apart by it; one lab has one fabric. */
  readonly labName: string;
  readonly internet?: InternetOptions;
  readonly log?: Log;
}

/** What the world outside of the VPC looks like; defaults are the documentation ranges. */
export interface InternetOptions {
  /** Every address in here is a host of the internet: answers pings and runs the echo service. */
  readonly hosts?: readonly Cidr[];
  /** The range of public addresses that internet gateways translate to. */
  readonly publicCidrs?: readonly Cidr[];
  /** Where the UDP echo service answers; must lie in `hosts`. */
  readonly echo4?: Ipv4;
  readonly echo6?: Ipv6;
}

/** A {@link Fabric} with what views and explanations need. */
export interface LiveFabric extends Fabric {
  /** Addresses of the internet's echo service: TCP and UDP port 7 (lines), HTTP port 80. */
  readonly echo4: Ipv4;
  readonly echo6: Ipv6;
  /** Dropped packets by reason. */
  drops(): FabricDrops;
  /** Stops the echo service and closes descriptors; namespaces and their packets go on. */
  close(): Promise<void>;
}

const emptySpec: FabricSpec = {
  vpcCidrs: [],
  subnets: [],
  enis: [],
  natGateways: [],
  internetGateway: false,
  egressOnlyInternetGateway: false,
};

/**
 * Makes the packet plane of a lab, or adopts the one that an earlier process of the same lab left; that one is left
 * alone until the first {@link Fabric.apply}.
 */
export async function createFabric(options: FabricOptions): Promise<LiveFabric> {
  const namespaces = new FabricNamespaces(options.labName);
  const adopted = namespaces.names().length > 0;
  const [router, edge, internet] = await Promise.all([
    namespaces.get("router"),
    namespaces.get("internet-gateway"),
    namespaces.get("internet"),
  ]);
  const fabric = new NamespaceFabric(options, namespaces, {
    router: router.netnsPath,
    edge: edge.netnsPath,
    internet: internet.netnsPath,
  });
  try {
    await fabric.start();
    return fabric;
  } catch (error) {
    await fabric.close();
    if (!adopted) await endFabricNamespaces(options.labName);
    throw error;
  }
}

/** Ends every namespace and process of the lab's fabric, whoever made them; for `down` after a crash. */
export async function destroyFabric(labName: string): Promise<void> {
  await endFabricNamespaces(labName);
}

class NamespaceFabric implements LiveFabric {
  readonly routerNetns: string;
  readonly internetNetns: string;
  readonly echo4: Ipv4;
  readonly echo6: Ipv6;
  readonly #labName: string;
  readonly #log: Log;
  readonly #namespaces: FabricNamespaces;
  readonly #router: Router;
  readonly #edgeNetns: Netns;
  readonly #internet: Netns;
  readonly #edge: Edge;
  readonly #hosts: readonly Cidr[];
  readonly #places = new Map<string, KnownPlace>();
  readonly #nats = new Map<string, string>();
  /** What the kernel has; undefined when that has to be read first. */
  #found: RouterState | undefined;
  /** What was applied last; absent until then. */
  #spec: FabricSpec | undefined;
  #echo: Echo | undefined;
  #queue: Promise<void> = Promise.resolve();

  constructor(
    options: FabricOptions,
    namespaces: FabricNamespaces,
    paths: { readonly router: string; readonly edge: string; readonly internet: string },
  ) {
    const { hosts, publicCidrs, echo4, echo6 } = options.internet ?? {};
    this.#labName = options.labName;
    this.#log = options.log ?? noLog;
    this.#namespaces = namespaces;
    this.routerNetns = paths.router;
    this.internetNetns = paths.internet;
    this.echo4 = echo4 ?? parseIpv4("198.51.100.10");
    this.echo6 = echo6 ?? parseIpv6("2001:db8:ffff::10");
    this.#hosts = hosts ?? [parseCidr("198.51.100.0/24"), parseCidr("2001:db8:ffff::/48")];
    this.#router = new Router(Netns.open(paths.router));
    this.#edgeNetns = Netns.open(paths.edge);
    this.#internet = Netns.open(paths.internet);
    this.#edge = new Edge(this.#edgeNetns, this.#internet, {
      hosts: this.#hosts,
      publicCidrs: publicCidrs ?? [parseCidr("203.0.113.0/24")],
      servers: [this.echo4, this.echo6],
    });
  }

  async start(): Promise<void> {
    const router = this.#router;
    router.prepare();
    if (!hasTable(listNftRuleset(router.netns), routerTable)) runNft(routerBase, router.netns);
    this.#edge.prepare(router.netns, !hasTable(listNftRuleset(this.#edgeNetns), "igw"));
    this.#echo = await startEcho(this.#internet, this.echo4, this.echo6);
  }

  addPlace(place: string, netnsPath: string, options: PlaceOptions = {}): void {
    using netns = Netns.open(netnsPath);
    const { configure = false } = options;
    this.#places.set(place, { path: netnsPath, netns: netns.inode, configure });
  }

  async removePlace(place: string): Promise<void> {
    this.#places.delete(place);
    if (this.#spec !== undefined) await this.apply(this.#spec);
  }

  apply(spec: FabricSpec): Promise<void> {
    const turn = this.#queue.then(() => this.#apply(spec));
    this.#queue = turn.catch(() => {});
    return turn;
  }

  async #apply(spec: FabricSpec): Promise<void> {
    checkDistinct(spec.vpcCidrs, this.#hosts);
    const nats = wantedNats(spec);
    await this.#addNatPlaces(nats);
    const places = this.#livePlaces(spec);
    const wanted = wantedRouter(spec, new Map([...places].map(([place, { netns }]) => [place, netns])));
    try {
      const found = this.#found ?? this.#observe(places);
      const changes = diffRouter(found, wanted);
      if (!isEmpty(changes)) {
        if (changes.unchecked) runNft(uncheckedScript(changes.unchecked), this.#router.netns);
        await this.#router.carryOut(changes, wanted.ports, (place) => places.get(place)?.path ?? "");
      }
      this.#configure(spec, wanted, places);
      this.#found = wanted;
      this.#setUpNats(nats, new Set(changes.addPorts.map((port) => port.place)));
      this.#edge.apply(wantedEdge(spec));
    } catch (error) {
      this.#found = undefined;
      this.#edge.forget();
      this.#nats.clear();
      throw error;
    }
    this.#spec = spec;
    await this.#endUnwantedNats(nats);
  }

  #observe(places: ReadonlyMap<string, KnownPlace>): RouterState {
    this.#router.learnDevices();
    const unchecked = new Set(setElements(listNftRuleset(this.#router.netns), uncheckedSet));
    return observeRouter(this.#router.rtnetlink, places, unchecked);
  }

  /** The places whose namespace is still the one that was registered. */
  #livePlaces(spec: FabricSpec): Map<string, KnownPlace> {
    const live = new Map<string, KnownPlace>();
    for (const [place, known] of this.#places)
      if (netnsNumber(known.path) === known.netns) live.set(place, known);
    for (const eni of spec.enis) {
      if (eni.place === undefined || live.has(eni.place.place)) continue;
      const { place } = eni.place;
      this.#log("warn", "ENI waits for its place", { eni: eni.eniId, place });
    }
    return live;
  }

  async #addNatPlaces(nats: readonly NatState[]): Promise<void> {
    for (const { natGatewayId } of nats) {
      const place = natPlace(natGatewayId);
      const { netnsPath } = await this.#namespaces.get(place);
      this.addPlace(place, netnsPath);
    }
  }

  /** Addresses and routes of service ENIs that are new or have changed. */
  #configure(spec: FabricSpec, wanted: RouterState, places: ReadonlyMap<string, KnownPlace>): void {
    const subnets = new Map(spec.subnets.map((subnet) => [subnet.subnetId, subnet]));
    for (const eni of spec.enis) {
      const port = wanted.ports.get(portDevice(eni.eniId));
      const place = places.get(port?.place ?? "");
      const subnet = subnets.get(eni.subnetId);
      if (port === undefined || subnet === undefined || !place?.configure) continue;
      if (samePort(this.#found?.ports.get(port.device), port)) continue;
      using netns = Netns.open(place.path);
      bringServiceInterfaceUp(netns, port, gatewayOf(subnet.cidr));
    }
  }

  #setUpNats(nats: readonly NatState[], remade: ReadonlySet<string>): void {
    for (const nat of nats) {
      const place = natPlace(nat.natGatewayId);
      const key = JSON.stringify(nat);
      if (this.#nats.get(place) === key && !remade.has(place)) continue;
      const path = this.#places.get(place)?.path;
      if (path === undefined) continue;
      using netns = Netns.open(path);
      setUpNatGateway(netns, nat);
      this.#nats.set(place, key);
    }
  }

  async #endUnwantedNats(nats: readonly NatState[]): Promise<void> {
    const wanted = new Set(nats.map((nat) => natPlace(nat.natGatewayId)));
    for (const name of this.#namespaces.names()) {
      if (!name.startsWith(natPlace("")) || wanted.has(name)) continue;
      this.#places.delete(name);
      this.#nats.delete(name);
      await this.#namespaces.end(name);
    }
  }

  drops(): FabricDrops {
    return readDrops(
      this.#spec ?? emptySpec,
      listNftRuleset(this.#router.netns),
      listNftRuleset(this.#edgeNetns),
    );
  }

  async close(): Promise<void> {
    await this.#queue;
    const echo = this.#echo;
    this.#echo = undefined;
    await echo?.close();
    this.#router.close();
    for (const netns of [this.#router.netns, this.#edgeNetns, this.#internet]) netns.close();
  }

  async destroy(): Promise<void> {
    await this.close().catch((error) => this.#log("warn", "fabric not closed", { error: messageOf(error) }));
    await endFabricNamespaces(this.#labName);
  }
}
