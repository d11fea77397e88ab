import type { Random } from "../../base/random.ts";
import type { CloudSettings } from "../config.ts";
import { Ec2Fault } from "../model/fault.ts";
import type { FaultBoard } from "./fault-board.ts";
import { bucketFor, type Throttle } from "./throttle.ts";

/** What a call meets before its action: the account's buckets, and the faults that are switched on. */
export interface AdmissionParts {
  readonly accountId: string;
  readonly settings: CloudSettings;
  readonly throttle: Throttle;
  readonly faults: FaultBoard;
  readonly random: Random;
}

export interface AdmissionCall {
  readonly service: "ec2" | "eks" | "sts";
  readonly action: string;
  /** False for a describe call that neither filters nor pages. */
  readonly narrowed: boolean;
}

/** What becomes of a call: so long it waits, and then it fails with `error` or goes on to its action. */
export interface Admission {
  readonly waitMs: number;
  readonly error: Ec2Fault | undefined;
  readonly throttled: boolean;
}

/** Takes a token for a call and asks the faults; `now` in milliseconds. Pure but for buckets, faults and random. */
export function admit(parts: AdmissionParts, call: AdmissionCall, now: number): Admission {
  const { settings, throttle, faults, random } = parts;
  const { service, action } = call;
  if (settings.throttling.enabled) {
    const { name, bucket } = bucketFor(action, call.narrowed, settings.throttling);
    if (!throttle.take(`${service}:${name}`, bucket, now)) {
      return { waitMs: 0, error: throttled(service, action, parts.accountId), throttled: true };
    }
  }
  const { delayMs, error } = faults.decide(action, random);
  return { waitMs: (settings.actionDelayMs[action] ?? 0) + delayMs, error, throttled: false };
}

function throttled(service: AdmissionCall["service"], action: string, accountId: string): Ec2Fault {
  if (service === "eks") return new Ec2Fault("ThrottlingException", "Rate exceeded", 429);
  return new Ec2Fault(
    "RequestLimitExceeded",
    `Request limit exceeded. Account ${accountId} has been throttled on ec2:${action} because it exceeded its request rate limit.`,
    503,
  );
}
