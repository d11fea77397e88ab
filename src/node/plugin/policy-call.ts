import { messageOf } from "../../base/error.ts";
import type { AddNetworkReply, EnforceNpRequest } from "../rpc/messages.ts";
import type { PolicyAgent } from "./backend.ts";
import type { PodArgs } from "./netconf.ts";
import type { HandlerParts } from "./parts.ts";

/** What ADD asks of the network policy agent, while it does other things. */
export class PolicyCall {
  readonly #request: EnforceNpRequest;
  /** An agent that was not reached is a failure of the call, not of what goes on beside it. */
  readonly #agent: PolicyAgent | Error;
  #begun: Promise<boolean> | undefined;

  private constructor(request: EnforceNpRequest, agent: PolicyAgent | Error) {
    this.#request = request;
    this.#agent = agent;
  }

  /** Connects, so that {@link begin} sends at once. Never rejects. */
  static async dial(
    pod: PodArgs,
    reply: AddNetworkReply,
    { dialPolicyAgent }: HandlerParts,
  ): Promise<PolicyCall> {
    const request = {
      K8S_POD_NAME: pod.name,
      K8S_POD_NAMESPACE: pod.namespace,
      NETWORK_POLICY_MODE: reply.NetworkPolicyMode,
      InterfaceCount: reply.IPAllocationMetadata.length,
    };
    const agent = await dialPolicyAgent().catch((error: unknown) => new Error(messageOf(error)));
    return new PolicyCall(request, agent);
  }

  /**
   * Asks the agent to enforce the pod's policies; the pod's devices must be there. Resolves when the question is on
   * its way: the runtime sends what was written when its thread comes back to the event loop.
   */
  begin(): Promise<void> {
    this.#ask();
    return new Promise((resolve) => setImmediate(resolve));
  }

  #ask(): Promise<boolean> {
    this.#begun ??= this.#enforce();
    // Its failure shows in `outcome`, if anybody still asks then.
    this.#begun.catch(() => {});
    return this.#begun;
  }

  async #enforce(): Promise<boolean> {
    if (this.#agent instanceof Error) throw this.#agent;
    return (await this.#agent.enforceNpToPod(this.#request)).Success;
  }

  /** True when the agent enforces the pod's policies; rejects when it failed or was not reached. Ends the call. */
  async outcome(): Promise<boolean> {
    try {
      return await this.#ask();
    } finally {
      this.#hangUp();
    }
  }

  /** The pod does not come: an agent that was asked has to forget it. Never rejects. Ends the call. */
  async takeBack(): Promise<void> {
    const { K8S_POD_NAME, K8S_POD_NAMESPACE } = this.#request;
    if (this.#begun !== undefined && !(this.#agent instanceof Error)) {
      await this.#begun.catch(() => {});
      await this.#agent.deletePodNp({ K8S_POD_NAME, K8S_POD_NAMESPACE }).catch(() => {});
    }
    this.#hangUp();
  }

  #hangUp(): void {
    if (!(this.#agent instanceof Error)) this.#agent.close();
  }
}
