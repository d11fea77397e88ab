import type { Random } from "../../base/random.ts";
import { Ec2Fault } from "./fault.ts";

/** EC2's long form: the prefix, "-", "0" and 16 hexadecimal digits. */
export function newId(prefix: string, random: Random): string {
  return `${prefix}-0${random.hex(16)}`;
}

/** Throws `code` unless `id` reads as one: the prefix and 8 or 17 hexadecimal digits. */
export function checkId(id: string, prefix: string, code: string): void {
  const ok = id.startsWith(`${prefix}-`) && /^([0-9a-f]{8}|[0-9a-f]{17})$/.test(id.slice(prefix.length + 1));
  if (!ok) throw new Ec2Fault(code, `Invalid id: "${id}" (expecting "${prefix}-...")`);
}
