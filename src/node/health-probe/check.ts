import http2 from "node:http2";
import { connect } from "node:net";

export interface HealthQuestion {
  /** "unix:///path" or "host:port". */
  readonly address: string;
  readonly connectTimeoutMs: number;
  readonly rpcTimeoutMs: number;
  /** "" asks for the server as a whole. */
  readonly service: string;
}

/** What grpc-health-probe would exit with: 0 serving, 2 no connection, 3 call failed, 4 not serving. */
export interface HealthAnswer {
  readonly exitCode: 0 | 2 | 3 | 4;
  readonly text: string;
}

/** HealthCheckResponse.ServingStatus of grpc.health.v1. */
const statusNames: readonly string[] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/** Calls grpc.health.v1.Health/Check once. Never rejects. */
export function checkHealth(question: HealthQuestion): Promise<HealthAnswer> {
  return new Promise((resolve) => {
    const socket = open(question.address);
    const end = (answer: HealthAnswer): void => {
      clearTimeout(connecting);
      socket.destroy();
      resolve(answer);
    };
    const connecting = setTimeout(
      () =>
        end({
          exitCode: 2,
          text: `timeout: failed to connect service ${JSON.stringify(question.address)} within ${question.connectTimeoutMs} ms`,
        }),
      question.connectTimeoutMs,
    );
    socket.on("error", (error) =>
      end({
        exitCode: 2,
        text: `failed to connect service ${JSON.stringify(question.address)}: ${error.message}`,
      }),
    );
    socket.once("connect", () => {
      clearTimeout(connecting);
      call(socket, question).then(end);
    });
  });
}

function open(address: string): ReturnType<typeof connect> {
  if (address.startsWith("unix:")) return connect({ path: address.replace(/^unix:(\/\/)?/, "") });
  const colon = address.lastIndexOf(":");
  return connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) });
}

function call(socket: ReturnType<typeof connect>, question: HealthQuestion): Promise<HealthAnswer> {
  return new Promise((resolve) => {
    const failed = (why: string): void => resolve({ exitCode: 3, text: `error: health rpc failed: ${why}` });
    const session = http2.connect("http://localhost", { createConnection: () => socket });
    session.on("error", (error) => failed(error.message));
    setTimeout(() => failed(`no answer within ${question.rpcTimeoutMs} ms`), question.rpcTimeoutMs).unref();
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    let grpcStatus: string | undefined;
    let grpcMessage = "";
    const note = (headers: http2.IncomingHttpHeaders): void => {
      const status = headers["grpc-status"];
      if (status !== undefined) grpcStatus = String(status);
      grpcMessage = String(headers["grpc-message"] ?? grpcMessage);
    };
    stream.on("response", note);
    stream.on("trailers", note);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", (error) => failed(error.message));
    stream.on("end", () => {
      // Trailers come with the end; what they say must be known first.
      setImmediate(() => {
        if (grpcStatus !== undefined && grpcStatus !== "0")
          failed(`status ${grpcStatus} ${unescaped(grpcMessage)}`);
        else resolve(verdict(servingStatus(Buffer.concat(chunks))));
      });
    });
    stream.end(frame(question.service));
  });
}

/** gRPC escapes its messages with percent signs; a malformed one is shown as it came. */
function unescaped(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}

function verdict(status: number): HealthAnswer {
  const name = statusNames[status] ?? String(status);
  return status === 1
    ? { exitCode: 0, text: `status: ${name}` }
    : { exitCode: 4, text: `service unhealthy (responded with ${JSON.stringify(name)})` };
}

/** A gRPC frame with `HealthCheckRequest { string service = 1; }`. */
function frame(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.of(0x0a, name.length), name]);
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** Field 1, a varint, of the `HealthCheckResponse` in a gRPC frame; 0 when it is absent, as proto3 has it. */
function servingStatus(bytes: Buffer): number {
  const message = bytes.subarray(5);
  return message[0] === 0x08 ? (message[1] ?? 0) : 0;
}
