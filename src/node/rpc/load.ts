import { fileURLToPath } from "node:url";
import { loadPackageDefinition, type ServiceClientConstructor, type ServiceDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { EniverseError } from "../../base/error.ts";

export type RpcService = "CNIBackend" | "NPBackend" | "ConfigServerBackend";

let loaded: Record<RpcService, ServiceClientConstructor> | undefined;

/**
 * The services of `rpc.proto`, read once per process. Objects keep the proto file's field names and always have
 * every field, as in `messages.ts`. A server takes `loadRpc().CNIBackend.service`, a client
 * `new (loadRpc().CNIBackend)(address, credentials)`.
 */
export function loadRpc(): Readonly<Record<RpcService, ServiceClientConstructor>> {
  loaded ??= readServices();
  return loaded;
}

/** The description of one service, for a server. */
export function serviceOf(name: RpcService): ServiceDefinition {
  return loadRpc()[name].service;
}

function readServices(): Record<RpcService, ServiceClientConstructor> {
  const definition = loadSync(fileURLToPath(new URL("./rpc.proto", import.meta.url)), {
    keepCase: true,
    defaults: true,
    arrays: true,
    longs: Number,
  });
  const root = loadPackageDefinition(definition).rpc;
  return {
    CNIBackend: constructorIn(root, "CNIBackend"),
    NPBackend: constructorIn(root, "NPBackend"),
    ConfigServerBackend: constructorIn(root, "ConfigServerBackend"),
  };
}

function constructorIn(root: unknown, name: RpcService): ServiceClientConstructor {
  const found = typeof root === "object" && root !== null ? Reflect.get(root, name) : undefined;
  if (typeof found !== "function" || !("service" in found)) {
    throw new EniverseError("corrupted", { attempted: "load rpc.proto", found: `no service ${name}` });
  }
  return found as ServiceClientConstructor;
}
