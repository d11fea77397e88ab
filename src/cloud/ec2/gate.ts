import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { CloudConfig, CloudSettings } from "../config.ts";
import { Ec2Fault } from "../model/fault.ts";
import type { CloudState } from "../model/state.ts";
import { admit } from "./admission.ts";
import type { CallLog } from "./call-log.ts";
import type { FaultBoard } from "./fault-board.ts";
import type { ClientTokens } from "./idempotency.ts";
import { type Identity, identify, isAllowed, type ServiceName } from "./identity.ts";
import type { Throttle } from "./throttle.ts";

/** What stands between a request and its action, the same for all services of the cloud. */
export interface Gate {
  readonly config: CloudConfig;
  readonly state: CloudState;
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: FaultBoard;
  readonly throttle: Throttle;
  readonly tokens: ClientTokens;
  readonly calls: CallLog;
  settings(): CloudSettings;
}

export interface GateCall {
  readonly request: Request;
  readonly service: ServiceName;
  readonly action: string;
  /** False for a describe call that neither filters nor pages. */
  readonly narrowed: boolean;
}

/**
 * Lets a call pass: knows the caller, checks the role, takes a token, waits as long as the action is set to take and
 * throws what is injected. Throws `Ec2Fault`.
 */
export async function passGate(gate: Gate, call: GateCall): Promise<Identity> {
  const { config, state, clock, random } = gate;
  const { service, action } = call;
  const identity = identify(call.request, service, config, state, clock.now());
  // Anyone may ask who they are.
  if (service !== "sts" && !isAllowed(identity.role, `${service}:${action}`)) {
    throw notAuthorized(service, action, identity, random);
  }
  const admission = admit(
    { ...gate, accountId: config.accountId, settings: gate.settings() },
    call,
    clock.now(),
  );
  if (admission.waitMs > 0) await clock.sleep(admission.waitMs);
  if (admission.error !== undefined) throw admission.error;
  return identity;
}

/** Runs a request's work; a fault becomes its service's error answer, and either way the call is counted. */
export async function served(
  gate: Gate,
  call: { readonly service: ServiceName; readonly action: string },
  work: () => Promise<Response>,
  refuse: (fault: Ec2Fault) => Response,
): Promise<Response> {
  const start = gate.clock.now();
  let code = "InternalError";
  try {
    const answer = await work();
    code = "Success";
    return answer;
  } catch (fault) {
    if (!(fault instanceof Ec2Fault)) throw fault;
    code = fault.code;
    return refuse(fault);
  } finally {
    const at = gate.clock.now();
    gate.calls.note({ at, service: call.service, action: call.action, code, latencyMs: at - start });
  }
}

/** The refusal of a call that the role does not allow. */
export function notAuthorized(
  service: ServiceName,
  action: string,
  identity: Identity,
  random: Random,
): Ec2Fault {
  const why = `User: ${identity.arn} is not authorized to perform: ${service}:${action} because no identity-based policy allows the ${service}:${action} action`;
  if (service === "eks") return new Ec2Fault("AccessDeniedException", why, 403);
  return new Ec2Fault(
    "UnauthorizedOperation",
    `You are not authorized to perform this operation. ${why}. Encoded authorization failure message: ${random.hex(64)}`,
    403,
  );
}
