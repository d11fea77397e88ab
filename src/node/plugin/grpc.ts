import { credentials, type MethodDefinition, type ServiceError, status } from "@grpc/grpc-js";
import { EniverseError, messageOf } from "../../base/error.ts";
import { loadRpc, type RpcService, serviceOf } from "../rpc/load.ts";
import { ipamdSocket, policyAgentSocket } from "../rpc/messages.ts";
import { rpcError, UnaryConnection } from "../rpc/unary.ts";
import type { CniBackend, DialPolicyAgent } from "./backend.ts";

const policyDialMs = 2000;

type Call = (request: unknown, done: (error: ServiceError | null, reply: unknown) => void) => void;

/** One service on a Unix socket; the connection is made with the first call. */
class GrpcService {
  readonly #client;

  constructor(name: RpcService, socket: string) {
    this.#client = new (loadRpc()[name])(`unix://${socket}`, credentials.createInsecure());
  }

  /** Rejects with the text that Go's gRPC shows: "rpc error: code = Unavailable desc = …". */
  call<Reply>(method: string, request: unknown): Promise<Reply> {
    const found: unknown = Reflect.get(this.#client, method);
    const call = found as Call;
    return new Promise((resolve, reject) => {
      call.call(this.#client, request, (error, reply) => {
        if (error === null) resolve(reply as Reply);
        else reject(rpcError(status[error.code] ?? "UNKNOWN", error.details || messageOf(error)));
      });
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** ipamd over gRPC; an absent socket shows at the first call, as Unavailable. */
export function grpcBackend(socket: string = ipamdSocket): CniBackend & { close(): void } {
  const service = new GrpcService("CNIBackend", socket);
  return {
    addNetwork: (request) => service.call("AddNetwork", request),
    delNetwork: (request) => service.call("DelNetwork", request),
    close: () => service.close(),
  };
}

/** A dialer that keeps its connection for the next call. */
export type PolicyAgentDialer = DialPolicyAgent & { close(): void };

/**
 * The network policy agent over gRPC. The connection stays open between calls, since every ADD and DEL makes one.
 * An agent that was started again in between is found at the second try; its calls may be made twice.
 */
export function policyAgentDialer(
  socket: string = policyAgentSocket,
  limitMs: number = policyDialMs,
): PolicyAgentDialer {
  const enforce = methodOf("EnforceNpToPod");
  const forget = methodOf("DeletePodNp");
  let kept: Promise<UnaryConnection> | undefined;
  const close = (): void => {
    kept?.then((connection) => connection.close()).catch(() => {});
    kept = undefined;
  };
  const connected = async (): Promise<UnaryConnection> => {
    kept ??= UnaryConnection.connect(socket, limitMs);
    const dialled = kept;
    let connection: UnaryConnection | undefined;
    try {
      connection = await dialled;
    } catch (error) {
      if (kept === dialled) kept = undefined;
      throw new Error(`connect to ${socket}: ${messageOf(error)}`);
    }
    if (connection.isOpen) return connection;
    if (kept === dialled) kept = undefined;
    return await connected();
  };
  const call = async <Reply>(
    connection: UnaryConnection,
    method: Method,
    request: unknown,
  ): Promise<Reply> => {
    try {
      return (await connection.call(method, request)) as Reply;
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      connection.close();
      return (await (await connected()).call(method, request)) as Reply;
    }
  };
  const dial: DialPolicyAgent = async () => {
    const connection = await connected();
    return {
      enforceNpToPod: (request) => call(connection, enforce, request),
      deletePodNp: (request) => call(connection, forget, request),
      close: () => {},
    };
  };
  return Object.assign(dial, { close });
}

type Method = MethodDefinition<unknown, unknown>;

function methodOf(name: string): Method {
  const method = serviceOf("NPBackend")[name];
  if (method !== undefined) return method;
  throw new EniverseError("corrupted", { attempted: "load rpc.proto", found: `no method ${name}` });
}

function isUnavailable(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("rpc error: code = Unavailable ");
}
