import { EniverseError } from "../base/error.ts";
import { type InstanceLimits, instanceLimits, similarInstanceTypes } from "../limits/instance-types.ts";

/** The refusal of one field of an input: its name, what was there, what is allowed. */
export function badField(field: string, found: string, wanted: string, fix?: string): EniverseError {
  return new EniverseError("invalid_argument", {
    attempted: `plan with ${field}`,
    found,
    wanted,
    ...(fix === undefined ? {} : { fix }),
    facts: { field },
  });
}

/** A whole number in a range; throws `invalid_argument` otherwise. */
export function wholeNumber(field: string, value: number, min = 0, max = 1_000_000): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw badField(field, String(value), `a whole number of ${min} to ${max}`);
}

/** Any number in a range; throws `invalid_argument` otherwise. */
export function numberIn(field: string, value: number, min: number, max: number): number {
  if (Number.isFinite(value) && value >= min && value <= max) return value;
  throw badField(field, String(value), `a number of ${min} to ${max}`);
}

/** The limits of a type; an unknown one is refused with the names that may have been meant. */
export function limitsOf(field: string, instanceType: string): InstanceLimits {
  const limits = instanceLimits(instanceType);
  if (limits !== undefined) return limits;
  const near = similarInstanceTypes(instanceType);
  throw badField(
    field,
    `the unknown instance type ${JSON.stringify(instanceType)}`,
    near.length > 0
      ? `a type that EC2 has; did you mean ${near.join(", ")}?`
      : "a type that EC2 has, as m5.large",
  );
}

/** "1 pod", "3 pods", "1 address", "3 prefixes". */
export function count(n: number, noun: string): string {
  const plural = /[sx]$/.test(noun) ? `${noun}es` : `${noun}s`;
  return `${thousands(n)} ${n === 1 ? noun : plural}`;
}

/** "12,345". */
export function thousands(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ",");
}
