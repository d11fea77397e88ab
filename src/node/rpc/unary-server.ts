import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import { type ServiceDefinition, status } from "@grpc/grpc-js";
import { messageOf } from "../../base/error.ts";
import { frame, unframe } from "./unary-frame.ts";

/** What a method answers; a rejection becomes the status INTERNAL with its message. */
export type UnaryHandlers = Readonly<Record<string, (request: never) => Promise<unknown>>>;

/**
 * Serves the unary methods of a gRPC service and nothing else of gRPC, for callers that wait: as `unary.ts`, the
 * other end. Every gRPC client may call. The server still has to be told where to listen.
 */
export function unaryServer(service: ServiceDefinition, handlers: UnaryHandlers): Http2Server {
  const methods = new Map(
    Object.entries(service).flatMap(([name, method]) => {
      const handler = handlers[name] as ((request: unknown) => Promise<unknown>) | undefined;
      return handler === undefined ? [] : [[method.path, { method, handler }] as const];
    }),
  );
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    const found = methods.get(String(headers[":path"]));
    let received: Buffer = Buffer.alloc(0);
    // A client that went away is told nothing.
    stream.on("error", () => {});
    if (found === undefined) {
      refuse(stream, status.UNIMPLEMENTED, `unknown method ${String(headers[":path"])}`);
      return;
    }
    stream.on("data", (bytes: Buffer) => {
      received = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
    });
    stream.on("end", () => {
      const message = unframe(received);
      if (message === undefined) refuse(stream, status.INTERNAL, "a request of no or of broken messages");
      else
        answer(stream, async () =>
          found.method.responseSerialize(await found.handler(found.method.requestDeserialize(message))),
        );
    });
  });
  return server;
}

function answer(stream: ServerHttp2Stream, work: () => Promise<Uint8Array>): void {
  work().then(
    (reply) => {
      if (stream.destroyed) return;
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": String(status.OK) }));
      stream.end(frame(reply));
    },
    (error: unknown) => refuse(stream, status.INTERNAL, messageOf(error)),
  );
}

/** An answer without a message: its headers are its end. */
function refuse(stream: ServerHttp2Stream, code: status, text: string): void {
  if (stream.destroyed) return;
  const headers = {
    ":status": 200,
    "content-type": "application/grpc",
    "grpc-status": String(code),
    // Only what is no printable ASCII is encoded, and the percent sign.
    "grpc-message": text.replaceAll(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent),
  };
  stream.respond(headers, { endStream: true });
}
