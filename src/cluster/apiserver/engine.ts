// What every verb stands on: the store, the types, the time. Verbs are plain functions that run to their end without
// waiting, so that no write can come between a check and the write that it is for.
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { KubeObject } from "../../kube/objects.ts";
import type { Registry } from "./registry.ts";
import type { ResourceType, TypeContext } from "./resource-type.ts";
import type { ObjectStore, Stored } from "./store.ts";

export interface Engine {
  readonly store: ObjectStore;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly serviceCidr: string;
}

/** "2024-05-01T10:00:00Z": times of objects have whole seconds. */
export function timestamp(nowMs: number): string {
  return new Date(nowMs).toISOString().replace(/\.\d+Z$/, "Z");
}

export function typeContext(engine: Engine): TypeContext {
  const { store } = engine;
  return {
    nowMs: engine.clock.now(),
    lookup: (collection, namespace, name) => store.get(collection, namespace, name)?.object,
    all: (collection) => store.list(collection).map(({ object }) => object),
    random: engine.random,
    serviceCidr: engine.serviceCidr,
  };
}

/** An unlinked copy of a stored object, in the form that the type is stored in. */
export function copyOf<T extends KubeObject>(stored: Stored): T {
  return JSON.parse(stored.json) as T;
}

/** A stored state in the form in which the type is served. */
export function servedObject(type: ResourceType, stored: Stored): KubeObject {
  return type.toServed === undefined ? stored.object : type.toServed(stored.object);
}

/** The JSON of {@link servedObject}; already there for most types. */
export function servedJson(type: ResourceType, stored: Stored): string {
  return type.toServed === undefined ? stored.json : JSON.stringify(type.toServed(stored.object));
}

/** A random version 4 UUID. */
export function newUid(random: Random): string {
  const variant = (8 + random.int(4)).toString(16);
  return `${random.hex(8)}-${random.hex(4)}-4${random.hex(3)}-${variant}${random.hex(3)}-${random.hex(12)}`;
}

// No vowels, and none of 0, 1, 3: no words, and nothing that is mistaken for something else (apimachinery rand).
const suffixLetters = "bcdfghjklmnpqrstvwxz2456789";

/** The five letters that `generateName` is completed with. */
export function nameSuffix(random: Random): string {
  return Array.from({ length: 5 }, () => suffixLetters[random.int(suffixLetters.length)]).join("");
}
