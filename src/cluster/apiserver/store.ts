// The objects of the cluster: in memory for reading, in SQLite for keeping. Every write takes the next revision of
// one global counter; the last writes stay in memory so that a watch can start in the past.
import { Database } from "bun:sqlite";
import { EniverseError } from "../../base/error.ts";
import type { KubeObject } from "../../kube/objects.ts";

/** One state of one object. Neither it nor its object is ever changed. */
export interface Stored {
  readonly revision: number;
  readonly object: KubeObject;
  /** The object as JSON. */
  readonly json: string;
}

/** One write. For a deletion `now` is the last state under the revision of the deletion. */
export interface Change {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly collection: string;
  readonly now: Stored;
  readonly before?: Stored;
}

export type ChangeListener = (change: Change) => void;

/** What a watch gets when it asks for a revision that the history does not reach back to. */
export class RevisionGone extends Error {
  readonly requested: number;
  readonly oldest: number;

  constructor(requested: number, oldest: number) {
    super(`revision ${requested} is not in the history, which begins after ${oldest}`);
    this.requested = requested;
    this.oldest = oldest;
  }
}

class Collection {
  readonly objects = new Map<string, Stored>();
  readonly listeners = new Set<ChangeListener>();
  /** The keys in order; absent after one came or went. */
  sortedKeys: string[] | undefined;
}

const schemaVersion = 1;

export class ObjectStore {
  readonly #db: Database;
  readonly #collections = new Map<string, Collection>();
  readonly #everywhere = new Set<ChangeListener>();
  readonly #historyLength: number;
  readonly #write: (collection: string, key: string, revision: number, json: string | undefined) => void;
  #history: Change[] = [];
  /** Changes after this revision are in the history. */
  #oldest: number;
  #revision: number;

