import type { Attachment, NetworkInterface } from "../model/network-interface.ts";

/** An interface as the metadata service sees it: attached, and with these attributes. */
export type SeenInterface = Pick<
  NetworkInterface,
  | "eniId"
  | "mac"
  | "ownerId"
  | "subnetId"
  | "vpcId"
  | "addresses"
  | "prefixes"
  | "ipv6Addresses"
  | "ipv6Prefixes"
  | "groups"
> & { readonly attachment: Pick<Attachment, "deviceIndex" | "networkCardIndex"> };

interface Version {
  /** When it became so in EC2, in milliseconds since the epoch. */
  readonly at: number;
  /** Absent while the interface is not attached. */
  readonly seen: SeenInterface | undefined;
}

/** How far back a lag may be set; older versions are forgotten. */
const keptMs = 600_000;

/**
 * The recent past of every instance's interfaces. The metadata service lags behind EC2: it answers with what was true
 * some time ago.
 */
export class InterfaceHistory {
  readonly #instances = new Map<string, Map<string, Version[]>>();
  /** The instance that an interface was last seen on. */
  readonly #holders = new Map<string, string>();

  /**
   * Notes how an interface is now; `undefined` that it is gone. `since` is the present, or minus infinity for what has
   * been so since before the metadata service began to answer.
   */
  record(eniId: string, eni: NetworkInterface | undefined, since: number, keepFrom: number): void {
    const seen = eni === undefined ? undefined : seenOf(eni);
    const instanceId = seen === undefined ? this.#holders.get(eniId) : eni?.attachment?.instanceId;
    if (instanceId === undefined) return;
    const before = this.#holders.get(eniId);
    if (before !== undefined && before !== instanceId)
      this.#push(before, eniId, { at: since, seen: undefined }, keepFrom);
    if (seen === undefined) this.#holders.delete(eniId);
    else this.#holders.set(eniId, instanceId);
    this.#push(instanceId, eniId, { at: since, seen }, keepFrom);
  }

  /** True while the interface is on an instance, as far as was noted. */
  knows(eniId: string): boolean {
    return this.#holders.has(eniId);
  }

  forgetInstance(instanceId: string): void {
    for (const eniId of this.#instances.get(instanceId)?.keys() ?? []) this.#holders.delete(eniId);
    this.#instances.delete(instanceId);
  }

  /** The interfaces that an instance had at a time, with the time from which each has been there, by card and device. */
  at(instanceId: string, time: number): { readonly seen: SeenInterface; readonly since: number }[] {
    const found = [];
    for (const versions of this.#instances.get(instanceId)?.values() ?? []) {
      const last = versions.findLastIndex((version) => version.at <= time);
      const seen = versions[last]?.seen;
      if (seen === undefined) continue;
      const absent = versions.slice(0, last).findLastIndex((version) => version.seen === undefined);
      found.push({ seen, since: versions[absent + 1]?.at ?? time });
    }
    return found.sort(
      (a, b) =>
        a.seen.attachment.networkCardIndex - b.seen.attachment.networkCardIndex ||
        a.seen.attachment.deviceIndex - b.seen.attachment.deviceIndex,
    );
  }

  #push(instanceId: string, eniId: string, version: Version, keepFrom: number): void {
    let interfaces = this.#instances.get(instanceId);
    if (interfaces === undefined) {
      interfaces = new Map();
      this.#instances.set(instanceId, interfaces);
    }
    const versions = interfaces.get(eniId) ?? [];
    versions.push(version);
    // The newest version that is old enough for every lag stands for all before it.
    const oldest = versions.findLastIndex((one) => one.at <= Math.min(keepFrom, version.at - keptMs));
    if (oldest > 0) versions.splice(0, oldest);
    if (versions.length === 1 && version.seen === undefined) interfaces.delete(eniId);
    else interfaces.set(eniId, versions);
  }
}

function seenOf(eni: NetworkInterface): SeenInterface | undefined {
  const { attachment } = eni;
  if (attachment?.instanceId === undefined || attachment.status !== "attached") return undefined;
  return {
    eniId: eni.eniId,
    mac: eni.mac,
    ownerId: eni.ownerId,
    subnetId: eni.subnetId,
    vpcId: eni.vpcId,
    addresses: [...eni.addresses],
    prefixes: [...eni.prefixes],
    ipv6Addresses: [...eni.ipv6Addresses],
    ipv6Prefixes: [...eni.ipv6Prefixes],
    groups: [...eni.groups],
    attachment: { deviceIndex: attachment.deviceIndex, networkCardIndex: attachment.networkCardIndex },
  };
}
