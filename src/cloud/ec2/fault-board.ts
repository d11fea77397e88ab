import type { Random } from "../../base/random.ts";
import { Ec2Fault } from "../model/fault.ts";

/** Pseudo-action of reads of instance metadata; only patterns that begin with "imds:" mean it. */
export const imdsAction = "imds:read";

/** A fault that is switched on for an action of EC2, EKS or STS ("*" for all), or for "imds:*". */
export interface InjectedFault {
  /** "CreateNetworkInterface"; `*` stands for any text. */
  readonly action: string;
  /** Share of the calls that are hit, 0…1. */
  readonly rate: number;
  /** The error to answer with; absent only delays. */
  readonly errorCode?: string;
  readonly errorMessage?: string;
  readonly httpStatus?: number;
  /** Added to the action's own delay. */
  readonly delayMs?: number;
  /** Ends by itself after so many hits. */
  readonly times?: number;
}

export interface ActiveFault extends InjectedFault {
  readonly id: number;
  readonly hits: number;
}

/** The faults that are switched on now. */
export class FaultBoard {
  #active: ActiveFault[] = [];
  #nextId = 1;

  list(): readonly ActiveFault[] {
    return this.#active;
  }

  /** Switches a fault on; returns its id. */
  add(fault: InjectedFault): number {
    const id = this.#nextId++;
    this.#active.push({ ...fault, id, hits: 0 });
    return id;
  }

  /** Switches one fault off, or all of them. */
  clear(id?: number): void {
    this.#active = id === undefined ? [] : this.#active.filter((fault) => fault.id !== id);
  }

  /** Decides about one call: how long to wait, and which error to answer with after that. */
  decide(action: string, random: Random): { readonly delayMs: number; readonly error: Ec2Fault | undefined } {
    let delayMs = 0;
    let error: Ec2Fault | undefined;
    for (const fault of this.#active) {
      if (!matches(fault.action, action) || random.next() >= fault.rate) continue;
      this.#count(fault);
      delayMs += fault.delayMs ?? 0;
      if (fault.errorCode !== undefined) error ??= errorOf(fault, fault.errorCode);
    }
    return { delayMs, error };
  }

  #count(hit: ActiveFault): void {
    const hits = hit.hits + 1;
    this.#active =
      hit.times !== undefined && hits >= hit.times
        ? this.#active.filter((fault) => fault.id !== hit.id)
        : this.#active.map((fault) => (fault.id === hit.id ? { ...fault, hits } : fault));
  }
}

function matches(pattern: string, action: string): boolean {
  if (pattern.startsWith("imds:") !== action.startsWith("imds:")) return false;
  if (!pattern.includes("*")) return pattern === action;
  const source = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  return new RegExp(`^${source}$`).test(action);
}

const statusOf: Readonly<Record<string, number>> = {
  RequestLimitExceeded: 503,
  Unavailable: 503,
  ServiceUnavailable: 503,
  InternalError: 500,
  InternalFailure: 500,
  UnauthorizedOperation: 403,
};

function errorOf(fault: InjectedFault, code: string): Ec2Fault {
  const message = fault.errorMessage ?? `Injected fault of ${fault.action}`;
  return new Ec2Fault(code, message, fault.httpStatus ?? statusOf[code] ?? 400);
}
