import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { Socket } from "bun";
import { messageOf } from "../../base/error.ts";
import { type CniRequest, type CniResponse, cniSocket, decodeRequest, encodeResponse } from "./protocol.ts";

interface Connection {
  received: Uint8Array;
  started: boolean;
  /** What is still to be written. */
  rest: Uint8Array;
}

/** A running listener on the CNI socket. */
export interface CniServer {
  /** Stops listening; calls that are under way are still answered. */
  close(): void;
}

/**
 * Listens for relays: one request and one response per connection. A stale socket file is replaced; the socket
 * is open to root only. `handle` must not reject.
 */
export function serveCni(
  handle: (request: CniRequest) => Promise<CniResponse>,
  path: string = cniSocket,
): CniServer {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  rmSync(path, { force: true });
  const listener = Bun.listen<Connection>({
    unix: path,
    socket: {
      open: (socket) => {
        socket.data = { received: new Uint8Array(), started: false, rest: new Uint8Array() };
      },
      data: (socket, bytes) => receive(socket, bytes, handle),
      drain: (socket) => send(socket),
      error: (socket) => {
        socket.end();
      },
    },
  });
  chmodSync(path, 0o600);
  return { close: () => listener.stop() };
}

function receive(
  socket: Socket<Connection>,
  bytes: Uint8Array,
  handle: (request: CniRequest) => Promise<CniResponse>,
): void {
  const connection = socket.data;
  if (connection.started) return;
  connection.received =
    connection.received.length === 0 ? bytes.slice() : Buffer.concat([connection.received, bytes]);
  let request: CniRequest | undefined;
  try {
    request = decodeRequest(connection.received);
  } catch (error) {
    answer(socket, { exitCode: 1, stdout: `${JSON.stringify({ code: 6, msg: messageOf(error) })}\n` });
    return;
  }
  if (request === undefined) return;
  connection.started = true;
  handle(request).then((response) => answer(socket, response));
}

function answer(socket: Socket<Connection>, response: CniResponse): void {
  socket.data.started = true;
  socket.data.rest = encodeResponse(response);
  send(socket);
}

/** Writes what the socket takes; `drain` brings the rest. */
function send(socket: Socket<Connection>): void {
  const connection = socket.data;
  if (connection.rest.length === 0) return;
  const written = socket.write(connection.rest);
  connection.rest = written < 0 ? new Uint8Array() : connection.rest.subarray(written);
  if (connection.rest.length === 0) socket.end();
}
