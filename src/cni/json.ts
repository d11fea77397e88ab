import { messageOf } from "../base/error.ts";
import { CniError, errorCode } from "./error.ts";

export type Json = null | boolean | number | string | Json[] | JsonObject;

export interface JsonObject {
  [key: string]: Json;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Reads JSON; throws CNI error 6 with `what` in its text. */
export function parseJson(source: string | Uint8Array, what: string): Json {
  try {
    return JSON.parse(typeof source === "string" ? source : new TextDecoder().decode(source)) as Json;
  } catch (error) {
    throw new CniError(errorCode.decodingFailure, `error unmarshall ${what}: ${messageOf(error)}`);
  }
}

// Readers of single fields: they take what may be absent and throw CNI error 6 for a wrong type.

export function object(value: Json | undefined, place: string): JsonObject {
  if (isObject(value)) return value;
  throw wrongType(place, "an object", value);
}

/** An absent list is empty. */
export function array(value: Json | undefined, place: string): Json[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw wrongType(place, "a list", value);
}

export function text(value: Json | undefined, place: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  throw wrongType(place, "a text", value);
}

export function number(value: Json | undefined, place: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number") return value;
  throw wrongType(place, "a number", value);
}

function wrongType(place: string, wanted: string, value: Json | undefined): CniError {
  return new CniError(
    errorCode.decodingFailure,
    `cannot read ${place}: ${JSON.stringify(value ?? null)}; wanted ${wanted}`,
  );
}
