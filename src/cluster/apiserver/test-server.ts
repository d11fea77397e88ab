// A server for tests: everything in memory or in a folder of its own, time by hand, requests without a network.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "../../base/clock.ts";
import { noLog } from "../../base/log.ts";
import { seededRandom } from "../../base/random.ts";
import type { Pod } from "../../kube/resources.ts";
import type { ApiServer, ApiServerOptions } from "./options.ts";
import { createApiServer } from "./server.ts";

export const testStartMs = Date.parse("2024-05-01T10:00:00Z");

export interface TestServer extends AsyncDisposable {
  readonly server: ApiServer;
  readonly clock: ManualClock;
  readonly folder: string;
  /** The answer to a request of the administrator; `body` is sent as JSON. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

/** The fields of answers that tests look into; which are there depends on the answer. */
export interface AnswerBody {
  readonly message: string;
  readonly reason: string;
  readonly details: { readonly causes: { readonly reason: string; readonly field: string }[] };
  readonly metadata: {
    readonly name: string;
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status: Readonly<Record<string, unknown>>;
  readonly items: readonly { readonly metadata: { readonly name: string } }[];
  readonly resources: readonly { readonly name: string; readonly kind: string }[];
  readonly rows: readonly { readonly cells: unknown[]; readonly object: unknown }[];
  readonly columnDefinitions: readonly { readonly name: string; readonly priority: number }[];
}

export interface Answer {
  readonly status: number;
  readonly body: AnswerBody;
  readonly headers: Headers;
}

export function startTestServer(options: Partial<ApiServerOptions> = {}): TestServer {
  const folder = mkdtempSync(join(tmpdir(), "apiserver-"));
  const clock = new ManualClock(testStartMs);
  const server = createApiServer({
    dbPath: ":memory:",
    tlsDir: folder,
    clock,
    random: seededRandom(1),
    log: noLog,
    ...options,
  });
  const token = server.tokenFor({ admin: true });
  return {
    server,
    clock,
    folder,
    call: (method, path, body, headers) => ask(server, token, method, path, body, headers),
    [Symbol.asyncDispose]: async () => {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function ask(
  server: ApiServer,
  token: string | undefined,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await server.handler(
    new Request(`https://server${path}`, {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    }),
  );
  const text = await response.text();
  const isJson = response.headers.get("content-type") === "application/json";
  return {
    status: response.status,
    body: (isJson ? JSON.parse(text) : text) as AnswerBody,
    headers: response.headers,
  };
}

/** Lets the server's own work after a write be done. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export function aPod(name: string, more: { metadata?: object; spec?: object } = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", ...more.metadata },
    spec: { containers: [{ name: "c", image: "echo:1" }], ...more.spec },
  };
}
