import type { CardView } from "./card-view.ts";
import { type Counts, type Shortage, shortage } from "./targets.ts";
import type { NodeState, Reason } from "./types.ts";

/** What a card still lacks while its places are filled one after the other. */
export class Need {
  readonly #view: CardView;
  readonly #maxPods: number | undefined;
  readonly #notes: Reason[];
  #planned = 0;
  /** Why more is wanted; undefined: enough is planned. */
  missing: Shortage | undefined;

  /** Notes in `notes` when the node's limit for pods ends it. */
  constructor(view: CardView, node: NodeState, notes: Reason[]) {
    this.#view = view;
    this.#maxPods = node.maxPods;
    this.#notes = notes;
    this.missing = this.#next();
  }

  /** With what is planned. */
  get counts(): Counts {
    return this.#view.counts(this.#planned);
  }

  /** Slots for pods that wait and that nothing is planned for; below zero when there are more than they need. */
  get urgentSlots(): number {
    return this.#inSlots(this.counts.urgent);
  }

  /** Plans what is missing, up to the slots of one place; what is planned may itself bring to light what is missing. */
  fill(slots: number): number {
    let count = 0;
    while (this.missing !== undefined && count < slots) {
      const more = Math.min(this.missing.slots, slots - count);
      count += more;
      this.#planned += more;
      this.missing = this.#next();
    }
    return count;
  }

  #next(): Shortage | undefined {
    const { counts } = this;
    const wanted = shortage(counts, this.#view.targets, this.#view.settings);
    const maxPods = this.#maxPods;
    if (wanted === undefined || maxPods === undefined) return wanted;
    if (counts.total < maxPods) return { ...wanted, slots: this.#slotsAllowed(wanted, counts, maxPods) };
    this.#notes.push(this.#view.reason("max-pods", [], { maxPods, total: counts.total }));
    return undefined;
  }

  /** Targets do not call for more addresses than the node may have pods; ENIs that are counted whole are filled. */
  #slotsAllowed({ slots }: Shortage, counts: Counts, maxPods: number): number {
    const { targets, settings } = this.#view;
    if (!targets.byAddress && settings.mode === "secondary-ip") return slots;
    return Math.min(slots, Math.max(this.#inSlots(maxPods - counts.total), this.#inSlots(counts.urgent)));
  }

  #inSlots(addresses: number): number {
    return Math.ceil(addresses / this.#view.addressesPerSlot);
  }
}
