// The Kubernetes API server of a lab: a store, the types, HTTP over TLS in front, and a client beside it.
//
// Data walks one way: `http/` reads a request, `decode` makes a draft of its body, the type's hooks (`types/`)
// complete and check it, `write` and `remove` put it into the `store`, and what the store announces reaches
// watchers (`watching`), dependents (`dependents`) and budgets (`disruption`).
import { mkdirSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { dirname, join } from "node:path";
import { seededRandom } from "../../base/random.ts";
import { formatKubeconfig } from "../../kube/kubeconfig.ts";
import { bootstrap, furnishNamespaces } from "./bootstrap.ts";
import { CertificateAuthority } from "./certificates.ts";
import { DependentsKeeper } from "./dependents.ts";
import { keepBudgets } from "./disruption.ts";
import type { Engine } from "./engine.ts";
import { expireEvents } from "./event-expiry.ts";
import { type ExecSocket, execSockets, type Upgrade } from "./http/exec.ts";
import { handleRequest } from "./http/handler.ts";
import { adminIdentity, type Identity, nodeIdentity, serviceAccountIdentity } from "./identity.ts";
import { createLocalClient } from "./local-client.ts";
import type { ApiServer, ApiServerOptions, Listener, TokenOwner } from "./options.ts";
import { Registry } from "./registry.ts";
import { ObjectStore } from "./store.ts";
import { TokenSigner } from "./tokens.ts";

/** Opens the store and starts keeping it; serves nothing before {@link ApiServer.listen}. */
export function createApiServer(options: ApiServerOptions): ApiServer {
  const { clock, log } = options;
  if (options.dbPath !== ":memory:") mkdirSync(dirname(options.dbPath), { recursive: true });
  const authority = new CertificateAuthority(options.tlsDir, clock);
  const tokens = new TokenSigner(join(options.tlsDir, "token.key"), clock);
  const store = new ObjectStore(options.dbPath);
  const engine: Engine = {
    store,
    registry: new Registry(store),
    clock,
    // A server that starts again from the same seed must not give out the same uids.
    random: seededRandom((options.random.int(2 ** 31) ^ Math.imul(store.revision(), 0x9e3779b1)) >>> 0),
    serviceCidr: options.serviceCidr ?? "10.100.0.0/16",
  };
  bootstrap(engine);
  const stopFurnishing = furnishNamespaces(engine, authority.cert);
  const dependents = new DependentsKeeper(engine);
  const stopBudgets = keepBudgets(engine);
  const stopExpiring = expireEvents(engine);

  const { readPodLog, execInPod } = options;
  const parts = { engine, tokens, readPodLog, execInPod, log };
  const listeners = new Set<Listener>();
  const handler = (request: Request, upgrade?: Upgrade): Promise<Response> =>
    handleRequest({ ...parts, upgrade }, request, callerOf(tokens, options, request));

  return {
    client: createLocalClient(engine),
    ca: authority.cert,
    handler: (request) => handler(request),
    listen: (hostname, port, names = []) => {
      const serving = authority.serving([
        ...(options.servingNames ?? []),
        ...names,
        ...addressesOf(hostname),
      ]);
      const listener = serve(handler, hostname, port, serving, () => listeners.delete(listener));
      listeners.add(listener);
      return listener;
    },
    kubeconfig: (url, contextName = "eniverse") =>
      formatKubeconfig({
        server: url,
        ca: authority.cert,
        token: tokens.sign(adminIdentity),
        contextName,
        userName: adminIdentity.user,
      }),
    tokenFor: (who) => tokens.sign(identityOf(who)),
    close: async () => {
      await Promise.all([...listeners].map((listener) => listener.stop()));
      stopFurnishing();
      stopBudgets();
      stopExpiring();
      dependents.stop();
      store.close();
    },
  };
}

function identityOf(who: TokenOwner): Identity {
  if ("admin" in who) return adminIdentity;
  if ("node" in who) return nodeIdentity(who.node);
  return serviceAccountIdentity(who.namespace, who.serviceAccount);
}

function callerOf(
  tokens: TokenSigner,
  { authenticate }: ApiServerOptions,
  request: Request,
): Identity | undefined {
  const header = request.headers.get("authorization") ?? "";
  if (!/^bearer /i.test(header)) return undefined;
  const token = header.slice(7).trim();
  const own = tokens.read(token);
  if (own !== undefined) return own;
  const owner = authenticate?.(token);
  return owner === undefined ? undefined : identityOf(owner);
}

/** What clients may call the listener; for a wildcard, all addresses of the namespace in which this is called. */
function addressesOf(hostname: string): string[] {
  if (hostname !== "0.0.0.0" && hostname !== "::") return [hostname];
  return Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.map(({ address }) => address),
  );
}

function serve(
  handler: (request: Request, upgrade: Upgrade) => Promise<Response>,
  hostname: string,
  port: number,
  tls: { readonly cert: string; readonly key: string },
  onStop: () => void,
): Listener {
  const server = Bun.serve<ExecSocket>({
    hostname,
    port,
    tls: { cert: tls.cert, key: tls.key },
    // Quiet watches are no reason to hang up.
    idleTimeout: 0,
    fetch: (request, self) =>
      handler(request, (upgraded, data, protocol) =>
        self.upgrade(upgraded, { data, headers: { "sec-websocket-protocol": protocol } }),
      ),
    websocket: execSockets,
  });
  const taken = server.port ?? port;
  const named = hostname.includes(":") ? `[${hostname}]` : hostname;
  return {
    hostname,
    port: taken,
    url: `https://${named}:${taken}`,
    stop: async () => {
      onStop();
      await server.stop(true);
    },
  };
}
