// What an API server is made with, and what it offers.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import type { KubeClient } from "../../kube/client.ts";

export interface PodLogOptions {
  /** The container, already checked to be one of the pod's. */
  readonly container: string;
  readonly follow: boolean;
  /** The last so many lines only. */
  readonly tailLines?: number;
  /** Of the container's previous run. */
  readonly previous: boolean;
  readonly timestamps: boolean;
  /** Only what was written at this time or later (ms since the epoch). */
  readonly sinceMs?: number;
  readonly limitBytes?: number;
  /** Aborts when the reader has gone. */
  readonly signal: AbortSignal;
}

/**
 * Reads a container's log. Rejects with `not_found` when there is none yet (kubectl sees the message), and with
 * `unavailable` when the node does not answer.
 */
export type ReadPodLog = (
  pod: { readonly namespace: string; readonly name: string; readonly uid: string; readonly node: string },
  options: PodLogOptions,
) => Promise<ReadableStream<Uint8Array>>;

export interface PodExecOptions {
  /** The container, already checked to be one of the pod's. */
  readonly container: string;
  readonly command: readonly string[];
  /** Gives the command a terminal. */
  readonly tty: boolean;
  /** Chunks for the command's standard input, which is closed when they end; at once when there are none. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  readonly onStdout: (chunk: Uint8Array) => void;
  readonly onStderr: (chunk: Uint8Array) => void;
  /** Gets a function that tells the terminal's new size. */
  readonly onResizable: (resize: (columns: number, rows: number) => void) => void;
  /** Aborts when nobody wants the command any more. */
  readonly signal: AbortSignal;
}

/** Runs a command in a container and resolves with its exit code; rejects when it could not be run. */
export type ExecInPod = (
  pod: { readonly namespace: string; readonly name: string; readonly node: string },
  options: PodExecOptions,
) => Promise<number>;

export interface ApiServerOptions {
  /** The SQLite file; ":memory:" keeps nothing. */
  readonly dbPath: string;
  /** Folder of the CA, the serving certificate and the token key; made when absent. */
  readonly tlsDir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly readPodLog?: ReadPodLog;
  readonly execInPod?: ExecInPod;
  /** Whose a bearer token is that the server has not signed itself; undefined: nobody's. */
  readonly authenticate?: (token: string) => TokenOwner | undefined;
  /** Names and addresses that the serving certificate holds for, beside localhost, 127.0.0.1 and ::1. */
  readonly servingNames?: readonly string[];
  /** IPv4 range of cluster IPs; the first address is the `kubernetes` service's. "10.100.0.0/16" by default. */
  readonly serviceCidr?: string;
}

export interface Listener {
  readonly hostname: string;
  readonly port: number;
  /** "https://127.0.0.1:6443". */
  readonly url: string;
  stop(): Promise<void>;
}

export type TokenOwner =
  | { readonly serviceAccount: string; readonly namespace: string }
  | { readonly node: string }
  | { readonly admin: true };

export interface ApiServer {
  /** A client over the store, without HTTP, as the control plane's own identity. */
  readonly client: KubeClient;
  /** PEM of the certificate authority. */
  readonly ca: string;
  /** Answers one request; authenticates it by its bearer token. */
  handler(request: Request): Promise<Response>;
  /**
   * Serves over TLS. The socket is made in the call itself, so that it can be called inside a namespace; may be
   * called several times. Port 0 takes a free one. The certificate holds for the hostname (for a wildcard: the
   * addresses that the namespace has at the time of the call), the standing names, and `names`.
   */
  listen(hostname: string, port: number, names?: readonly string[]): Listener;
  /** A kubeconfig (YAML) of the administrator. */
  kubeconfig(url: string, contextName?: string): string;
  /** A bearer token that holds for ever. */
  tokenFor(who: TokenOwner): string;
  close(): Promise<void>;
}
