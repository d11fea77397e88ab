import type { Mac } from "../../addr/mac.ts";
import { EniverseError } from "../../base/error.ts";
import type { Netns } from "../netns.ts";
import type * as v from "./values.ts";

/** One change, made by `…Request` of a subject file; carried out by {@link Rtnetlink.batch}. */
export interface RtRequest {
  /** What it does, for error messages: "add the route 10.0.0.0/16 …". */
  readonly attempted: string;
  readonly type: number;
  readonly flags: number;
  readonly body: Uint8Array;
  /** errno numbers that count as success. */
  readonly tolerated: readonly number[];
}

/** A rtnetlink socket in one network namespace. Everything is synchronous: a request takes microseconds. */
export class Rtnetlink implements Disposable {
  /** Opens a socket in `ns`, or in the thread's own namespace. */
  static open(_ns?: Netns): Rtnetlink {
    throw new EniverseError("unsupported", { attempted: "open a netlink socket" });
  }
  links(): v.Link[] {
    throw new EniverseError("unsupported", { attempted: "list links" });
  }
  /** Undefined when there is none. */
  linkByName(_name: string): v.Link | undefined {
    throw new EniverseError("unsupported", { attempted: "list links" });
  }
  linkByIndex(_index: number): v.Link | undefined {
    throw new EniverseError("unsupported", { attempted: "list links" });
  }
  linkByMac(_mac: Mac): v.Link | undefined {
    throw new EniverseError("unsupported", { attempted: "list links" });
  }
  addVeth(_spec: v.VethSpec): v.NewVeth {
    throw new EniverseError("unsupported", { attempted: "add a veth pair" });
  }
  /** The new link's index. */
  addMacvlan(_spec: v.MacvlanSpec): number {
    throw new EniverseError("unsupported", { attempted: "add a macvlan" });
  }
  setLink(_index: number, _changes: v.LinkChanges): void {}
  deleteLink(_index: number, _options?: v.Tolerance): void {}
  addresses(_filter?: v.AddressFilter): v.InterfaceAddress[] {
    return [];
  }
  addAddress(_spec: v.AddressSpec, _options?: v.Tolerance): void {}
  deleteAddress(_spec: v.AddressSpec, _options?: v.Tolerance): void {}
  routes(_filter?: v.RouteFilter): v.Route[] {
    return [];
  }
  addRoute(_spec: v.RouteSpec, _options?: v.Tolerance): void {}
  replaceRoute(_spec: v.RouteSpec): void {}
  deleteRoute(_match: v.RouteMatch, _options?: v.Tolerance): void {}
  rules(_family: v.Family): v.Rule[] {
    return [];
  }
  addRule(_spec: v.RuleSpec, _options?: v.Tolerance): void {}
  deleteRule(_spec: v.RuleSpec, _options?: v.Tolerance): void {}
  neighbours(_filter?: v.NeighbourFilter): v.Neighbour[] {
    return [];
  }
  replaceNeighbour(_spec: v.NeighbourSpec): void {}
  deleteNeighbour(_spec: v.NeighbourSpec, _options?: v.Tolerance): void {}
  /**
   * Sends all requests in one go; the kernel carries them out in order and goes on after a failure. Throws the
   * first failure after all were tried.
   */
  batch(_requests: readonly RtRequest[]): void {}
  /** As {@link batch}, with the outcome of each request instead of a throw. */
  tryBatch(_requests: readonly RtRequest[]): (EniverseError | undefined)[] {
    return [];
  }
  close(): void {}
  [Symbol.dispose](): void {}
}
