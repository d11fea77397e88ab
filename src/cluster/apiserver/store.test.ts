import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../base/random.ts";
import { pods } from "../../kube/resources.ts";
import { type Change, ObjectStore, RevisionGone } from "./store.ts";
import { aPod, startTestServer } from "./test-server.ts";

function temporaryFolder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "store-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

const object = (name: string) => ({ apiVersion: "v1", kind: "X", metadata: { name } });

describe("store", () => {
  test("every write takes the next revision and is announced", () => {
    const store = new ObjectStore(":memory:");
    const seen: Change[] = [];
    const stop = store.subscribe("xs", (change) => seen.push(change));
    const first = store.put("xs", object("a"));
    store.put("ys", object("a"));
    const second = store.put("xs", object("a"));
    store.remove("xs", "", "a");
    stop();
    store.put("xs", object("b"));
    expect(seen.map(({ type, now, before }) => [type, now.revision, before?.revision])).toEqual([
      ["ADDED", first.revision, undefined],
      ["MODIFIED", second.revision, first.revision],
      ["DELETED", second.revision + 1, second.revision],
    ]);
    expect(second.object.metadata).toMatchObject({ resourceVersion: String(second.revision) });
    expect(store.list("xs").map((stored) => stored.object.metadata.name)).toEqual(["b"]);
    store.close();
  });

  test("the history reaches back only so far", () => {
    const store = new ObjectStore(":memory:", { historyLength: 5 });
    const start = store.revision();
    for (let index = 0; index < 11; index++) store.put(index % 2 === 0 ? "xs" : "ys", object("a"));
    expect(() => store.changesAfter("xs", start)).toThrow(RevisionGone);
    expect(() => store.changesAfter("xs", store.revision() + 1)).toThrow(RevisionGone);
    expect(store.changesAfter("xs", store.revision())).toEqual([]);
    expect(store.changesAfter("xs", store.revision() - 3).map(({ now }) => now.revision)).toEqual([
      store.revision() - 2,
      store.revision(),
    ]);
    store.compact();
    expect(() => store.changesAfter("xs", store.revision() - 1)).toThrow(RevisionGone);
    store.close();
  });

  test("what was written is there after a restart, and old watches are told to list", async () => {
    using folder = temporaryFolder();
    const dbPath = join(folder.path, "cluster.sqlite");
    let revision = "";
    let uid: string | undefined;
    {
      await using lab = startTestServer({ dbPath });
      const { client } = lab.server;
      uid = (await client.create(pods, aPod("a"))).metadata.uid;
      await client.create(pods, aPod("b"));
      await client.delete(pods, "b", { namespace: "default" });
      revision = (await client.list(pods)).resourceVersion;
    }
    await using lab = startTestServer({ dbPath, random: seededRandom(1) });
    const { client } = lab.server;
    const { items, resourceVersion } = await client.list(pods);
    expect(items.map(({ metadata }) => [metadata.name, metadata.uid])).toEqual([["a", uid]]);
    expect(Number(resourceVersion)).toBeGreaterThanOrEqual(Number(revision));
    const watching = client.watch(pods, { resourceVersion: "3" })[Symbol.asyncIterator]().next();
    await expect(watching).rejects.toMatchObject({ parts: { facts: { status: 410 } } });
    // The same seed must not give the same identity twice.
    const uids = new Set([
      uid,
      (await client.create(pods, aPod("c"))).metadata.uid,
      (await client.create(pods, aPod("d"))).metadata.uid,
    ]);
    expect(uids.size).toBe(3);
  });

  test("nothing that was acknowledged is lost when the process is killed", async () => {
    using folder = temporaryFolder();
    const dbPath = join(folder.path, "cluster.sqlite");
    const program = `
      import { ObjectStore } from ${JSON.stringify(join(import.meta.dir, "store.ts"))};
      const store = new ObjectStore(process.argv[1]);
      for (let index = 0; ; index++) {
        store.put("xs", { apiVersion: "v1", kind: "X", metadata: { name: String(index) } });
        await new Promise((resolve) => process.stdout.write(index + "\\n", resolve));
      }`;
    const child = Bun.spawn([process.execPath, "-e", program, dbPath], { stdout: "pipe", stderr: "inherit" });
    let told = "";
    for await (const chunk of child.stdout) {
      told += new TextDecoder().decode(chunk);
      if (told.split("\n").length > 200) child.kill("SIGKILL");
    }
    await child.exited;
    const acknowledged = told.trim().split("\n").length - (told.endsWith("\n") ? 0 : 1);
    const store = new ObjectStore(dbPath);
    const kept = new Set(store.list("xs").map((stored) => stored.object.metadata.name));
    expect(acknowledged).toBeGreaterThanOrEqual(200);
    for (let index = 0; index < acknowledged; index++) expect(kept).toContain(String(index));
    expect(store.revision()).toBe(kept.size + 1);
    store.close();
  });

  test("a file that is no store is refused", async () => {
    using folder = temporaryFolder();
    const dbPath = join(folder.path, "x");
    await Bun.write(dbPath, "this is no database, but it is long enough to be looked at as one".repeat(20));
    expect(() => new ObjectStore(dbPath)).toThrow(/cannot open the cluster's store/);
  });
});
