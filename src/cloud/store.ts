import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { EniverseError, messageOf } from "../base/error.ts";
import type { ResourceKind } from "./model/state.ts";

/** A resource as it is stored: the plain value of the model, or `undefined` for one that is gone. */
export interface StoredResource {
  readonly kind: ResourceKind;
  readonly id: string;
  readonly resource: unknown;
}

/** Where the resources of the model outlive the process. */
export interface CloudStore {
  /** Every stored resource, in the order in which they were created. */
  load(): Iterable<StoredResource>;
  /** Writes changes in one transaction; an `undefined` resource is deleted. */
  save(changes: readonly StoredResource[]): void;
  /** A value beside the resources, as the ids of the network that was built; undefined when never noted. */
  note(name: string): unknown;
  putNote(name: string, value: unknown): void;
  close(): void;
}

/** Opens or creates the database file; ":memory:" keeps it in memory. Throws `corrupted` for a file of another kind. */
export function openCloudStore(path: string): CloudStore {
  if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true });
  const db = openDatabase(path);
  const select = db.query<{ kind: string; id: string; json: string }, []>(
    "SELECT kind, id, json FROM resources ORDER BY seq",
  );
  const upsert = db.query(
    "INSERT INTO resources (kind, id, json) VALUES (?1, ?2, ?3) ON CONFLICT (kind, id) DO UPDATE SET json = ?3",
  );
  const remove = db.query("DELETE FROM resources WHERE kind = ?1 AND id = ?2");
  const selectNote = db.query<{ json: string }, [string]>("SELECT json FROM notes WHERE name = ?1");
  const upsertNote = db.query(
    "INSERT INTO notes (name, json) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET json = ?2",
  );
  const saveAll = db.transaction((changes: readonly StoredResource[]) => {
    for (const { kind, id, resource } of changes) {
      if (resource === undefined) remove.run(kind, id);
      else upsert.run(kind, id, encode(resource));
    }
  });
  return {
    load: () =>
      select.all().map(({ kind, id, json }) => ({ kind: kind as ResourceKind, id, resource: decode(json) })),
    save: (changes) => {
      if (changes.length > 0) saveAll(changes);
    },
    note: (name) => {
      const row = selectNote.get(name);
      return row === null ? undefined : decode(row.json);
    },
    putNote: (name, value) => {
      upsertNote.run(name, encode(value));
    },
    close: () => db.close(),
  };
}

function openDatabase(path: string): Database {
  try {
    const db = new Database(path, { create: true, strict: true });
    // What a killed process has committed must be there; a power cut ends the lab's machines anyway.
    db.run("PRAGMA journal_mode = WAL");
    db.run("PRAGMA synchronous = OFF");
    db.run(
      "CREATE TABLE IF NOT EXISTS resources (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, json TEXT NOT NULL, UNIQUE (kind, id))",
    );
    db.run("CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, json TEXT NOT NULL)");
    return db;
  } catch (error) {
    throw new EniverseError("corrupted", {
      attempted: `open the cloud's store ${path}`,
      found: messageOf(error),
      fix: "Remove the file to start with an empty cloud",
      cause: error,
    });
  }
}

/** JSON with two additions: maps as {"$map": [[key, value], …]} and big integers as {"$bigint": "…"}. */
export function encode(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => {
    if (member instanceof Map) return { $map: [...member] };
    return typeof member === "bigint" ? { $bigint: member.toString() } : member;
  });
}

export function decode(json: string): unknown {
  return JSON.parse(json, (_, member: unknown) => {
    if (typeof member !== "object" || member === null) return member;
    if ("$map" in member && Array.isArray(member.$map)) return new Map(member.$map as [unknown, unknown][]);
    return "$bigint" in member && typeof member.$bigint === "string" ? BigInt(member.$bigint) : member;
  });
}
