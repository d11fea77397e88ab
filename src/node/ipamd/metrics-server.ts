import { expositionContentType } from "./exposition.ts";
import { pathOf } from "./introspection.ts";
import type { Metrics } from "./metrics.ts";

/** Serves /metrics on all of the node's addresses; stop it with the returned function. */
export function serveMetrics(metrics: Metrics, port: number): () => Promise<void> {
  const server = Bun.serve({
    hostname: "0.0.0.0",
    port,
    idleTimeout: 5,
    development: false,
    fetch: (request) =>
      pathOf(request) === "/metrics"
        ? new Response(metrics.expose(), { headers: { "content-type": expositionContentType } })
        : new Response("404 page not found\n", { status: 404 }),
  });
  return () => server.stop(true);
}
