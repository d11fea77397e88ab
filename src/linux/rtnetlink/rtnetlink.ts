import type { Mac } from "../../addr/mac.ts";
import { EniverseError, hasCode } from "../../base/error.ts";
import { NetlinkConversation, type NetlinkRequest } from "../netlink/conversation.ts";
import { type NetlinkTransport, netlinkProtocol, openNetlinkSocket } from "../netlink/socket.ts";
import type { Netns } from "../netns.ts";
import * as address from "./address.ts";
import * as link from "./link.ts";
import * as neighbour from "./neighbour.ts";
import * as route from "./route.ts";
import * as rule from "./rule.ts";
import type * as v from "./values.ts";

/** No device is in this group but just before its end. */
const doomedGroup = 0x0dead;

/** One change, made by the `…Request` functions of the subject files; carried out by {@link Rtnetlink.batch}. */
export type RtRequest = NetlinkRequest;

/**
 * Links, addresses, routes, rules and neighbours of one network namespace, over one rtnetlink socket. Everything
 * is synchronous: a request takes some microseconds. Errors carry the errno and the kernel's own text. Of an
 * error's facts, `errno` is the name ("EEXIST") and `kernelText` what the kernel said.
 */
export class Rtnetlink implements Disposable {
  readonly #conversation: NetlinkConversation;

  private constructor(transport: NetlinkTransport) {
    this.#conversation = new NetlinkConversation(transport);
  }

  /** Opens a socket in `ns`, or in the thread's own namespace. `ns` may be closed afterwards. */
  static open(ns?: Netns): Rtnetlink {
    return new Rtnetlink(openNetlinkSocket(netlinkProtocol.route, ns));
  }

  links(): v.Link[] {
    return this.#conversation.dump(link.listLinksRequest()).map((entry) => link.decodeLink(entry.body));
  }

  /** Undefined when there is none. */
  linkByName(name: string): v.Link | undefined {
    return this.#link(name);
  }

  /** Undefined when there is none. */
  linkByIndex(index: number): v.Link | undefined {
    return this.#link(index);
  }

  /** The first link with this MAC; undefined when there is none. */
  linkByMac(mac: Mac): v.Link | undefined {
    return this.links().find((candidate) => candidate.mac === mac);
  }

  /** The index of a device that must be there; throws `not_found`. */
  indexOf(name: string): number {
    const found = this.linkByName(name);
    if (found === undefined)
      throw new EniverseError("not_found", { attempted: `find the network device ${name}` });
    return found.index;
  }

  /** Makes a veth pair; when `peer.up` is asked for, that is a second request in the peer's namespace. */
  addVeth(spec: v.VethSpec): v.NewVeth {
    const made = this.#addLink(link.addVethRequest(spec), spec.name);
    const peerIndex = made.peerIndex ?? 0;
    if (spec.peer.up) {
      if (spec.peer.netns === undefined) this.setLink(peerIndex, { up: true });
      else {
        using there = Rtnetlink.open(spec.peer.netns);
        there.setLink(peerIndex, { up: true });
      }
    }
    return { index: made.index, peerIndex };
  }

  /** Returns the new link's index. */
  addMacvlan(spec: v.MacvlanSpec): number {
    return this.#addLink(link.addMacvlanRequest(spec), spec.name).index;
  }

  setLink(index: number, changes: v.LinkChanges): void {
    this.#conversation.request(link.setLinkRequest(index, changes));
  }

  /** Deletes a link and, of a veth pair, its other end. */
  deleteLink(index: number, options?: v.Tolerance): void {
    this.#conversation.request(link.deleteLinkRequest(index, options));
  }

  /**
   * Deletes a link of `ns`, by index or name, on another thread. The kernel waits for all processors to let go
   * of a device (tens of milliseconds for a veth pair), and {@link deleteLink} would stop the JavaScript thread
   * for that long. `ns` may be closed as soon as this has returned its promise.
   */
  static async deleteLinkInBackground(
    ns: Netns,
    which: number | string,
    options?: v.Tolerance,
  ): Promise<void> {
    const conversation = new NetlinkConversation(openNetlinkSocket(netlinkProtocol.route, ns));
    try {
      await conversation.requestInBackground(
        typeof which === "number"
          ? link.deleteLinkRequest(which, options)
          : link.deleteLinkByNameRequest(which, options),
      );
    } finally {
      conversation.close();
    }
  }

