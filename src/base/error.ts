/** What kind of failure an error is; callers decide on the code, people read the message. */
export type ErrorCode =
  | "invalid_argument"
  | "not_found"
  | "already_exists"
  | "conflict"
  | "exhausted"
  | "permission_denied"
  | "throttled"
  | "unavailable"
  | "unsupported"
  | "timeout"
  | "corrupted"
  | "internal";

/** The parts of an error message, in the order in which they are printed. */
export interface ErrorParts {
  /** What was tried: "create the veth enicc21c2d7785". */
  readonly attempted: string;
  /** What was there instead: "the kernel answered EEXIST: File exists". */
  readonly found?: string;
  /** What would have been right: "a /28 to /16 CIDR block". */
  readonly wanted?: string;
  /** What the reader can do about it. */
  readonly fix?: string;
  /** The error underneath, kept for logs. */
  readonly cause?: unknown;
  /** Machine-readable facts (errno, EC2 code, field path …). */
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
}

/**
 * The one error class of the project. Each border (errno, EC2, Kubernetes, gRPC, CNI) converts foreign errors
 * to it in one file. The message reads "cannot ATTEMPTED: FOUND; wanted WANTED. FIX".
 */
export class EniverseError extends Error {
  override readonly name = "EniverseError";
  readonly code: ErrorCode;
  readonly parts: ErrorParts;

  constructor(code: ErrorCode, parts: ErrorParts) {
    super(describeParts(parts), parts.cause === undefined ? undefined : { cause: parts.cause });
    this.code = code;
    this.parts = parts;
  }
}

function describeParts(parts: ErrorParts): string {
  let text = `cannot ${parts.attempted}`;
  if (parts.found !== undefined) text += `: ${parts.found}`;
  if (parts.wanted !== undefined) text += `; wanted ${parts.wanted}`;
  if (parts.fix !== undefined) text += `. ${parts.fix}`;
  return text;
}

/** True when `error` is an {@link EniverseError} with one of the given codes. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is EniverseError {
  return error instanceof EniverseError && codes.includes(error.code);
}

/** The text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Marks a branch that the types say cannot be reached. */
export function unreachable(value: never): never {
  throw new EniverseError("internal", {
    attempted: "handle every case",
    found: `an unexpected value ${JSON.stringify(value)}`,
  });
}
