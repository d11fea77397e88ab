import { messageOf } from "../base/error.ts";

/** Error codes of the CNI specification; plugins use 100 and above, the Go library 999 for everything else. */
export const errorCode = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  ioFailure: 5,
  decodingFailure: 6,
  invalidNetworkConfig: 7,
  invalidNetns: 8,
  tryAgainLater: 11,
  pluginNotAvailable: 50,
  limitedConnectivity: 51,
  internal: 999,
} as const;

/**
 * What a plugin answers when it fails: a number and the text that the runtime shows. It is not an EniverseError
 * because the text is part of the protocol and must read exactly so; the chain runner turns what comes from a
 * plugin into an EniverseError.
 */
export class CniError extends Error {
  override readonly name = "CniError";
  readonly code: number;
  readonly details: string;

  constructor(code: number, message: string, details = "") {
    super(message);
    this.code = code;
    this.details = details;
  }

  /** "message; details", as runtimes print it. */
  get text(): string {
    return this.details === "" ? this.message : `${this.message}; ${this.details}`;
  }
}

/** Any thrown value as a CNI error; what is not one already becomes code 999. */
export function toCniError(thrown: unknown): CniError {
  return thrown instanceof CniError ? thrown : new CniError(errorCode.internal, messageOf(thrown));
}

/** The JSON that a failing plugin prints. */
export function formatError(error: CniError, cniVersion?: string): string {
  const body = {
    ...(cniVersion === undefined ? {} : { cniVersion }),
    code: error.code,
    msg: error.message,
    ...(error.details === "" ? {} : { details: error.details }),
  };
  return `${JSON.stringify(body, null, 4)}\n`;
}
