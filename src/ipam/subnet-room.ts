/**
 * What is known of a subnet that refused addresses: at most so many slots (addresses, or prefixes in prefix mode)
 * were left in it. EC2 gives all that is asked for or nothing, so fewer are asked for until it says yes; a subnet in
 * which not even one was left is left alone for a while.
 */
export interface SubnetRoom {
  /** At most so many slots are left. */
  readonly slots: number;
  /** When a refusal last taught this, in milliseconds. */
  readonly at: number;
}

/** How long a refusal is believed, in milliseconds; the official CNI's back-off after an insufficiency. */
export const insufficientBackOffMs = 120_000;

/** Still believed when the elapsed time equals the back-off. */
function isBelieved({ at }: SubnetRoom, now: number): boolean {
  return now - at <= insufficientBackOffMs;
}

/** When the refusal is no longer believed. */
export function roomExpiresAt({ at }: SubnetRoom): number {
  return at + insufficientBackOffMs + 1;
}

/** What is known after `slots` were refused, `own` of them for the ENI's own address. */
export function roomAfterRefusal(before: SubnetRoom | undefined, slots: number, now: number): SubnetRoom {
  const left = Math.max(slots - 1, 0);
  // A larger request that was refused at the same time teaches nothing.
  return before !== undefined && isBelieved(before, now) && before.slots <= left
    ? before
    : { slots: left, at: now };
}

/** What is known after `slots` were given; undefined: nothing, the subnet has room as far as anybody knows. */
export function roomAfterGift(
  before: SubnetRoom | undefined,
  slots: number,
  now: number,
): SubnetRoom | undefined {
  if (before === undefined || !isBelieved(before, now) || slots > before.slots) return undefined;
  return { slots: before.slots - slots, at: before.at };
}

/** How much may be asked of a subnet now. */
export interface Ask {
  /** Slots for pods, besides `own`; 0: none now. */
  readonly most: number;
  /** True where requests should come one at a time, each made from the answer to the last. */
  readonly careful: boolean;
}

/**
 * What to ask for where `own` slots go to the ENI itself. Half of what may be left, and no more than pods wait for
 * when they do: they come first, and each refusal halves the next request. Once a refusal is no longer believed,
 * what pods wait for is tried, or one.
 */
export function askOf(room: SubnetRoom | undefined, own: number, urgent: number, now: number): Ask {
  if (room === undefined) return { most: Number.POSITIVE_INFINITY, careful: false };
  if (!isBelieved(room, now)) return { most: Math.max(urgent, 1), careful: true };
  const half = Math.ceil(Math.max(room.slots - own, 0) / 2);
  return { most: urgent > 0 ? Math.min(urgent, half) : half, careful: true };
}
