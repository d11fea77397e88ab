import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import type { Http2Server } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ClientUnaryCall, credentials, type ServiceError } from "@grpc/grpc-js";
import { loadRpc, serviceOf } from "./load.ts";
import type { EnforceNpRequest } from "./messages.ts";
import { unaryServer } from "./unary-server.ts";

const folder = mkdtempSync(join(tmpdir(), "unary-"));
const socket = join(folder, "a.sock");
let server: Http2Server;

beforeAll(async () => {
  server = unaryServer(serviceOf("NPBackend"), {
    EnforceNpToPod: async (request: EnforceNpRequest) => {
      if (request.K8S_POD_NAME === "odd") throw new Error("no map: für odd");
      return { Success: request.InterfaceCount === 2 };
    },
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

type Method = (
  request: unknown,
  done: (error: ServiceError | null, reply: unknown) => void,
) => ClientUnaryCall;

test("an ordinary gRPC client is answered", async () => {
  const client = new (loadRpc().NPBackend)(`unix://${socket}`, credentials.createInsecure());
  const call = (name: string, request: object): Promise<unknown> =>
    new Promise((resolve) => {
      (Reflect.get(client, name) as Method).call(client, request, (error, reply) =>
        resolve(error === null ? reply : `${error.code} ${error.details}`),
      );
    });
  const pod = { K8S_POD_NAME: "web", K8S_POD_NAMESPACE: "default", NETWORK_POLICY_MODE: "standard" };
  expect(await call("EnforceNpToPod", { ...pod, InterfaceCount: 2 })).toEqual({ Success: true });
  expect(await call("EnforceNpToPod", { ...pod, InterfaceCount: 1 })).toEqual({ Success: false });
  expect(await call("EnforceNpToPod", { ...pod, K8S_POD_NAME: "odd" })).toBe("13 no map: für odd");
  expect(await call("DeletePodNp", pod)).toBe("12 unknown method /rpc.NPBackend/DeletePodNp");
  const many = Array.from({ length: 100 }, () => call("EnforceNpToPod", { ...pod, InterfaceCount: 2 }));
  expect((await Promise.all(many)).every((reply) => (reply as { Success: boolean }).Success)).toBe(true);
  client.close();
});