  /**
   * Deletes many links of `ns` in the time of one, on another thread; those that are gone are no failure. As
   * {@link deleteLinkInBackground}.
   */
  static async deleteLinksInBackground(ns: Netns, indexes: readonly number[]): Promise<void> {
    if (indexes.length === 0) return;
    const conversation = new NetlinkConversation(openNetlinkSocket(netlinkProtocol.route, ns));
    try {
      const outcomes = conversation.batch(
        indexes.map((index) => link.setLinkRequest(index, { group: doomedGroup })),
      );
      for (const { error } of outcomes) if (error !== undefined && !hasCode(error, "not_found")) throw error;
      await conversation.requestInBackground(
        link.deleteLinkGroupRequest(doomedGroup, { tolerate: "absent" }),
      );
    } finally {
      conversation.close();
    }
  }

  addresses(filter?: v.AddressFilter): v.InterfaceAddress[] {
    return this.#list(address.listAddressesRequest(filter), address.decodeAddress);
  }

  addAddress(spec: v.AddressSpec, options?: v.Tolerance): void {
    this.#conversation.request(address.addAddressRequest(spec, options));
  }

  replaceAddress(spec: v.AddressSpec): void {
    this.#conversation.request(address.replaceAddressRequest(spec));
  }

  deleteAddress(spec: v.AddressSpec, options?: v.Tolerance): void {
    this.#conversation.request(address.deleteAddressRequest(spec, options));
  }

  /** Routes of all tables, or of those that the filter says. */
  routes(filter?: v.RouteFilter): v.Route[] {
    return this.#list(route.listRoutesRequest(filter), route.decodeRoute);
  }

  addRoute(spec: v.RouteSpec, options?: v.Tolerance): void {
    this.#conversation.request(route.addRouteRequest(spec, options));
  }

  /** Replaces the route with the same destination, table and metric, or adds one. */
  replaceRoute(spec: v.RouteSpec): void {
    this.#conversation.request(route.replaceRouteRequest(spec));
  }

  deleteRoute(match: v.RouteMatch, options?: v.Tolerance): void {
    this.#conversation.request(route.deleteRouteRequest(match, options));
  }

  rules(family: v.Family): v.Rule[] {
    return this.#list(rule.listRulesRequest(family), rule.decodeRule);
  }

  addRule(spec: v.RuleSpec, options?: v.Tolerance): void {
    this.#conversation.request(rule.addRuleRequest(spec, options));
  }

  /** Deletes the first rule with all the fields of `spec`. */
  deleteRule(spec: v.RuleSpec, options?: v.Tolerance): void {
    this.#conversation.request(rule.deleteRuleRequest(spec, options));
  }

  neighbours(filter?: v.NeighbourFilter): v.Neighbour[] {
    return this.#list(neighbour.listNeighboursRequest(filter), neighbour.decodeNeighbour);
  }

  replaceNeighbour(spec: v.NeighbourSpec): void {
    this.#conversation.request(neighbour.replaceNeighbourRequest(spec));
  }

  deleteNeighbour(
    spec: Pick<v.NeighbourSpec, "interfaceIndex" | "address" | "proxy">,
    options?: v.Tolerance,
  ): void {
    this.#conversation.request(neighbour.deleteNeighbourRequest(spec, options));
  }

  /**
   * Sends all requests in one go; the kernel carries them out in order and goes on after a failure. Throws the
   * first failure after all were tried.
   */
  batch(requests: readonly RtRequest[]): void {
    for (const error of this.tryBatch(requests)) if (error !== undefined) throw error;
  }

  /** As {@link batch}, with the outcome of each request instead of a throw. */
  tryBatch(requests: readonly RtRequest[]): (EniverseError | undefined)[] {
    return this.#conversation.batch(requests).map((outcome) => outcome.error);
  }

  /** May be called again. */
  close(): void {
    this.#conversation.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #link(which: number | string): v.Link | undefined {
    try {
      const [answer] = this.#conversation.request(link.getLinkRequest(which));
      return answer === undefined ? undefined : link.decodeLink(answer.body);
    } catch (error) {
      if (hasCode(error, "not_found")) return undefined;
      throw error;
    }
  }

  /** Kernels before 6.2 echo nothing; the name is the way to the new link then. */
  #addLink(request: RtRequest, name: string): v.Link {
    const [echo] = this.#conversation.request(request);
    const made = echo === undefined ? this.linkByName(name) : link.decodeLink(echo.body);
    if (made === undefined)
      throw new EniverseError("internal", { attempted: request.attempted, found: "it is gone again" });
    return made;
  }

  #list<T>(request: RtRequest, decode: (body: Uint8Array) => T | undefined): T[] {
    const entries: T[] = [];
    for (const message of this.#conversation.dump(request)) {
      const entry = decode(message.body);
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }
}
