import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { EniverseError } from "../../base/error.ts";
import type { CniBackend } from "../plugin/backend.ts";
import type {
  AddNetworkReply,
  AddNetworkRequest,
  DelNetworkReply,
  DelNetworkRequest,
  NetworkPolicyAgentConfigReply,
} from "../rpc/messages.ts";
import { healthHandlers, healthService } from "./health-service.ts";
import { rpcCodes, rpcErrorOf } from "./rpc-error.ts";

export interface RpcServerParts {
  readonly backend: CniBackend;
  readonly policyConfig: () => NetworkPolicyAgentConfigReply;
  /** Path of the Unix socket. */
  readonly socket: string;
}

/** What a closing server waits for calls under way before it drops them. */
const longestDrainMs = 1000;

/**
 * Serves `rpc.CNIBackend`, `rpc.ConfigServerBackend`, health and reflection on a Unix socket, and nowhere else. A
 * stale socket is replaced, a missing folder made; the socket has mode 0660. Resolves when it listens.
 */
export async function serveRpc(parts: RpcServerParts): Promise<{ stop(): Promise<void> }> {
  const [grpc, { serviceOf }, { reflection }] = await Promise.all([
    import("@grpc/grpc-js"),
    import("../rpc/load.ts"),
    import("./reflection-service.ts"),
  ]);
  const server = new grpc.Server();
  const { backend, policyConfig, socket } = parts;
  server.addService(serviceOf("CNIBackend"), {
    AddNetwork: unary<AddNetworkRequest, AddNetworkReply>((request) => backend.addNetwork(request)),
    DelNetwork: unary<DelNetworkRequest, DelNetworkReply>((request) => backend.delNetwork(request)),
  });
  server.addService(serviceOf("ConfigServerBackend"), {
    GetNetworkPolicyConfigs: unary<unknown, NetworkPolicyAgentConfigReply>(async () => policyConfig()),
  });
  server.addService(healthService, healthHandlers);
  for (const { service, handlers } of reflection()) server.addService(service, handlers);

  mkdirSync(dirname(socket), { recursive: true, mode: 0o755 });
  rmSync(socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, grpc.ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(cannotListen(socket, error));
    });
  });
  chmodSync(socket, 0o660);
  return {
    stop: () =>
      new Promise((resolve) => {
        const force = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, longestDrainMs);
        server.tryShutdown(() => {
          clearTimeout(force);
          resolve();
        });
      }),
  };
}

function unary<Request, Reply>(work: (request: Request) => Promise<Reply>) {
  return (call: ServerUnaryCall<Request, Reply>, answer: sendUnaryData<Reply>): void => {
    work(call.request).then(
      (reply) => answer(null, reply),
      (thrown: unknown) => {
        const { code, description } = rpcErrorOf(thrown);
        answer({ code: rpcCodes[code], details: description });
      },
    );
  };
}

function cannotListen(socket: string, cause: Error): EniverseError {
  return new EniverseError("unavailable", {
    attempted: `listen on ${socket}`,
    found: cause.message,
    fix: "Check that the folder can be written and that no other ipamd runs on this node",
    cause,
  });
}
