import type { Subprocess } from "bun";
import { messageOf } from "../../base/error.ts";
import type { ProcessIdentity } from "../../linux/process.ts";
import { execCommandLine } from "./exec.ts";
import { channel, type ExecExit, frame } from "./exec-protocol.ts";

export interface ExecRequest {
  readonly process: ProcessIdentity | undefined;
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly tty: boolean;
  readonly size: { readonly columns: number; readonly rows: number };
}

type Child = Subprocess<"pipe", "pipe" | "ignore", "pipe" | "ignore">;

/** One command that runs in a container for a client at the other end of a WebSocket. */
export class ExecSession {
  readonly #send: (frame: Uint8Array) => void;
  readonly #onEnd: () => void;
  #child: Child | undefined;
  #ended = false;

  constructor(send: (frame: Uint8Array) => void, onEnd: () => void) {
    this.#send = send;
    this.#onEnd = onEnd;
  }

  start(request: ExecRequest): void {
    try {
      const argv = execCommandLine(request.process, request.command, request.cwd);
      this.#child = request.tty ? this.#spawnWithTerminal(argv, request) : this.#spawn(argv, request);
    } catch (error) {
      this.#end({ exitCode: 126, error: messageOf(error) });
    }
  }

  /** A frame from the client. */
  receive(data: Uint8Array): void {
    const child = this.#child;
    if (child === undefined) return;
    const rest = data.subarray(1);
    if (data[0] === channel.stdin) {
      if (child.terminal !== undefined) child.terminal.write(rest);
      else if (rest.length === 0) child.stdin.end();
      else {
        child.stdin.write(rest);
        child.stdin.flush();
      }
    } else if (data[0] === channel.resize && child.terminal !== undefined) {
      const { columns, rows } = JSON.parse(new TextDecoder().decode(rest)) as {
        columns: number;
        rows: number;
      };
      child.terminal.resize(columns, rows);
    }
  }

  /** The client has gone, or the container: nobody wants the command any more. */
  close(): void {
    this.#ended = true;
    this.#child?.kill("SIGKILL");
  }

  #spawn(argv: string[], request: ExecRequest): Child {
    const child = Bun.spawn(argv, { env: { ...request.env }, stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    const pumps = [this.#pump(child.stdout, channel.stdout), this.#pump(child.stderr, channel.stderr)];
    void Promise.all([...pumps, child.exited]).then(() => this.#end({ exitCode: exitCodeOf(child) }));
    return child;
  }

  #spawnWithTerminal(argv: string[], request: ExecRequest): Child {
    const child = Bun.spawn(argv, {
      env: { TERM: "xterm", ...request.env },
      terminal: {
        cols: request.size.columns,
        rows: request.size.rows,
        data: (_terminal, data) => this.#send(frame(channel.stdout, data)),
      },
    });
    void child.exited.then(() => this.#end({ exitCode: exitCodeOf(child) }));
    return child as unknown as Child;
  }

  async #pump(stream: ReadableStream<Uint8Array>, kind: number): Promise<void> {
    for await (const chunk of stream) if (!this.#ended) this.#send(frame(kind, chunk));
  }

  #end(exit: ExecExit): void {
    if (!this.#ended) this.#send(frame(channel.exit, new TextEncoder().encode(JSON.stringify(exit))));
    this.#ended = true;
    this.#onEnd();
  }
}

/** As a shell reports it: 128 and the signal's number for a command that was killed. */
function exitCodeOf(child: { readonly exitCode: number | null }): number {
  return child.exitCode ?? 137;
}
