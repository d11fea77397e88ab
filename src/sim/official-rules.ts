import type { Settings } from "../ipam/settings.ts";
import { addressesPerPrefix } from "../ipam/settings.ts";
import type { EniView, Pool } from "../ipam/types.ts";

/** An ENI is kept at least so long after it was added (`pkg/ipamd/datastore`). */
const minimumEniAgeMs = 60_000;

export interface OfficialFacts {
  readonly pool: Pool;
  readonly settings: Settings;
  readonly maxPods: number;
  readonly now: () => number;
}

/** What the official algorithm concludes from its data store, in which cooling addresses count as available. */
export class OfficialRules {
  readonly #pool: Pool;
  readonly #settings: Settings;
  readonly #maxPods: number;
  readonly #now: () => number;

  constructor({ pool, settings, maxPods, now }: OfficialFacts) {
    this.#pool = pool;
    this.#settings = settings;
    this.#maxPods = maxPods;
    this.#now = now;
  }

  get #isPrefix(): boolean {
    return this.#settings.mode === "prefix";
  }

  /** Addresses that one ENI can hold. */
  get #perEni(): number {
    return this.#settings.slotsPerEni * (this.#isPrefix ? addressesPerPrefix : 1);
  }

  get #byAddress(): boolean {
    const { warmIpTarget, minimumIpTarget } = this.#settings;
    return warmIpTarget !== 0 || minimumIpTarget !== 0;
  }

  /** Addresses that the address targets miss; cooling ones count as available. */
  #short(): number {
    const { warmIpTarget, minimumIpTarget } = this.#settings;
    const { total, free } = this.#pool.stats(this.#now());
    return Math.max(warmIpTarget - free, minimumIpTarget - total, 0);
  }

  /** Fewer than the targets want. */
  isTooLow(): boolean {
    const settings = this.#settings;
    const maxPods = this.#maxPods;
    const { total, free } = this.#pool.stats(this.#now());
    if (total >= maxPods) return false;
    if (this.#byAddress) return this.#short() > 0;
    const target = this.#isPrefix ? settings.warmPrefixTarget : settings.warmEniTarget;
    const unit = this.#isPrefix ? addressesPerPrefix : settings.slotsPerEni;
    return free < unit * target || (target === 0 && free === 0);
  }

  /** Addresses, or prefixes in prefix mode, to be given back. */
  surplus(): number {
    const { warmIpTarget: warm, minimumIpTarget: minimum, warmPrefixTarget } = this.#settings;
    const { total, assigned, free, prefixes, emptyPrefixes } = this.#pool.stats(this.#now());
    if (!this.#byAddress) return this.#isPrefix ? Math.max(emptyPrefixes - warmPrefixTarget, 0) : 0;
    if (!this.#isPrefix) return Math.max(Math.min(free - warm, total - minimum), 0);
    const beyondWarm = prefixes - Math.ceil((assigned + warm) / addressesPerPrefix);
    const beyondMinimum = prefixes - Math.ceil(minimum / addressesPerPrefix);
    return Math.max(Math.min(emptyPrefixes, beyondWarm, beyondMinimum), 0);
  }

  /** Whether an ENI may be superfluous. */
  mayHaveExtraEnis(): boolean {
    const { warmEniTarget, warmPrefixTarget } = this.#settings;
    if (this.#byAddress) return true;
    const target = this.#isPrefix ? warmPrefixTarget : warmEniTarget;
    if (this.#pool.stats(this.#now()).free >= (target + 1) * this.#perEni) return true;
    return this.#isPrefix && this.#pool.enis().some(({ primary, assigned }) => !primary && assigned === 0);
  }

  /** Addresses or prefixes that one increase asks for. */
  wantedSlots(): number {
    const settings = this.#settings;
    if (!this.#isPrefix) return this.#byAddress ? this.#short() : settings.slotsPerEni;
    if (this.#byAddress) return Math.max(1, Math.ceil(this.#short() / addressesPerPrefix));
    return Math.max(1, settings.warmPrefixTarget - this.#pool.stats(this.#now()).emptyPrefixes);
  }

  /** ENIs with free slots. */
  growable(): EniView[] {
    const settings = this.#settings;
    return this.#pool
      .enis()
      .filter((eni) => !eni.excluded && !eni.trunk && eni.cidrCount < settings.slotsPerEni);
  }

  /** Whether an ENI may go without making the node too low. */
  isDeletable(eni: EniView): boolean {
    const { warmIpTarget, minimumIpTarget, warmPrefixTarget } = this.#settings;
    if (eni.primary || this.#now() - eni.addedAt < minimumEniAgeMs) return false;
    if (eni.assigned > 0 || eni.cooling > 0) return false;
    const others = this.#pool
      .enis()
      .filter((other) => other.id !== eni.id && !other.excluded)
      .map(({ groups }) => (this.#isPrefix ? groups.prefix4 : groups.single));
    const whole = (count: number): number =>
      this.#isPrefix ? Math.ceil(count / addressesPerPrefix) * addressesPerPrefix : count;
    const sum = (of: (group: (typeof others)[number]) => number): number =>
      others.reduce((total, group) => total + of(group), 0);
    if (warmIpTarget !== 0 && sum(({ total, assigned }) => total - assigned) < whole(warmIpTarget))
      return false;
    if (minimumIpTarget !== 0 && sum(({ total }) => total) < whole(minimumIpTarget)) return false;
    return !this.#isPrefix || warmPrefixTarget === 0 || sum(({ empty }) => empty) >= warmPrefixTarget;
  }
}
