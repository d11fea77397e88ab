import type { Random } from "../../base/random.ts";
import type { KubeObject, Resource } from "../../kube/objects.ts";

/**
 * The controllers of the local cluster. Each is a pure function from what is there to what is to be written
 * (`deployment.ts`, `replica-set.ts`, `daemon-set.ts`, `node-lifecycle.ts`, `pod-collection.ts`);
 * `run.ts` feeds it from shared informers and carries the writes out.
 */

/** One request to the API server that a plan asks for. */
export type Write =
  | { readonly kind: "create"; readonly resource: Resource; readonly object: KubeObject }
  | {
      /** A merge patch; with `resourceVersion` in its metadata it fails when the object has changed. */
      readonly kind: "patch";
      readonly resource: Resource;
      readonly name: string;
      readonly namespace?: string;
      readonly patch: unknown;
      readonly subresource?: "status";
    }
  | {
      readonly kind: "delete";
      readonly resource: Resource;
      readonly name: string;
      readonly namespace?: string;
      readonly uid?: string;
      readonly gracePeriodSeconds?: number;
    }
  | {
      /** Said when every other write has succeeded. */
      readonly kind: "event";
      readonly about: KubeObject;
      readonly type: "Normal" | "Warning";
      readonly reason: string;
      readonly message: string;
    };

export interface Plan {
  readonly writes: readonly Write[];
  /** When time alone will change the plan (ms since the epoch). */
  readonly wakeAt?: number;
}

/** What a plan may know beside the objects. */
export interface PlanContext {
  readonly now: number;
  readonly random: Random;
}

export const nothing: Plan = { writes: [] };

/** The letters of generated names: no vowels, so that no words come out (apimachinery/pkg/util/rand). */
export const nameLetters = "bcdfghjklmnpqrstvwxz2456789";

/** Five letters for the end of a generated name. */
export function nameSuffix(random: Random): string {
  return Array.from({ length: 5 }, () => nameLetters[random.int(nameLetters.length)]).join("");
}

/** A write of the object's status, or nothing when it is the same already. */
export function statusWrite<S>(
  resource: Resource,
  object: KubeObject & { status?: S },
  status: S,
): readonly Write[] {
  if (sameValue(object.status, status)) return [];
  const { name, namespace } = object.metadata;
  // A merge patch keeps what it does not name: fields that are gone must be said to be gone.
  const gone = Object.keys(object.status ?? {}).filter((key) => !(key in (status as object)));
  const patch = { status: { ...status, ...Object.fromEntries(gone.map((key) => [key, null])) } };
  return [
    {
      kind: "patch",
      resource,
      name,
      ...(namespace !== undefined && { namespace }),
      patch,
      subresource: "status",
    },
  ];
}

/** Equality of JSON values; the order of keys does not count, an undefined member is an absent one. */
export function sameValue(a: unknown, b: unknown): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

/** JSON with sorted keys. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(",")}}`;
}
