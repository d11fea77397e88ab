// The client and the informer against a server over TLS on loopback.
import { describe, expect, test } from "bun:test";
import { EniverseError } from "../../base/error.ts";
import type { KubeClient } from "../../kube/client.ts";
import { createKubeClient } from "../../kube/fetch-client.ts";
import { startInformer } from "../../kube/informer.ts";
import { clientConfigOf } from "../../kube/kubeconfig.ts";
import { nodes, type Pod, pods } from "../../kube/resources.ts";
import type { Listener } from "./options.ts";
import { aPod, startTestServer, type TestServer } from "./test-server.ts";

interface Served extends AsyncDisposable {
  readonly lab: TestServer;
  readonly listener: Listener;
  readonly client: KubeClient;
}

function serve(): Served {
  const lab = startTestServer();
  const listener = lab.server.listen("127.0.0.1", 0);
  const client = createKubeClient(clientConfigOf(lab.server.kubeconfig(listener.url)));
  return { lab, listener, client, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
}

/** Resolves when `isDone` holds; the informer's changes ask again. */
function until(isDone: () => boolean): { readonly check: () => void; readonly done: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { check: () => isDone() && resolve(), done: promise };
}

describe("the client over HTTP", () => {
  test("does what the local one does", async () => {
    await using served = serve();
    const { client } = served;
    expect((await client.version()).gitVersion).toMatch(/^v1\./);
    const made = await client.create(pods, aPod("p"));
    expect(await client.get(pods, "p", "default")).toEqual(made);
    const labelled = await client.patch(
      pods,
      "p",
      { metadata: { labels: { a: "b" } } },
      { namespace: "default" },
    );
    const strategic = { spec: { containers: [{ name: "c", image: "echo:2" }] } };
    const image = await client.patch(pods, "p", strategic, { namespace: "default", kind: "strategic" });
    expect(image.spec.containers[0]?.image).toBe("echo:2");
    await client.updateStatus(pods, { ...image, status: { phase: "Running" } });
    const { items } = await client.list(pods, {
      namespace: "default",
      labelSelector: "a=b",
      fieldSelector: "status.phase=Running",
    });
    expect(items.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual(["Pod p"]);
    await expect(client.update(pods, labelled)).rejects.toMatchObject({ code: "conflict" });
    await expect(client.create(pods, aPod("p"))).rejects.toMatchObject({ code: "already_exists" });
    await client.delete(pods, "p", { namespace: "default", gracePeriodSeconds: 0 });
    const gone = await client.get(pods, "p", "default").catch((error: unknown) => error);
    expect(gone).toBeInstanceOf(EniverseError);
    expect((gone as EniverseError).message).toBe('cannot get pods p: pods "p" not found');
    expect((gone as EniverseError).parts.facts).toEqual({ status: 404, reason: "NotFound" });
  });

  test("trusts only the cluster's own authority, and is nobody without its token", async () => {
    await using served = serve();
    const { server, ca } = { server: served.listener.url, ca: served.lab.server.ca };
    await expect(createKubeClient({ server }).version()).rejects.toMatchObject({ code: "unavailable" });
    await expect(createKubeClient({ server, ca }).version()).rejects.toMatchObject({
      code: "permission_denied",
    });
    const token = served.lab.server.tokenFor({ node: "n" });
    expect((await createKubeClient({ server, ca, token: () => token }).version()).gitVersion).toBeDefined();
    await expect(createKubeClient({ server: "https://127.0.0.1:1", ca }).version()).rejects.toMatchObject({
      code: "unavailable",
    });
  });

  test("a watch delivers, and ends when it is told to", async () => {
    await using served = serve();
    const { client, lab } = served;
    const { resourceVersion } = await client.list(pods);
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const event of client.watch(pods, { resourceVersion, signal: stop.signal })) {
        if (event.type !== "BOOKMARK") seen.push(`${event.type} ${event.object.metadata.name}`);
        if (seen.length === 3) stop.abort();
      }
    })();
    await lab.server.client.create(pods, aPod("a"));
    await lab.server.client.create(pods, aPod("b"));
    await lab.server.client.delete(pods, "a", { namespace: "default" });
    await watching;
    expect(seen).toEqual(["ADDED a", "ADDED b", "DELETED a"]);
    const old = client.watch(pods, { resourceVersion: "1000000" })[Symbol.asyncIterator]().next();
    await expect(old).rejects.toMatchObject({
      code: "conflict",
      parts: { facts: { status: 410, reason: "Expired" } },
    });
  });

  test("a quiet watch answers at once", async () => {
    await using served = serve();
    const stop = new AbortController();
    const token = served.lab.server.tokenFor({ admin: true });
    const { resourceVersion } = await served.client.list(pods);
    const url = `${served.listener.url}/api/v1/pods?watch=true&resourceVersion=${resourceVersion}`;
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${token}` },
      signal: stop.signal,
      tls: { ca: served.lab.server.ca },
    } as RequestInit);
    stop.abort();
    expect(response.status).toBe(200);
  });

  test("listeners come and go", async () => {
    await using served = serve();
    const second = served.lab.server.listen("127.0.0.1", 0, ["api.example"]);
    expect(second.port).not.toBe(served.listener.port);
    const client = createKubeClient(clientConfigOf(served.lab.server.kubeconfig(second.url)));
    expect((await client.list(nodes)).items).toEqual([]);
    await second.stop();
    await expect(client.version()).rejects.toMatchObject({ code: "unavailable" });
    expect((await served.client.version()).gitVersion).toBeDefined();
  });
});

describe("the informer", () => {
  for (const kind of ["over HTTP", "in the same process"]) {
    test(`keeps a copy ${kind}`, async () => {
      await using served = serve();
      const { lab } = served;
      const client = kind === "over HTTP" ? served.client : lab.server.client;
      await lab.server.client.create(pods, aPod("a"));
      const heard: string[] = [];
      const waiting = until(() => heard.length >= 4);
      const informer = startInformer<Pod>(client, pods, {
        namespace: "default",
        onAdd: ({ metadata }) => heard.push(`add ${metadata.name}`),
        onUpdate: ({ metadata }, before) =>
          heard.push(`update ${metadata.name} ${before.metadata.labels?.x ?? "-"}`),
        onDelete: ({ metadata }) => heard.push(`delete ${metadata.name}`),
        onChange: () => waiting.check(),
      });
      await informer.synced;
      expect(informer.get("a", "default")?.metadata.name).toBe("a");
      await lab.server.client.create(pods, aPod("b"));
      await lab.server.client.patch(
        pods,
        "b",
        { metadata: { labels: { x: "1" } } },
        { namespace: "default" },
      );
      await lab.server.client.delete(pods, "a", { namespace: "default" });
      await waiting.done;
      informer.stop();
      expect(heard).toEqual(["add a", "add b", "update b -", "delete a"]);
      expect(informer.list().map(({ metadata }) => metadata.name)).toEqual(["b"]);
    });
  }

  test("lists again after the server was away, and tells what it missed", async () => {
    await using served = serve();
    const { lab, listener, client } = served;
    await lab.server.client.create(pods, aPod("a"));
    const heard: string[] = [];
    const waiting = until(() => heard.includes("delete a") && heard.includes("add b"));
    const informer = startInformer<Pod>(client, pods, {
      onAdd: ({ metadata }) => heard.push(`add ${metadata.name}`),
      onDelete: ({ metadata }) => heard.push(`delete ${metadata.name}`),
      onChange: () => waiting.check(),
    });
    await informer.synced;
    await listener.stop();
    await lab.server.client.delete(pods, "a", { namespace: "default" });
    await lab.server.client.create(pods, aPod("b"));
    lab.server.listen("127.0.0.1", listener.port);
    await waiting.done;
    informer.stop();
    expect(heard).toEqual(["add a", "delete a", "add b"]);
  });

  test("one that is stopped before its first list says so", async () => {
    const stop = new AbortController();
    const client = createKubeClient({ server: "https://127.0.0.1:1" });
    const informer = startInformer(client, pods, { signal: stop.signal });
    stop.abort();
    await expect(informer.synced).rejects.toThrow();
    expect(informer.isSynced()).toBe(false);
  });
});
