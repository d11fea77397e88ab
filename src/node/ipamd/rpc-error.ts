import { messageOf } from "../../base/error.ts";

/** gRPC status codes that ipamd answers with (google.golang.org/grpc/codes). */
export const rpcCodes = { Unknown: 2, NotFound: 5, FailedPrecondition: 9, Internal: 13 } as const;

export type RpcCode = keyof typeof rpcCodes;

/**
 * The border to gRPC: what a client gets instead of a reply. The message reads as Go's status does, because the
 * plugin's messages and its tests quote it; `description` alone goes over the wire.
 */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly code: RpcCode;
  readonly description: string;

  constructor(code: RpcCode, description: string) {
    super(`rpc error: code = ${code} desc = ${description}`);
    this.code = code;
    this.description = description;
  }
}

/** Anything thrown as an {@link RpcError}; what is none yet becomes Unknown, as in Go. */
export function rpcErrorOf(thrown: unknown): RpcError {
  return thrown instanceof RpcError ? thrown : new RpcError("Unknown", messageOf(thrown));
}
