import { credentials, type ServiceError, status } from "@grpc/grpc-js";
import { messageOf } from "../../base/error.ts";
import { loadRpc, type RpcService } from "../rpc/load.ts";
import { ipamdSocket, policyAgentSocket } from "../rpc/messages.ts";
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
        else reject(new Error(grpcErrorText(error)));
      });
    });
  }

  ready(timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#client.waitForReady(Date.now() + timeoutMs, (error) => {
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  }

  close(): void {
    this.#client.close();
  }
}

function grpcErrorText(error: ServiceError): string {
  const name = status[error.code] ?? "UNKNOWN";
  return `rpc error: code = ${goStatusName(name)} desc = ${error.details || messageOf(error)}`;
}

/** "FAILED_PRECONDITION" as Go spells it: "FailedPrecondition". */
export function goStatusName(name: string): string {
  return name.toLowerCase().replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
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
  let kept: GrpcService | undefined;
  const close = (): void => {
    kept?.close();
    kept = undefined;
  };
  const connected = async (): Promise<GrpcService> => {
    kept ??= new GrpcService("NPBackend", socket);
    const service = kept;
    try {
      await service.ready(limitMs);
      return service;
    } catch (error) {
      if (kept === service) close();
      throw new Error(`connect to ${socket}: ${messageOf(error)}`);
    }
  };
  const call = async <Reply>(service: GrpcService, method: string, request: unknown): Promise<Reply> => {
    try {
      return await service.call<Reply>(method, request);
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      if (kept === service) close();
      return await (await connected()).call<Reply>(method, request);
    }
  };
  const dial: DialPolicyAgent = async () => {
    const service = await connected();
    return {
      enforceNpToPod: (request) => call(service, "EnforceNpToPod", request),
      deletePodNp: (request) => call(service, "DeletePodNp", request),
      close: () => {},
    };
  };
  return Object.assign(dial, { close });
}

function isUnavailable(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("rpc error: code = Unavailable ");
}
