import { addressesPerPrefix, type CardTargets, cardTargets, type Settings } from "./settings.ts";
import { type Ask, askOf, roomExpiresAt, type SubnetRoom } from "./subnet-room.ts";
import type { Counts } from "./targets.ts";
import {
  type Action,
  type CardState,
  type EniView,
  type NodeState,
  type PoolStats,
  type Reason,
  type RuleName,
  retryKey,
} from "./types.ts";

/** One card of a node with what is under way on it taken into account; made anew for each decision. */
export class CardView {
  readonly card: number;
  readonly state: CardState;
  readonly settings: Settings;
  readonly targets: CardTargets;
  readonly stats: PoolStats;
  /** Pods that wait for an address of this card. */
  readonly waiting: number;
  readonly enis: readonly EniView[];
  /** Slots (addresses or prefixes) that are on order. */
  readonly slotsOnOrder: number;
  readonly #now: number;
  readonly #node: NodeState;
  readonly #inFlight: readonly Action[];

  constructor(node: NodeState, state: CardState, settings: Settings, waiting: number, now: number) {
    this.card = state.pool.card;
    this.state = state;
    this.settings = settings;
    this.targets = cardTargets(settings, state.pool.card);
    this.stats = state.pool.stats(now);
    this.waiting = waiting;
    this.enis = state.pool.enis();
    this.#now = now;
    this.#node = node;
    this.#inFlight = node.inFlight
      .map(({ action }) => action)
      .filter((action) => action.card === state.pool.card);
    this.slotsOnOrder = this.#inFlight.reduce(
      (slots, action) =>
        slots + (action.kind === "assign" || action.kind === "create-eni" ? action.count : 0),
      0,
    );
  }

  get addressesPerSlot(): number {
    return this.settings.mode === "prefix" ? addressesPerPrefix : 1;
  }

  isUnderWay(kind: Action["kind"]): boolean {
    return this.#inFlight.some((action) => action.kind === kind);
  }

  isBeingAssigned(eniId: string): boolean {
    return this.#inFlight.some((action) => action.kind === "assign" && action.eniId === eniId);
  }

  /** When an action of this kind may be tried again after a failure; undefined: now. */
  retryBlockedUntil(action: Action): number | undefined {
    const until = this.#node.retryAt.get(retryKey(action));
    return until !== undefined && until > this.#now ? until : undefined;
  }

  /** The counts when `slots` more are planned. */
  counts(slots: number): Counts {
    const { stats, waiting, addressesPerSlot } = this;
    const more = (this.slotsOnOrder + slots) * addressesPerSlot;
    const isPrefix = this.settings.mode === "prefix";
    const prefixes = stats.prefixes + (isPrefix ? this.slotsOnOrder + slots : 0);
    const empty = stats.emptyPrefixes + (isPrefix ? this.slotsOnOrder + slots : 0);
    // Waiting pods first fill the prefixes that have pods already.
    const inUsedPrefixes = stats.free + more - empty * addressesPerPrefix;
    const beyond = Math.max(waiting - inUsedPrefixes, 0);
    return {
      total: stats.total + more,
      needed: stats.assigned + waiting,
      urgent: waiting - stats.assignable - more,
      prefixes,
      emptyPrefixes: empty - (isPrefix ? Math.ceil(beyond / addressesPerPrefix) : 0),
    };
  }

  /** Addresses or prefixes that the ENI can take on, by what EC2 counts: both kinds use the same slots. */
  slotsFreeOn(eni: EniView): number {
    let taken = eni.cidrCount;
    for (const action of this.#inFlight) {
      if (action.kind === "assign" && action.eniId === eni.id) taken += action.count;
      if (action.kind === "unassign" && action.eniId === eni.id)
        taken += action.addresses.length + action.prefixes.length;
    }
    return Math.max(this.settings.slotsPerEni - taken, 0);
  }

  /** Slots that ENIs being created will have left. */
  get slotsComing(): number {
    return this.#inFlight.reduce(
      (slots, action) =>
        slots + (action.kind === "create-eni" ? Math.max(this.settings.slotsPerEni - action.count, 0) : 0),
      0,
    );
  }

  /** True when the ENI may get addresses for new pods. */
  mayGrow(eni: EniView): boolean {
    return !eni.trunk && this.serves(eni);
  }

  /** True when the ENI's free addresses are for pods: not so in an excluded subnet. */
  serves(eni: EniView): boolean {
    return !eni.excluded && !(eni.primary && this.settings.customNetworking);
  }

  /** Device slots that are left for new ENIs on this card. */
  get roomForEnis(): number {
    const underWay = this.#inFlight.filter(({ kind }) => kind === "create-eni" || kind === "free-eni").length;
    return this.enisAllowed - this.enis.length - underWay;
  }

  /** ENIs that this card may have, the primary one included. */
  get enisAllowed(): number {
    const { podEni, trunkCapable, mode, maxEni } = this.settings;
    const trunkComes =
      podEni && trunkCapable && mode !== "ipv6" && this.card === 0 && !this.enis.some(({ trunk }) => trunk);
    return maxEni - this.state.unmanagedEnis - (trunkComes ? 1 : 0);
  }

  /** How many slots of an ENI in the subnet may be asked for now, when pods wait for `urgent` of them. */
  askOfSubnet(subnetId: string, urgent: number): Ask {
    return askOf(this.#node.subnetRoom.get(subnetId), 0, urgent, this.#now);
  }

  /** When the subnet may be asked again; undefined: now. */
  subnetBlockedUntil(subnetId: string): number | undefined {
    return this.#blockedUntil(this.#node.subnetRoom.get(subnetId), 0);
  }

  /** How many slots a new ENI may be asked for with now; subnets in `busy` are answering already. */
  askOfNewEni(urgent: number, busy: (subnetId: string) => boolean): Ask {
    const known = this.#subnetsForNewEnis();
    if (known === undefined || known.length === 0)
      return askOf(this.#node.newEniRoom, this.#ownSlots, urgent, this.#now);
    const asks = known.map((subnetId) => this.#askForNewEni(subnetId, urgent, busy));
    return asks.reduce((best, ask) => (ask.most > best.most ? ask : best));
  }

  /** Subnets that are not to be asked for a new ENI with `count` slots. */
  subnetsWithoutRoom(count: number, urgent: number, busy: (subnetId: string) => boolean): string[] {
    return [...this.#node.subnetRoom.keys()].filter(
      (subnetId) => this.#askForNewEni(subnetId, urgent, busy).most < count,
    );
  }

  /** When an ENI may be created; undefined: now. */
  get createBlockedUntil(): number | undefined {
    const known = this.#subnetsForNewEnis();
    if (known === undefined || known.length === 0)
      return this.#blockedUntil(this.#node.newEniRoom, this.#ownSlots);
    const until = known
      .map((subnetId) => this.#blockedUntil(this.#node.subnetRoom.get(subnetId), this.#ownSlots))
      .filter((time) => time !== undefined);
    return until.length < known.length ? undefined : Math.min(...until);
  }

  /** True while a request is under way that draws on the subnet. */
  isAsking(subnetId: string): boolean {
    return this.#node.inFlight.some(
      ({ action }) =>
        (action.kind === "assign" && action.subnetId === subnetId) ||
        (action.kind === "create-eni" && !action.avoidSubnets.includes(subnetId)),
    );
  }

  /** An ENI's own address comes from the subnet as well; prefixes are counted apart from it. */
  get #ownSlots(): number {
    return this.settings.mode === "secondary-ip" ? 1 : 0;
  }

  #askForNewEni(subnetId: string, urgent: number, busy: (subnetId: string) => boolean): Ask {
    const ask = askOf(this.#node.subnetRoom.get(subnetId), this.#ownSlots, urgent, this.#now);
    return ask.careful && busy(subnetId) ? { ...ask, most: 0 } : ask;
  }

  #subnetsForNewEnis(): readonly string[] | undefined {
    if (this.#node.newEniSubnets !== undefined) return this.#node.newEniSubnets;
    if (this.settings.subnetDiscovery || this.settings.customNetworking) return undefined;
    return this.enis.filter(({ primary }) => primary).map(({ subnetId }) => subnetId);
  }

  #blockedUntil(room: SubnetRoom | undefined, own: number): number | undefined {
    if (room === undefined || askOf(room, own, 0, this.#now).most > 0) return undefined;
    return roomExpiresAt(room);
  }

  reason(
    rule: RuleName,
    settings: readonly string[],
    values: Readonly<Record<string, number | string | boolean>> = {},
  ): Reason {
    return { rule, card: this.card, settings, values };
  }
}
