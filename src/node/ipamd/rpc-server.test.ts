import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { checkHealth } from "../health-probe/check.ts";
import { readArguments } from "../health-probe/main.ts";
import { loadRpc } from "../rpc/load.ts";
import type { AddNetworkReply, AddNetworkRequest } from "../rpc/messages.ts";
import { readFields, writeBytes, writeText, writeVarint } from "./protobuf-wire.ts";
import { RpcError } from "./rpc-error.ts";
import { serveRpc } from "./rpc-server.ts";
import { addRequest } from "./test-node.ts";

const folder = mkdtempSync(join(tmpdir(), "rpc-"));
const socket = join(folder, "made", "ipamd.sock");
const seen: AddNetworkRequest[] = [];
let server: { stop(): Promise<void> };

const reply: AddNetworkReply = {
  Success: true,
  IPAllocationMetadata: [{ IPv4Addr: "10.0.0.1", IPv6Addr: "", DeviceNumber: -1, RouteTableId: 254 }],
  UseExternalSNAT: false,
  VPCv4CIDRs: ["10.0.0.0/16"],
  PodVlanId: 0,
  PodENIMAC: "",
  PodENISubnetGW: "",
  ParentIfIndex: 0,
  VPCv6CIDRs: [],
  NetworkPolicyMode: "strict",
};

beforeAll(async () => {
  server = await serveRpc({
    backend: {
      addNetwork: async (request) => {
        seen.push(request);
        return reply;
      },
      delNetwork: async () => {
        throw new RpcError("FailedPrecondition", 'wrong client version "a" (!= "b")');
      },
    },
    policyConfig: () => ({
      NetworkPolicyMode: "strict",
      MultiNICEnabled: true,
      NodeIPv4: "10.0.0.10",
      NodeIPv6: "",
      InstanceID: "i-1",
      Region: "us-west-2",
    }),
    socket,
  });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

function call(method: string, request: object): Promise<{ error: ServiceError | null; reply: unknown }> {
  const client = new (loadRpc().CNIBackend)(`unix:${socket}`, credentials.createInsecure());
  const send = Reflect.get(client, method) as (
    request: object,
    done: (error: ServiceError | null, reply: unknown) => void,
  ) => void;
  return new Promise((resolve) => {
    send.call(client, request, (error, answer) => {
      client.close();
      resolve({ error, reply: answer });
    });
  });
}

describe("the gRPC server", () => {
  test("S31: its socket is in a folder that was missing, with mode 0660", () => {
    expect(statSync(socket).mode & 0o7777).toBe(0o660);
  });

  test("S31: a stale file is replaced", async () => {
    const stale = join(folder, "stale.sock");
    writeFileSync(stale, "left by a dead process");
    const config = { NetworkPolicyMode: "", MultiNICEnabled: false, NodeIPv4: "", NodeIPv6: "" };
    const backend = { addNetwork: () => Promise.reject(), delNetwork: () => Promise.reject() };
    const other = await serveRpc({
      backend,
      policyConfig: () => ({ ...config, InstanceID: "", Region: "" }),
      socket: stale,
    });
    expect(statSync(stale).isSocket()).toBe(true);
    await other.stop();
  });

  test("a message arrives and is answered field by field", async () => {
    const request = addRequest("web-0", { RequiresMultiNICAttachment: true });
    expect(await call("AddNetwork", request)).toEqual({ error: null, reply });
    expect(seen).toEqual([request]);
  });

  test("an RPC error has its code and its text", async () => {
    const { error } = await call("DelNetwork", {});
    expect(error).toMatchObject({ code: 9, details: 'wrong client version "a" (!= "b")' });
  });
});

describe("health", () => {
  const ask = (service: string, path = socket) =>
    checkHealth({ address: `unix://${path}`, connectTimeoutMs: 1000, rpcTimeoutMs: 1000, service });

  test("the server as a whole and aws-node are serving; nothing else is known", async () => {
    expect(await ask("")).toEqual({ exitCode: 0, text: "status: SERVING" });
    expect((await ask("grpc.health.v1.aws-node")).exitCode).toBe(0);
    expect((await ask("other")).exitCode).toBe(3);
  });

  test("nobody there is exit code 2", async () => {
    expect((await ask("", join(folder, "none.sock"))).exitCode).toBe(2);
  });

  test("the probe's flags are Go's", () => {
    expect(
      readArguments(["-addr=unix:///x", "--connect-timeout", "5s", "-rpc-timeout=1m30s", "-service", "a"]),
    ).toEqual({ address: "unix:///x", connectTimeoutMs: 5000, rpcTimeoutMs: 90_000, service: "a" });
    expect(readArguments(["-addr", "h:1"])).toMatchObject({ connectTimeoutMs: 1000, rpcTimeoutMs: 1000 });
    for (const bad of [[], ["-addr"], ["-addr=x", "-nonsense=1"], ["-addr=x", "-rpc-timeout=soon"]])
      expect(() => readArguments(bad)).toThrow("wanted");
  });
});

describe("reflection", () => {
  /** One request and its one answer. */
  function reflect(request: Buffer): Promise<Buffer> {
    const client = new Client(`unix:${socket}`, credentials.createInsecure());
    const same = (bytes: Buffer): Buffer => bytes;
    const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const stream = client.makeBidiStreamRequest(path, same, same);
    return new Promise((resolve) => {
      stream.on("data", (answer: Buffer) => {
        resolve(answer);
        stream.end();
      });
      stream.on("end", () => client.close());
      stream.write(request);
    });
  }

  test("lists the services", async () => {
    const answer = await reflect(writeText(7, "*"));
    expect(answer.toString()).toContain("rpc.CNIBackend");
    expect(answer.toString()).toContain("grpc.health.v1.Health");
  });

  test("hands out the proto file of a symbol, and says so when it does not know one", async () => {
    const files = readFields(await reflect(writeText(4, "rpc.CNIBackend"))).find(
      ({ number }) => number === 4,
    );
    expect(files?.bytes?.toString()).toContain("AddNetworkRequest");
    const unknown = readFields(await reflect(writeText(4, "other.Thing"))).find(({ number }) => number === 7);
    expect(unknown?.bytes?.toString()).toContain("not found: other.Thing");
  });

  test("the wire form of protobuf fields", () => {
    expect(writeVarint(300)).toEqual(Buffer.of(0xac, 0x02));
    const message = Buffer.concat([Buffer.of(0x08, 0x96, 0x01), writeBytes(2, Buffer.from("testing"))]);
    expect(message.toString("hex")).toBe("089601120774657374696e67");
    expect(readFields(message)).toEqual([
      { number: 1, value: 150n },
      { number: 2, bytes: Buffer.from("testing") },
    ]);
    expect(() => readFields(Buffer.of(0x08, 0x80))).toThrow("cut short");
  });
});
