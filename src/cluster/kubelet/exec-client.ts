import { EniverseError } from "../../base/error.ts";
import { channel, type ExecExit, frame } from "./exec-protocol.ts";

export interface ExecOptions {
  /** The kubelet's socket. */
  readonly socket: string;
  readonly namespace: string;
  readonly pod: string;
  /** The pod's first container when absent. */
  readonly container?: string;
  readonly command: readonly string[];
  readonly tty?: { readonly columns: number; readonly rows: number };
  /** Chunks for the command's standard input; it is closed when they end. None: it is closed at once. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  readonly onStdout: (chunk: Uint8Array) => void;
  readonly onStderr: (chunk: Uint8Array) => void;
  /** Ends the command when it aborts. */
  readonly signal?: AbortSignal;
  /** Gets a function that tells the size of the terminal when it has changed. */
  readonly onResizable?: (resize: (columns: number, rows: number) => void) => void;
}

/**
 * Runs a command in a pod's container through the kubelet; resolves with its exit code. Throws `unavailable` when
 * the kubelet does not answer, `not_found` when there is no such pod, container or program.
 */
export async function execInPod(options: ExecOptions): Promise<number> {
  const { namespace, pod, container = "", tty } = options;
  const query = new URLSearchParams(options.command.map((word): [string, string] => ["command", word]));
  if (tty !== undefined) {
    query.set("tty", "true");
    query.set("columns", String(tty.columns));
    query.set("rows", String(tty.rows));
  }
  const path = `/exec/${[namespace, pod, container].map(encodeURIComponent).join("/")}?${query}`;
  const socket = new WebSocket(`ws+unix://${options.socket}:${path}`);
  socket.binaryType = "arraybuffer";
  const attempted = `run ${options.command[0] ?? "nothing"} in ${namespace}/${pod}`;
  const exit = Promise.withResolvers<ExecExit>();
  socket.onmessage = (event: MessageEvent<ArrayBuffer>) => {
    const data = new Uint8Array(event.data);
    const rest = data.subarray(1);
    if (data[0] === channel.stdout) options.onStdout(rest);
    else if (data[0] === channel.stderr) options.onStderr(rest);
    else if (data[0] === channel.exit) exit.resolve(JSON.parse(new TextDecoder().decode(rest)) as ExecExit);
  };
  socket.onerror = () =>
    exit.reject(
      new EniverseError("unavailable", { attempted, found: `no kubelet answers at ${options.socket}` }),
    );
  socket.onclose = () =>
    exit.reject(new EniverseError("unavailable", { attempted, found: "the kubelet closed the connection" }));
  socket.onopen = () => {
    options.onResizable?.((columns, rows) => {
      socket.send(frame(channel.resize, new TextEncoder().encode(JSON.stringify({ columns, rows }))));
    });
    void sendInput(socket, options.stdin);
  };
  const leave = (): void => socket.close();
  options.signal?.addEventListener("abort", leave, { once: true });
  try {
    const { exitCode, error } = await exit.promise;
    if (error !== undefined) throw new EniverseError("not_found", { attempted, found: error });
    return exitCode;
  } finally {
    options.signal?.removeEventListener("abort", leave);
    socket.close();
  }
}

async function sendInput(socket: WebSocket, stdin: AsyncIterable<Uint8Array> | undefined): Promise<void> {
  for await (const chunk of stdin ?? []) {
    if (socket.readyState !== WebSocket.OPEN) return;
    if (chunk.length > 0) socket.send(frame(channel.stdin, chunk));
  }
  if (socket.readyState === WebSocket.OPEN) socket.send(frame(channel.stdin, new Uint8Array(0)));
}
