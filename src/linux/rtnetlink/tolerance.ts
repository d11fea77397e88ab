import { errno } from "../errno.ts";
import type { Tolerance } from "./values.ts";

/** What the kernel answers when something is already there; EEXIST for all subjects. */
const exists = [errno.EEXIST];
/**
 * What it answers when something to delete is not: ESRCH routes, ENOENT rules and neighbours, ENODEV links,
 * EADDRNOTAVAIL addresses.
 */
const absent = [errno.ESRCH, errno.ENOENT, errno.ENODEV, errno.EADDRNOTAVAIL];

/** The errno numbers that count as success. */
export function toleratedErrnos(options: Tolerance | undefined): readonly number[] {
  if (options?.tolerate === undefined) return [];
  return options.tolerate === "exists" ? exists : absent;
}
