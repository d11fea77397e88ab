import type { Ipv4 } from "../../addr/ipv4.ts";
import type { Ipv6 } from "../../addr/ipv6.ts";
import { type EchoListener, openEchoListener } from "../../linux/echo-listener.ts";
import { inNetns, type Netns } from "../../linux/netns.ts";

/**
 * The service of the internet that tells a client under which address and port it is seen: HTTP at every host of
 * the internet, lines and datagrams at the two echo addresses.
 *
 *     GET / (port 80)          {"address":"203.0.113.7","port":40312,"host":"198.51.100.10"}
 *     TCP port 7, at once      "203.0.113.7 40312\n"
 *     UDP port 7, each packet  "203.0.113.7 40312\n"
 */
export interface Echo {
  close(): Promise<void>;
}

export const echoHttpPort = 80;
export const echoLinePort = 7;

/** What an HTTP client of the echo service gets. */
export interface EchoAnswer {
  readonly address: string;
  readonly port: number;
  /** The Host header without its port: under which address the client reached the service. */
  readonly host: string;
}

export async function startEcho(netns: Netns, ip4: Ipv4, ip6: Ipv6): Promise<Echo> {
  const http = inNetns(netns, serveHttp);
  const listeners: EchoListener[] = [];
  const close = async (): Promise<void> => {
    for (const listener of listeners) listener.close();
    await http.stop(true);
  };
  try {
    for (const address of [ip4, ip6]) {
      const ports = { tcpPort: echoLinePort, udpPort: echoLinePort };
      listeners.push(await openEchoListener(netns, { address, ...ports }));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}

/** "::ffff:203.0.113.7" → "203.0.113.7": a socket of both families shows IPv4 peers as mapped addresses. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/, "");

function serveHttp(): { stop(closeActive: boolean): Promise<void> } {
  return Bun.serve({
    hostname: "::",
    port: echoHttpPort,
    fetch: (request, server) => {
      const peer = server.requestIP(request);
      if (request.method !== "GET" && request.method !== "HEAD")
        return new Response("wanted GET\n", { status: 405, headers: { allow: "GET, HEAD" } });
      const answer: EchoAnswer = {
        address: plain(peer?.address ?? ""),
        port: peer?.port ?? 0,
        host: new URL(request.url).hostname.replace(/^\[|\]$/g, ""),
      };
      return Response.json(answer);
    },
  });
}
