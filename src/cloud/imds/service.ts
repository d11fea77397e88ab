import { tryParseIpv4 } from "../../addr/ipv4.ts";
import { tryParseIpv6 } from "../../addr/ipv6.ts";
import type { CloudSettings } from "../config.ts";
import type { Instance } from "../model/instance.ts";
import type { CloudState, Context } from "../model/state.ts";
import { answerImds, refuse } from "./answer.ts";
import { InterfaceHistory } from "./history.ts";
import type { Metadata } from "./metadata.ts";
import { roleCredentials } from "./session.ts";

/** The instance metadata service of one VPC: who asks, and what is shown of how long ago. */
export class MetadataService {
  readonly #state: CloudState;
  readonly #vpcId: string;
  /** Seals the session tokens. */
  readonly #secret: string;
  readonly #history = new InterfaceHistory();
  /** The moment of which a frozen service tells. */
  #frozenAt: number | undefined;

  constructor(state: CloudState, vpcId: string, secret: string) {
    this.#state = state;
    this.#vpcId = vpcId;
    this.#secret = secret;
    for (const eni of state.enis.values()) {
      this.#history.record(eni.eniId, eni, Number.NEGATIVE_INFINITY, this.#keepFrom());
    }
  }

  /** Freezes or thaws, as the settings say. */
  follow({ imds }: CloudSettings, now: number): void {
    if (!imds.frozen) this.#frozenAt = undefined;
    else this.#frozenAt ??= now - imds.lagMs;
  }

  /** Notes a change of an interface. A machine starts with its interfaces in the metadata; later ones lag. */
  noteInterface(eniId: string, now: number): void {
    const eni = this.#state.enis.get(eniId);
    const first = eni?.attachment?.atLaunch === true && !this.#history.knows(eniId);
    this.#history.record(eniId, eni, first ? Number.NEGATIVE_INFINITY : now, this.#keepFrom());
  }

  forgetInstance(instanceId: string): void {
    this.#history.forgetInstance(instanceId);
  }

  /** Answers a request that comes from `sourceAddress`. */
  answer(
    ctx: Context,
    request: Request,
    sourceAddress: string,
    setTtl: ((ttl: number) => void) | undefined,
  ): Response {
    const instance = this.#instanceAt(sourceAddress);
    if (instance === undefined) return refuse(404, "Not Found");
    return answerImds(request, {
      instance,
      overIpv6: sourceAddress.includes(":"),
      secret: this.#secret,
      now: ctx.now,
      metadata: () => this.#metadata(ctx, instance),
      setTtl,
    });
  }

  /** The instance whose interface has the address, alone or in a prefix. */
  #instanceAt(sourceAddress: string): Instance | undefined {
    const owners = this.#state.owners.of(this.#vpcId);
    const ipv4 = tryParseIpv4(sourceAddress);
    const ipv6 = ipv4 === undefined ? tryParseIpv6(sourceAddress) : undefined;
    const eniId =
      ipv4 !== undefined ? owners.ofIpv4(ipv4) : ipv6 !== undefined ? owners.ofIpv6(ipv6) : undefined;
    const instanceId = this.#state.enis.get(eniId ?? "")?.attachment?.instanceId;
    return this.#state.instances.get(instanceId ?? "");
  }

  #metadata(ctx: Context, instance: Instance): Metadata {
    const { lagMs, leafLagMs } = ctx.settings.imds;
    const asOf = this.#frozenAt ?? ctx.now - lagMs;
    const interfaces = this.#history
      .at(instance.instanceId, asOf)
      .map(({ seen, since }) => ({ seen, ready: since + leafLagMs <= asOf }));
    const credentials = (): string => roleCredentials(ctx, instance, instance.role ?? "");
    return { ctx, instance, interfaces, credentials };
  }

  #keepFrom(): number {
    return this.#frozenAt ?? Number.POSITIVE_INFINITY;
  }
}
