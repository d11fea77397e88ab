// Commands in containers, as `kubectl exec` and `kubectl cp` of 1.31 and later ask for them: a WebSocket whose binary
// frames begin with the number of a channel (remotecommand, v4.channel.k8s.io and v5.channel.k8s.io).
import type { ServerWebSocket } from "bun";
import { messageOf } from "../../../base/error.ts";
import type { Engine } from "../engine.ts";
import { badRequest, internalError, methodNotAllowed } from "../failures.ts";
import type { ExecInPod, PodExecOptions } from "../options.ts";
import { containerForLog, existingPod } from "../subresources.ts";
import type { Target } from "./target.ts";

const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** The newest first. */
const protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/** What a WebSocket of the API server carries: one command. */
export interface ExecSocket {
  readonly run: ExecRun;
}

/** Turns a request into a WebSocket of this protocol; false when it asks for none. */
export type Upgrade = (request: Request, data: ExecSocket, protocol: string) => boolean;

export interface ExecParts {
  readonly engine: Engine;
  readonly execInPod: ExecInPod | undefined;
  /** Undefined where requests come without a connection. */
  readonly upgrade: Upgrade | undefined;
}

/**
 * Answers `pods/NAME/exec` with a WebSocket. Throws what kubectl prints, also for the ways to speak that are not
 * served.
 */
export function serveExec(
  { engine, execInPod, upgrade }: ExecParts,
  request: Request,
  { namespace, name }: Target,
  query: URLSearchParams,
): Response {
  if (request.method !== "GET" && request.method !== "POST") throw methodNotAllowed();
  const pod = existingPod(engine, namespace, name);
  const container = containerForLog(pod, query.get("container"));
  const command = query.getAll("command");
  if (command.length === 0) throw badRequest("you must specify at least one command for the container");
  const node = pod.spec.nodeName;
  if (node === undefined || node === "") throw badRequest(`pod ${name} does not have a host assigned`);
  if (execInPod === undefined) throw internalError("this server has no way to the nodes' containers");
  const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(",").map((one) => one.trim());
  const protocol = protocols.find((one) => offered.includes(one));
  if (
    /^spdy/i.test(request.headers.get("upgrade") ?? "") ||
    protocol === undefined ||
    upgrade === undefined
  ) {
    throw badRequest(
      `exec speaks WebSockets (${protocols.join(", ")}) here, as kubectl does from 1.31 on; with an older kubectl use: eniverse exec ${name} -n ${namespace} -- ${command.join(" ")}`,
    );
  }
  const isSet = (flag: string): boolean => ["true", "1"].includes(query.get(flag) ?? "");
  const run = new ExecRun(({ stdin, ...streams }) =>
    execInPod(
      { namespace, name, node },
      { container, command, tty: isSet("tty"), ...streams, ...(isSet("stdin") && { stdin }) },
    ),
  );
  if (!upgrade(request, { run }, protocol)) throw badRequest("exec needs a WebSocket");
  // The connection is no longer HTTP: whatever stands here is not sent.
  return new Response();
}

/** What a command of a WebSocket reads from and writes to. */
type Streams = Required<Pick<PodExecOptions, "stdin" | "onStdout" | "onStderr" | "onResizable" | "signal">>;

/** One command at one WebSocket. */
class ExecRun {
  readonly #start: (streams: Streams) => Promise<number>;
  readonly #stdin = new ByteQueue();
  readonly #gone = new AbortController();
  #resize: ((columns: number, rows: number) => void) | undefined;

  constructor(start: (streams: Streams) => Promise<number>) {
    this.#start = start;
  }

  /** Runs the command to its end, tells how it ended, and closes. */
  async open(socket: ServerWebSocket<ExecSocket>): Promise<void> {
    const send = (kind: number) => (chunk: Uint8Array) => {
      const frame = new Uint8Array(chunk.length + 1);
      frame[0] = kind;
      frame.set(chunk, 1);
      socket.sendBinary(frame);
    };
    let status: unknown;
    try {
      const exitCode = await this.#start({
        stdin: this.#stdin,
        onStdout: send(channel.stdout),
        onStderr: send(channel.stderr),
        onResizable: (resize) => {
          this.#resize = resize;
        },
        signal: this.#gone.signal,
      });
      status = exitCode === 0 ? { metadata: {}, status: "Success" } : nonZeroExit(exitCode);
    } catch (error) {
      status = {
        metadata: {},
        status: "Failure",
        reason: "InternalError",
        message: messageOf(error),
        code: 500,
      };
    }
    send(channel.error)(new TextEncoder().encode(JSON.stringify(status)));
    socket.close(1000);
  }

  receive(message: string | Uint8Array): void {
    if (typeof message === "string") return;
    const rest = message.subarray(1);
    if (message[0] === channel.stdin) this.#stdin.push(rest.slice());
    else if (message[0] === channel.close && rest[0] === channel.stdin) this.#stdin.end();
    else if (message[0] === channel.resize) this.#resizeTo(rest);
  }

  /** The client has gone. */
  close(): void {
    this.#stdin.end();
    this.#gone.abort();
  }

  #resizeTo(json: Uint8Array): void {
    let size: { readonly Width?: unknown; readonly Height?: unknown };
    try {
      size = JSON.parse(new TextDecoder().decode(json)) as typeof size;
    } catch {
      return;
    }
    const { Width: columns, Height: rows } = size;
    if (typeof columns === "number" && typeof rows === "number") this.#resize?.(columns, rows);
  }
}

function nonZeroExit(exitCode: number): unknown {
  return {
    metadata: {},
    status: "Failure",
    reason: "NonZeroExitCode",
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    details: { causes: [{ reason: "ExitCode", message: String(exitCode) }] },
  };
}

/** Chunks that are pushed on one side and iterated over on the other. */
class ByteQueue implements AsyncIterable<Uint8Array> {
  readonly #chunks: Uint8Array[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) yield chunk;
      else if (this.#ended) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

/** The WebSocket side of the server's listeners. */
export const execSockets = {
  // A command may be silent for long.
  idleTimeout: 0,
  open: (socket: ServerWebSocket<ExecSocket>) => void socket.data.run.open(socket),
  message: (socket: ServerWebSocket<ExecSocket>, message: string | Uint8Array) =>
    socket.data.run.receive(message),
  close: (socket: ServerWebSocket<ExecSocket>) => socket.data.run.close(),
};
