import { chmodSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { logFile } from "./containers.ts";
import { type ExecRequest, ExecSession } from "./exec-session.ts";
import type { Kubelet } from "./kubelet.ts";
import { readLog } from "./logs.ts";
import type { PodWorker } from "./pod-worker.ts";

/**
 * HTTP over the kubelet's Unix socket, for the lab and the command line:
 *
 *     GET /healthz                                              ok
 *     GET /logs/NS/POD/CONTAINER?follow&tail&previous&limit&since&timestamps
 *                                                           the log as it was written; 404 while there is none
 *     GET /exec/NS/POD/CONTAINER?command=…&tty&columns&rows     a WebSocket, see exec-protocol.ts
 *
 * An empty CONTAINER means the pod's first.
 */
export function serveKubelet(
  kubelet: Kubelet,
  socketPath: string,
  logDir: string,
): { stop(): Promise<void> } {
  mkdirSync(dirname(socketPath), { recursive: true });
  rmSync(socketPath, { force: true });
  const server = Bun.serve<{ readonly request: ExecRequest; session?: ExecSession }>({
    unix: socketPath,
    fetch: (request, self) => {
      const url = new URL(request.url);
      const [, action = "", ...rest] = url.pathname.split("/");
      if (action === "healthz") return new Response("ok\n");
      const [namespace = "", pod = "", named = ""] = rest.map(decodeURIComponent);
      const worker = kubelet.worker(namespace, pod);
      if (worker === undefined) return answer(404, `pod "${namespace}/${pod}" is not on this node`);
      const { containers, initContainers = [] } = worker.pod.spec;
      const container = named === "" ? (containers[0]?.name ?? "") : named;
      if (![...containers, ...initContainers].some(({ name }) => name === container)) {
        return answer(404, `container ${container} is not valid for pod ${pod}`);
      }
      if (action === "logs") return logs(worker, container, url.searchParams, request.signal, logDir);
      if (action !== "exec") return answer(404, `${url.pathname} is not served here`);
      const exec = execRequest(worker, container, url.searchParams);
      if (typeof exec === "string") return answer(400, exec);
      return self.upgrade(request, { data: { request: exec } })
        ? undefined
        : answer(400, "exec needs a WebSocket");
    },
    websocket: {
      // A command may think for long.
      idleTimeout: 0,
      open: (socket) => {
        const session = new ExecSession(
          (data) => socket.sendBinary(data),
          () => socket.close(),
        );
        socket.data.session = session;
        session.start(socket.data.request);
      },
      message: (socket, message) => {
        if (typeof message !== "string") socket.data.session?.receive(message);
      },
      close: (socket) => socket.data.session?.close(),
    },
  });
  chmodSync(socketPath, 0o660);
  return {
    stop: async () => {
      await server.stop(true);
      rmSync(socketPath, { force: true });
    },
  };
}

const answer = (status: number, text: string): Response => new Response(`${text}\n`, { status });
const isSet = (value: string | null): boolean => value !== null && value !== "false";

function logs(
  worker: PodWorker,
  container: string,
  query: URLSearchParams,
  signal: AbortSignal,
  logDir: string,
): Response {
  const known = worker.state.containers[container];
  const run = known?.restartCount ?? 0;
  const wanted = isSet(query.get("previous")) ? run - 1 : run;
  const file = logFile(logDir, worker.pod, container, wanted);
  if (wanted < 0)
    return answer(
      400,
      `previous terminated container "${container}" in pod "${worker.pod.metadata.name}" not found`,
    );
  if (!existsSync(file)) {
    const reason = known?.waiting?.reason ?? "ContainerCreating";
    return answer(
      404,
      `container "${container}" in pod "${worker.pod.metadata.name}" is waiting to start: ${reason}`,
    );
  }
  const runId = known?.run?.id;
  const tail = query.get("tail");
  const limit = query.get("limit");
  const since = query.get("since");
  const body = readLog(file, {
    follow: isSet(query.get("follow")),
    ...(tail !== null && { tailLines: Number(tail) }),
    ...(limit !== null && { limitBytes: Number(limit) }),
    ...(since !== null && { sinceMs: Number(since) }),
    timestamps: isSet(query.get("timestamps")),
    signal,
    isOpen: () =>
      wanted === run && runId !== undefined && worker.state.containers[container]?.run?.id === runId,
  });
  return new Response(body, { headers: { "content-type": "text/plain" } });
}

function execRequest(worker: PodWorker, container: string, query: URLSearchParams): ExecRequest | string {
  const command = query.getAll("command");
  if (command.length === 0) return "exec needs a command";
  const known = worker.state.containers[container];
  const spec = worker.pod.spec.containers.find(({ name }) => name === container);
  return {
    process: known?.run?.process,
    command,
    cwd: spec?.workingDir ?? "/",
    env: {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: "/root",
      HOSTNAME: worker.pod.metadata.name,
      ...Object.fromEntries(
        (spec?.env ?? []).flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])),
      ),
    },
    tty: isSet(query.get("tty")),
    size: { columns: Number(query.get("columns") ?? 80), rows: Number(query.get("rows") ?? 24) },
  };
}
