import { writeSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import { parseArgs } from "node:util";

/**
 * The program of the image `eniverse/echo`: answers on one port in TCP, HTTP and UDP, and says who it is and whom
 * it sees, so that a client can check both ends of a connection.
 *
 *     GET /…            JSON: {"pod":…,"node":…,"podIP":…,"peer":"10.0.1.7:40312","local":"10.0.1.9:8080", …}
 *     other TCP bytes   each chunk comes back as it is; a connection that sends nothing first gets nothing
 *     "whoami\n" (TCP)  one line: POD POD_IP PEER_ADDRESS PEER_PORT
 *     UDP datagram      "whoami" is answered as above, anything else comes back as it is
 *
 * Flags: --port N (default: $PORT or 8080). Names come from the downward variables POD_NAME, POD_IP, NODE_NAME.
 */
const { values } = parseArgs({
  options: { port: { type: "string", default: process.env.PORT ?? "8080" } },
  strict: false,
});
const port = Number(values.port);
if (!Number.isInteger(port) || port < 1 || port > 65535) {
  writeSync(2, `eniverse/echo: --port ${String(values.port)} is not a port; wanted 1 to 65535\n`);
  process.exit(2);
}

const podName = process.env.POD_NAME ?? process.env.HOSTNAME ?? hostname();
const podIp = process.env.POD_IP ?? firstAddress();
const wildcard = hasIpv6() ? "::" : "0.0.0.0";

function firstAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find((address) => !address.internal && !address.address.startsWith("fe80:"))?.address ?? "";
}

function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some((address) => address.family === "IPv6"),
  );
}

/** "::ffff:10.0.1.7" → "10.0.1.7": a dual-stack socket shows IPv4 peers as mapped addresses. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/, "");

const whoami = (peer: string, peerPort: number): string => `${podName} ${podIp} ${plain(peer)} ${peerPort}\n`;

function answerHttp(head: string, local: string, peer: string, peerPort: number): string {
  const [method = "", target = ""] = head.split(" ");
  const body = `${JSON.stringify({
    pod: podName,
    namespace: process.env.POD_NAMESPACE ?? "",
    node: process.env.NODE_NAME ?? "",
    podIP: podIp,
    local: `${plain(local)}:${port}`,
    peer: `${plain(peer)}:${peerPort}`,
    method,
    path: target,
  })}\n`;
  const shown = method === "HEAD" ? "" : body;
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${shown}`;
}

const methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];
const isHttp = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH) \S+ HTTP\/1\.[01]\r?\n/;

/** True while the next bytes may still make the text an HTTP request or the word whoami. */
function mayBecomeRequest(text: string): boolean {
  if ("whoami\r\n".startsWith(text)) return true;
  return methods.some((method) =>
    text.length <= method.length
      ? method.startsWith(text)
      : text.startsWith(`${method} `) && !text.includes("\n"),
  );
}

Bun.listen<{ pending: string; raw: boolean }>({
  hostname: wildcard,
  port,
  socket: {
    open(socket) {
      socket.data = { pending: "", raw: false };
    },
    data(socket, chunk) {
      const state = socket.data;
      if (state.raw) {
        socket.write(chunk);
        return;
      }
      state.pending += chunk.toString("latin1");
      if (isHttp.test(state.pending)) {
        const end = state.pending.indexOf("\r\n\r\n");
        if (end < 0) return;
        const head = state.pending.slice(0, end);
        state.pending = state.pending.slice(end + 4);
        socket.write(answerHttp(head, socket.localAddress, socket.remoteAddress, socket.remotePort));
        if (/^connection:\s*close/im.test(head) || / HTTP\/1\.0/.test(head)) socket.end();
        return;
      }
      if (state.pending === "whoami\n" || state.pending === "whoami\r\n") {
        state.pending = "";
        socket.write(whoami(socket.remoteAddress, socket.remotePort));
        return;
      }
      if (mayBecomeRequest(state.pending)) return;
      state.raw = true;
      socket.write(Buffer.from(state.pending, "latin1"));
      state.pending = "";
    },
    end(socket) {
      socket.end();
    },
    error() {},
  },
});

const udp = await Bun.udpSocket({
  hostname: wildcard,
  port,
  socket: {
    data(socket, datagram, peerPort, peer) {
      const text = datagram.toString("latin1").trim();
      socket.send(text === "whoami" ? whoami(peer, peerPort) : datagram, peerPort, peer);
    },
    error() {},
  },
});

// process.stdout would take longer to load than everything else here together (13 ms).
writeSync(1, `eniverse/echo: ${podName} answers on port ${port} (TCP, HTTP, UDP)\n`);
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    udp.close();
    writeSync(1, `eniverse/echo: ${signal}, bye\n`);
    process.exit(0);
  });
}
