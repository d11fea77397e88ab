import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { connect as connectSocket } from "node:net";
import { type MethodDefinition, status } from "@grpc/grpc-js";
import { realClock } from "../../base/clock.ts";
import { messageOf } from "../../base/error.ts";
import { frame, unframe } from "./unary-frame.ts";

/**
 * Unary gRPC calls over one HTTP/2 connection to a Unix socket, and nothing else of gRPC. Every ADD and DEL of a
 * pod waits for such a call, and on Bun it takes half the time of one through @grpc/grpc-js (1.1 instead of
 * 2.1 ms), whose layers are for load balancing, retries, streams and compression.
 */
export class UnaryConnection {
  readonly #session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
    // What fails is told by each call; a session that idles must not end the process.
    session.on("error", () => {});
  }

  /** Connects, again and again until `limitMs` are over; then rejects with the last reason. */
  static async connect(socket: string, limitMs: number): Promise<UnaryConnection> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      try {
        return new UnaryConnection(await openSession(socket, deadline - performance.now()));
      } catch (error) {
        if (performance.now() + retryMs >= deadline) throw error;
      }
      await realClock.sleep(retryMs);
    }
  }

  /** False once the other side has gone. */
  get isOpen(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  /** Rejects with the text that Go's gRPC shows: "rpc error: code = Unavailable desc = …". */
  async call<Request, Reply>(method: MethodDefinition<Request, Reply>, request: Request): Promise<Reply> {
    if (!this.isOpen) throw rpcError("UNAVAILABLE", "the connection is closed");
    const stream = this.#session.request({ ...requestHeaders, ":path": method.path });
    const reply = replyOf(stream);
    stream.end(frame(method.requestSerialize(request)));
    return method.responseDeserialize(await reply);
  }

  close(): void {
    this.#session.close();
  }
}

/** The bytes of the answer's message. */
function replyOf(stream: ClientHttp2Stream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let reply: Buffer = Buffer.alloc(0);
    let outcome: Outcome | undefined;
    const unavailable = (found: string): void => reject(rpcError("UNAVAILABLE", found));
    stream.on("response", (headers) => {
      // An answer without a message has its outcome here.
      outcome = outcomeOf(headers) ?? outcome;
    });
    stream.on("trailers", (headers) => {
      outcome = outcomeOf(headers) ?? outcome;
    });
    stream.on("data", (bytes: Buffer) => {
      reply = reply.length === 0 ? bytes : Buffer.concat([reply, bytes]);
    });
    stream.on("error", (error) => unavailable(messageOf(error)));
    const settle = (): void => {
      const message = unframe(reply);
      if (outcome === undefined) unavailable("the connection was closed before the answer came");
      else if (outcome.code !== status.OK) reject(rpcError(status[outcome.code] ?? "UNKNOWN", outcome.text));
      else if (message === undefined) reject(rpcError("INTERNAL", "a reply of no or of broken messages"));
      else resolve(message);
    };
    stream.on("end", settle);
    // Nobody reads an answer without a message to its end.
    stream.on("close", settle);
  });
}

const retryMs = 20;

const requestHeaders = {
  ":method": "POST",
  ":scheme": "http",
  ":authority": "localhost",
  "content-type": "application/grpc",
  te: "trailers",
} as const;

interface Outcome {
  readonly code: number;
  readonly text: string;
}

/** "grpc-status" and "grpc-message", which is percent-encoded; undefined where there is no status. */
function outcomeOf(headers: Readonly<Record<string, unknown>>): Outcome | undefined {
  const code = headers["grpc-status"];
  if (code === undefined) {
    const http = headers[constants.HTTP2_HEADER_STATUS];
    return http === undefined || http === 200
      ? undefined
      : { code: status.UNKNOWN, text: `unexpected HTTP status code received from server: ${String(http)}` };
  }
  const text = headers["grpc-message"];
  return { code: Number(code), text: typeof text === "string" ? decoded(text) : "" };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function openSession(socket: string, limitMs: number): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = connect("http://localhost", { createConnection: () => connectSocket(socket) });
    const fail = (error: unknown): void => {
      clearTimeout(timer);
      session.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(new Error("it does not answer")), Math.max(limitMs, 1));
    session.once("error", fail);
    session.once("connect", () => {
      clearTimeout(timer);
      session.off("error", fail);
      resolve(session);
    });
  });
}

/** An error in Go's words; `name` as in grpc-js: "FAILED_PRECONDITION". */
export function rpcError(name: string, text: string): Error {
  return new Error(`rpc error: code = ${goStatusName(name)} desc = ${text}`);
}

/** "FAILED_PRECONDITION" as Go spells it: "FailedPrecondition". */
export function goStatusName(name: string): string {
  return name.toLowerCase().replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
