import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import { serviceOf } from "../rpc/load.ts";
import type { AddNetworkRequest, DeleteNpRequest, EnforceNpRequest } from "../rpc/messages.ts";
import { goStatusName } from "../rpc/unary.ts";
import { grpcBackend, policyAgentDialer } from "./grpc.ts";

const folder = mkdtempSync(join(tmpdir(), "grpc-"));
const socket = join(folder, "a.sock");
const server = new Server();
let seen: unknown;

beforeAll(async () => {
  server.addService(serviceOf("CNIBackend"), {
    AddNetwork: (call: ServerUnaryCall<AddNetworkRequest, unknown>, done: sendUnaryData<unknown>) => {
      seen = call.request;
      done(null, { Success: true, IPAllocationMetadata: [{ IPv4Addr: "10.0.1.17", RouteTableId: 2 }] });
    },
    DelNetwork: (_call: unknown, done: sendUnaryData<unknown>) =>
      done({ code: status.FAILED_PRECONDITION, details: 'wrong client version "1" (!= "2")' }),
  });
  server.addService(serviceOf("NPBackend"), {
    EnforceNpToPod: (call: ServerUnaryCall<EnforceNpRequest, unknown>, done: sendUnaryData<unknown>) => {
      seen = call.request;
      done(null, { Success: true });
    },
    DeletePodNp: (call: ServerUnaryCall<DeleteNpRequest, unknown>, done: sendUnaryData<unknown>) =>
      call.request.K8S_POD_NAME === "odd"
        ? done({ code: status.INTERNAL, details: 'no map: für "odd"' })
        : done(null, {}),
  });
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix://${socket}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    ),
  );
});
afterAll(() => {
  server.forceShutdown();
  rmSync(folder, { recursive: true });
});

const request: AddNetworkRequest = {
  K8S_POD_NAME: "web",
  K8S_POD_NAMESPACE: "default",
  K8S_POD_INFRA_CONTAINER_ID: "c1",
  Netns: "/run/netns/a",
  IfName: "eth0",
  NetworkName: "aws-cni",
  ContainerID: "c1",
  ClientVersion: "1.2.3",
  RequiresMultiNICAttachment: true,
};

describe("ipamd over gRPC", () => {
  test("fields keep their names, and what a message leaves out has its default", async () => {
    const backend = grpcBackend(socket);
    expect(await backend.addNetwork(request)).toEqual({
      Success: true,
      IPAllocationMetadata: [{ IPv4Addr: "10.0.1.17", IPv6Addr: "", DeviceNumber: 0, RouteTableId: 2 }],
      UseExternalSNAT: false,
      VPCv4CIDRs: [],
      PodVlanId: 0,
      PodENIMAC: "",
      PodENISubnetGW: "",
      ParentIfIndex: 0,
      VPCv6CIDRs: [],
      NetworkPolicyMode: "",
    });
    expect(seen).toEqual(request);
    backend.close();
  });

  test("errors read as Go's do", async () => {
    const backend = grpcBackend(socket);
    const { RequiresMultiNICAttachment: _, Netns: __, ...rest } = request;
    await expect(backend.delNetwork({ ...rest, Reason: "PodDeleted", K8S_POD_UID: "u" })).rejects.toThrow(
      'rpc error: code = FailedPrecondition desc = wrong client version "1" (!= "2")',
    );
    backend.close();
    const nobody = grpcBackend(join(folder, "nobody.sock"));
    await expect(nobody.addNetwork(request)).rejects.toThrow("rpc error: code = Unavailable desc = ");
    nobody.close();
    expect(goStatusName("DEADLINE_EXCEEDED")).toBe("DeadlineExceeded");
  });
});

describe("the policy agent over gRPC", () => {
  test("is dialled first, then called", async () => {
    const dial = policyAgentDialer(socket);
    const agent = await dial();
    const enforce = {
      K8S_POD_NAME: "web",
      K8S_POD_NAMESPACE: "default",
      NETWORK_POLICY_MODE: "strict",
      InterfaceCount: 1,
    };
    expect(await agent.enforceNpToPod(enforce)).toEqual({ Success: true });
    expect(seen).toEqual(enforce);
    const forget = { K8S_POD_NAME: "web", K8S_POD_NAMESPACE: "default" };
    agent.close();
    expect(await (await dial()).deletePodNp(forget)).toEqual({ Success: false });
    // Not by `rejects`, which runs the event loop inside itself.
    const refusal: unknown = await (await dial())
      .deletePodNp({ ...forget, K8S_POD_NAME: "odd" })
      .catch((error: unknown) => error);
    expect(String(refusal)).toContain('rpc error: code = Internal desc = no map: für "odd"');
    const many = Array.from({ length: 200 }, async () => (await dial()).deletePodNp(forget));
    expect((await Promise.all(many)).every(({ Success }) => !Success)).toBe(true);
    dial.close();
  });

  test("that was started again is found again", async () => {
    const path = join(folder, "agent.sock");
    const start = async (): Promise<Server> => {
      const agent = new Server();
      agent.addService(serviceOf("NPBackend"), {
        EnforceNpToPod: (_call: unknown, done: sendUnaryData<unknown>) => done(null, { Success: true }),
        DeletePodNp: (_call: unknown, done: sendUnaryData<unknown>) => done(null, { Success: true }),
      });
      await new Promise((resolve) =>
        agent.bindAsync(`unix://${path}`, ServerCredentials.createInsecure(), resolve),
      );
      return agent;
    };
    const dial = policyAgentDialer(path);
    const forget = { K8S_POD_NAME: "web", K8S_POD_NAMESPACE: "default" };
    for (let life = 0; life < 2; life++) {
      const agent = await start();
      expect(await (await dial()).deletePodNp(forget)).toEqual({ Success: true });
      agent.forceShutdown();
      rmSync(path, { force: true });
    }
    dial.close();
  });

  test("that does not answer is an error that names its socket", async () => {
    const dialed = policyAgentDialer(join(folder, "nobody.sock"), 50)();
    await expect(dialed).rejects.toThrow(`connect to ${join(folder, "nobody.sock")}`);
  });
});
