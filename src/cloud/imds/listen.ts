import { plainAddress, setConnectionTtl } from "./ttl.ts";

/** The TTL of a connection that the metadata service has not touched (net.ipv4.ip_default_ttl). */
const ordinaryTtl = 64;

/** So many connections are remembered as lowered; of older ones that were closed meanwhile nobody asks again. */
const rememberedConnections = 4096;

/** Answers one request; the source address is what tells the instance. */
export type ImdsHandler = (
  request: Request,
  sourceAddress: string,
  setTtl: (ttl: number) => void,
) => Promise<Response>;

/**
 * Listens for metadata requests. The socket is made in the call, in the network namespace that the thread is in. Throws
 * the system's error when the address cannot be had.
 */
export function listenImds(
  hostname: string,
  port: number,
  answer: ImdsHandler,
): { readonly port: number; stop(): void } {
  /** Connections whose TTL was lowered, by peer; a later request on one gets the ordinary TTL back. */
  const lowered = new Set<string>();
  const server = Bun.serve({
    hostname,
    port,
    // The longest that the server allows: clients keep their connections from one look to the next.
    idleTimeout: 255,
    fetch: async (request, self) => {
      const peer = self.requestIP(request);
      if (peer === null) return new Response(null, { status: 400 });
      const key = `${peer.address} ${peer.port}`;
      if (lowered.delete(key)) setConnectionTtl(peer.address, peer.port, ordinaryTtl);
      return await answer(request, plainAddress(peer.address), (ttl) => {
        if (lowered.size >= rememberedConnections) lowered.clear();
        if (setConnectionTtl(peer.address, peer.port, ttl)) lowered.add(key);
      });
    },
  });
  return { port: server.port ?? port, stop: () => void server.stop(true) };
}
