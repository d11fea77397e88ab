import type { Context } from "../model/state.ts";
import type { Params } from "./decode-query.ts";
import type { XmlObject } from "./encode-xml.ts";
import type { Identity } from "./identity.ts";

/** One call of an action: the model at this moment, what is asked, and by whom. */
export interface Call {
  readonly ctx: Context;
  readonly params: Params;
  readonly identity: Identity;
}

/** An action of the EC2 API. */
export interface Action {
  readonly name: string;
  /** Names of its parameters at the top level; any other is answered with UnknownParameter. */
  readonly params: readonly string[];
  /** Reads or changes the model and returns the members of the answer; throws `Ec2Fault`. */
  readonly run: (call: Call) => XmlObject;
}

/** Every action takes DryRun. */
export function action(name: string, params: readonly string[], run: Action["run"]): Action {
  return { name, params: ["DryRun", ...params], run };
}

/** Parameters of a describe action that filters and pages. */
export const listing = ["Filter", "MaxResults", "NextToken"] as const;

/** The answer of actions that only say that they have succeeded. */
export const done: XmlObject = { return: true };

/** RFC 3339 with milliseconds, as EC2 writes it. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}
