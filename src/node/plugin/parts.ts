import { messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import { CniError, errorCode } from "../../cni/error.ts";
import type { HostNetns } from "../../hostnet/host.ts";
import type { CniBackend, DialPolicyAgent, PolicyAgent } from "./backend.ts";
import type { PodWiring } from "./wiring.ts";

/**
 * aws-cni: what the official CNI plugin does, over whatever carries the request (a relay and cni.sock, or the
 * offline program's own standard input) and whatever answers for ipamd.
 */
export interface HandlerParts {
  readonly backend: CniBackend;
  readonly wiring: PodWiring;
  readonly dialPolicyAgent: DialPolicyAgent;
  /** Sent as ClientVersion; ipamd turns other versions away. */
  readonly version: string;
  readonly log?: Log;
  /** The node's network namespace, for egress-cni; this program's own when absent. */
  readonly host?: HostNetns;
  /** Where the host's log folder is mounted; "/host" when absent, "" when it is where the plugins put it. */
  readonly hostRoot?: string;
}

/** Runs `step`; a failure becomes a CNI error 999 whose text is "prefix: its own text". */
export async function wrapping<T>(prefix: string, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw new CniError(errorCode.internal, `${prefix}: ${messageOf(error)}`);
  }
}

/** Works with a connected policy agent and closes the connection. */
export async function withPolicyAgent<T>(
  dial: DialPolicyAgent,
  work: (agent: PolicyAgent) => Promise<T>,
): Promise<T> {
  const agent = await dial();
  try {
    return await work(agent);
  } finally {
    agent.close();
  }
}
