import { createServer, type Server } from "node:net";
import { EniverseError } from "../base/error.ts";
import { foreignSystemError } from "./errno.ts";
import { inNetns, type Netns } from "./netns.ts";
import { formatAddress } from "./rtnetlink/family.ts";
import type { IpAddress } from "./rtnetlink/values.ts";

/** Where echo listeners are. */
export interface EchoListener {
  readonly tcpPort: number;
  readonly udpPort: number;
  /** Closes both; what is connected is cut off. */
  close(): void;
}

export interface EchoOptions {
  /** 0.0.0.0 or :: is every address of that family. */
  readonly address: IpAddress;
  /** 0 (free ports) when absent. */
  readonly tcpPort?: number;
  readonly udpPort?: number;
}

/**
 * Opens a TCP and a UDP listener in `ns` that answer with the source that they saw, "10.0.1.17 40312\n": TCP as
 * soon as somebody connects, UDP for each datagram. Throws `already_exists` when a port is taken.
 */
export async function openEchoListener(ns: Netns, options: EchoOptions): Promise<EchoListener> {
  const host = formatAddress(options.address);
  const attempted = `listen on ${host}`;
  const tcp = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.end(`${socket.remoteAddress ?? "?"} ${socket.remotePort ?? 0}\n`);
  });
  // Both make their socket in the call itself, while the thread is in the namespace.
  const [listening, datagrams] = inNetns(ns, () => [
    listen(tcp, host, options.tcpPort ?? 0, attempted),
    Bun.udpSocket({
      hostname: host,
      port: options.udpPort ?? 0,
      socket: {
        data(socket, _bytes, port, address) {
          socket.send(`${address} ${port}\n`, port, address);
        },
      },
    }),
  ]);
  let udp: Awaited<typeof datagrams> | undefined;
  try {
    udp = await datagrams;
    const tcpPort = await listening;
    const opened = udp;
    return {
      tcpPort,
      udpPort: udp.port,
      close: () => {
        tcp.close();
        opened.close();
      },
    };
  } catch (error) {
    tcp.close();
    udp?.close();
    throw foreignSystemError(attempted, error);
  }
}

function listen(server: Server, host: string, port: number, attempted: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once("error", reject);
  server.listen({ host, port, ipv6Only: true }, () => {
    const address = server.address();
    if (typeof address === "object" && address !== null) resolve(address.port);
    else reject(new EniverseError("internal", { attempted, found: "no port" }));
  });
  return promise;
}
