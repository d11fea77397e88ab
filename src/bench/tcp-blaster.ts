/**
 * Sends or receives as many bytes over one TCP connection as go through, with plain blocking system calls:
 *
 *     tcp-blaster.ts receive ADDRESS PORT          prints {"bytes":…,"seconds":…} when the sender is done
 *     tcp-blaster.ts send    ADDRESS PORT SECONDS  prints {} when its time is over
 */
import { parseIpv4 } from "../addr/ipv4.ts";
import { EniverseError } from "../base/error.ts";
import { errno } from "../linux/errno.ts";
import { AF_INET, check, closeFd, lastErrno, raw, SOCK_CLOEXEC, SOCK_STREAM } from "../linux/libc.ts";
import { encodeSockaddr } from "../linux/sockaddr.ts";

const chunkBytes = 512 * 1024;
const connectLimitMs = 10_000;

const [mode = "", address = "", port = "", seconds = ""] = process.argv.slice(2);
const endpoint = encodeSockaddr({ address: parseIpv4(address), port: Number(port) });
const chunk = new Uint8Array(chunkBytes);

process.stdout.write(JSON.stringify(mode === "receive" ? receive() : send(Number(seconds))));

function receive(): { bytes: number; seconds: number } {
  const listener = openSocket();
  check(raw.bind(listener, endpoint, endpoint.length), `listen on ${address}:${port}`);
  check(raw.listen(listener, 1), `listen on ${address}:${port}`);
  const connection = check(raw.accept(listener, null, null), "accept a connection");
  let bytes = check(raw.recv(connection, chunk, chunk.length, 0), "receive");
  const start = performance.now();
  bytes = 0;
  for (;;) {
    const got = check(raw.recv(connection, chunk, chunk.length, 0), "receive");
    if (got === 0) break;
    bytes += got;
  }
  return { bytes, seconds: (performance.now() - start) / 1000 };
}

function send(limitSeconds: number): object {
  const connection = connectPatiently();
  const end = performance.now() + limitSeconds * 1000;
  while (performance.now() < end) check(raw.send(connection, chunk, chunk.length, 0), "send");
  closeFd(connection);
  return {};
}

/** The receiver may still be starting. */
function connectPatiently(): number {
  for (const deadline = Date.now() + connectLimitMs; ; Bun.sleepSync(20)) {
    const socket = openSocket();
    if (raw.connect(socket, endpoint, endpoint.length) === 0) return socket;
    const failure = lastErrno();
    closeFd(socket);
    if (failure !== errno.ECONNREFUSED || Date.now() > deadline) {
      throw new EniverseError("unavailable", {
        attempted: `connect to ${address}:${port}`,
        found: `errno ${failure}`,
      });
    }
  }
}

function openSocket(): number {
  return check(raw.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "open a socket");
}