  /** Opens or makes the file; throws `corrupted` when it is not this store's. */
  constructor(dbPath: string, options: { readonly historyLength?: number } = {}) {
    this.#historyLength = options.historyLength ?? 10_000;
    this.#db = openDatabase(dbPath);
    const rows = this.#db
      .query<{ collection: string; key: string; revision: number; json: string }, []>(
        "SELECT collection, key, revision, json FROM objects",
      )
      .all();
    for (const row of rows) {
      const object = JSON.parse(row.json) as KubeObject;
      this.#collection(row.collection).objects.set(row.key, {
        revision: row.revision,
        object,
        json: row.json,
      });
    }
    const kept = this.#db.query<{ revision: number }, []>("SELECT revision FROM counter").get();
    this.#revision = kept?.revision ?? 1;
    this.#oldest = this.#revision;
    const put = this.#db.prepare(
      "INSERT INTO objects (collection, key, revision, json) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (collection, key) DO UPDATE SET revision = ?3, json = ?4",
    );
    const drop = this.#db.prepare("DELETE FROM objects WHERE collection = ?1 AND key = ?2");
    const count = this.#db.prepare("UPDATE counter SET revision = ?1");
    this.#write = this.#db.transaction(
      (collection: string, key: string, revision: number, json: string | undefined) => {
        if (json === undefined) drop.run(collection, key);
        else put.run(collection, key, revision, json);
        count.run(revision);
      },
    );
  }

  /** The revision of the last write. */
  revision(): number {
    return this.#revision;
  }

  get(collection: string, namespace: string, name: string): Stored | undefined {
    return this.#collections.get(collection)?.objects.get(keyOf(namespace, name));
  }

  /** Sorted by namespace and name; of every namespace when none is given. */
  list(collection: string, namespace = ""): readonly Stored[] {
    const found = this.#collections.get(collection);
    if (found === undefined) return [];
    found.sortedKeys ??= [...found.objects.keys()].sort();
    const keys =
      namespace === "" ? found.sortedKeys : found.sortedKeys.filter((key) => key.startsWith(`${namespace}/`));
    return keys.flatMap((key) => found.objects.get(key) ?? []);
  }

  /** The names of the collections that hold something. */
  collections(): string[] {
    return [...this.#collections].filter(([, { objects }]) => objects.size > 0).map(([name]) => name);
  }

  /** Keeps a state under the next revision, which it writes into the object's metadata. The object is taken over. */
  put(collection: string, object: KubeObject): Stored {
    const { objects } = this.#collection(collection);
    const key = keyOf(object.metadata.namespace ?? "", object.metadata.name);
    const revision = this.#revision + 1;
    object.metadata.resourceVersion = String(revision);
    const json = JSON.stringify(object);
    this.#write(collection, key, revision, json);
    this.#revision = revision;
    const now: Stored = { revision, object, json };
    const before = objects.get(key);
    objects.set(key, now);
    if (before === undefined) this.#collection(collection).sortedKeys = undefined;
    this.#publish({
      type: before === undefined ? "ADDED" : "MODIFIED",
      collection,
      now,
      ...(before !== undefined && { before }),
    });
    return now;
  }

  /** Forgets an object; `last` is the state that watchers are told, the stored one by default. */
  remove(collection: string, namespace: string, name: string, last?: KubeObject): Stored {
    const key = keyOf(namespace, name);
    const before = this.#collection(collection).objects.get(key);
    if (before === undefined) {
      throw new EniverseError("internal", {
        attempted: `remove ${collection} ${key}`,
        found: "no such object",
      });
    }
    const revision = this.#revision + 1;
    const object = last ?? (JSON.parse(before.json) as KubeObject);
    object.metadata.resourceVersion = String(revision);
    this.#write(collection, key, revision, undefined);
    this.#revision = revision;
    this.#collection(collection).objects.delete(key);
    this.#collection(collection).sortedKeys = undefined;
    const now: Stored = { revision, object, json: JSON.stringify(object) };
    this.#publish({ type: "DELETED", collection, now, before });
    return now;
  }

  /** True when nothing that happened after the revision is forgotten; false too for a revision to come. */
  hasHistoryAfter(revision: number): boolean {
    return revision >= this.#oldest && revision <= this.#revision;
  }

  /** What happened to a collection after a revision. Throws {@link RevisionGone}. */
  changesAfter(collection: string, revision: number): Change[] {
    if (!this.hasHistoryAfter(revision)) throw new RevisionGone(revision, this.#oldest);
    return this.#history.filter(
      (change) => change.now.revision > revision && change.collection === collection,
    );
  }

  /** Calls the listener for each later change, within the write itself. Returns what ends it. */
  subscribe(collection: string, listener: ChangeListener): () => void {
    const { listeners } = this.#collection(collection);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** As {@link subscribe}, for all collections. */
  subscribeToAll(listener: ChangeListener): () => void {
    this.#everywhere.add(listener);
    return () => this.#everywhere.delete(listener);
  }

  /** Forgets the history, as etcd's compaction does. */
  compact(): void {
    this.#history = [];
    this.#oldest = this.#revision;
  }

  close(): void {
    this.#db.close();
  }

  #collection(name: string): Collection {
    let found = this.#collections.get(name);
    if (found === undefined) {
      found = new Collection();
      this.#collections.set(name, found);
    }
    return found;
  }

  #publish(change: Change): void {
    this.#history.push(change);
    if (this.#history.length > 2 * this.#historyLength) {
      const dropped = this.#history.splice(0, this.#history.length - this.#historyLength);
      this.#oldest = dropped.at(-1)?.now.revision ?? this.#oldest;
    }
    for (const listener of [...this.#collection(change.collection).listeners]) listener(change);
    for (const listener of [...this.#everywhere]) listener(change);
  }
}

function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

function openDatabase(dbPath: string): Database {
  try {
    const db = new Database(dbPath, { create: true, strict: true });
    // WAL with synchronous=NORMAL outlives a killed process; only a lost machine can lose the last writes.
    db.run("PRAGMA journal_mode = WAL");
    db.run("PRAGMA synchronous = NORMAL");
    const found = db.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;
    if (found !== 0 && found !== schemaVersion) {
      throw new EniverseError("unsupported", {
        attempted: `open the cluster's store ${dbPath}`,
        found: `format ${found}`,
        wanted: `format ${schemaVersion}`,
        fix: "Use the version of eniverse that made it, or take the lab down and up again",
      });
    }
    db.run(
      "CREATE TABLE IF NOT EXISTS objects (collection TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL, json TEXT NOT NULL, PRIMARY KEY (collection, key)) WITHOUT ROWID",
    );
    db.run("CREATE TABLE IF NOT EXISTS counter (revision INTEGER NOT NULL)");
    if (db.query("SELECT revision FROM counter").get() === null) {
      db.run("INSERT INTO counter (revision) VALUES (1)");
    }
    db.run(`PRAGMA user_version = ${schemaVersion}`);
    return db;
  } catch (error) {
    if (error instanceof EniverseError) throw error;
    throw new EniverseError("corrupted", {
      attempted: `open the cluster's store ${dbPath}`,
      found: error instanceof Error ? error.message : String(error),
      cause: error,
    });
  }
}
