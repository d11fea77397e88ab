import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { EniverseError, messageOf } from "../../base/error.ts";
import type { CoolingAddress, PodKey, PodMetadata } from "../../ipam/types.ts";

/**
 * The file in which ipamd keeps who holds which address, in the official CNI's format `vpc-cni-ipam/1`, so that
 * either ipamd can take over from the other. One file per network card. `cooling` is ours; the official one
 * ignores it.
 *
 * The file must outlive a killed process, not a lost machine (with the machine the pods are gone too), so it is
 * renamed into place without fsync.
 */
export interface Checkpoint {
  readonly allocations: readonly Allocation[];
  readonly cooling: readonly CoolingAddress[];
}

export interface Allocation {
  readonly key: PodKey;
  /** IPv4 or IPv6. */
  readonly address: string;
  /** Milliseconds since the epoch. */
  readonly assignedAt: number;
  /** Absent when the file has neither namespace nor name. */
  readonly metadata?: PodMetadata;
}

const version = "vpc-cni-ipam/1";

/** The file of a card: the path itself for card 0, `…-nic-N.json` for card N. */
export function checkpointPath(base: string, card: number): string {
  return card === 0 ? base : `${base.replace(/\.json$/, "")}-nic-${card}.json`;
}

export function encodeCheckpoint(checkpoint: Checkpoint): string {
  const allocations = checkpoint.allocations.map(encodeAllocation).join(",");
  const cooling = checkpoint.cooling.length === 0 ? "" : `,"cooling":[${encodeCoolings(checkpoint.cooling)}]`;
  return `{"version":"${version}","allocations":[${allocations}]${cooling}}\n`;
}

/** The pool answers with the same list as long as nothing has changed, and it may be long. */
const coolingBefore = new WeakMap<readonly CoolingAddress[], string>();

function encodeCoolings(cooling: readonly CoolingAddress[]): string {
  const text = coolingBefore.get(cooling) ?? cooling.map(encodeCooling).join(",");
  coolingBefore.set(cooling, text);
  return text;
}

function encodeCooling({ address, releasedAt }: CoolingAddress): string {
  return `{"address":"${address}","releaseTimestamp":${nanoseconds(releasedAt)}}`;
}

/** The file is written for every pod that comes or goes, and nearly all of it is as before. */
const encodedBefore = new WeakMap<PodKey, { readonly of: Allocation; readonly text: string }>();

function encodeAllocation(allocation: Allocation): string {
  const { key, address, assignedAt, metadata } = allocation;
  const before = encodedBefore.get(key);
  const { of } = before ?? {};
  const same = of?.address === address && of.assignedAt === assignedAt && of.metadata === metadata;
  if (before !== undefined && same) return before.text;
  const text = allocationText(allocation);
  encodedBefore.set(key, { of: allocation, text });
  return text;
}

function allocationText({ key, address, assignedAt, metadata }: Allocation): string {
  const family = address.includes(":") ? "ipv6" : "ipv4";
  let text = `{"networkName":${JSON.stringify(key.networkName)},"containerID":${JSON.stringify(key.containerId)}`;
  text += `,"ifName":${JSON.stringify(key.ifName)},"${family}":"${address}"`;
  text += `,"allocationTimestamp":${nanoseconds(assignedAt)},"metadata":`;
  const inner: Record<string, unknown> = {};
  if (metadata !== undefined && metadata.namespace !== "") inner.k8sPodNamespace = metadata.namespace;
  if (metadata !== undefined && metadata.name !== "") inner.k8sPodName = metadata.name;
  if (metadata !== undefined && metadata.interfaces !== 0) inner.interfacesCount = metadata.interfaces;
  return `${text}${JSON.stringify(inner)}}`;
}

/** As text: the number of nanoseconds is beyond what a double can hold exactly. */
function nanoseconds(milliseconds: number): string {
  const whole = Math.round(milliseconds);
  return whole > 0 ? `${whole}000000` : "0";
}

/** Reads the text of a checkpoint; throws `corrupted`, naming `path` and what to do. */
export function decodeCheckpoint(text: string, path: string): Checkpoint {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (thrown) {
    throw corrupted(path, messageOf(thrown), "JSON");
  }
  if (!isRecord(root)) throw corrupted(path, "no JSON object", "a JSON object");
  if (root.version !== version) {
    throw corrupted(path, `version ${JSON.stringify(root.version)}`, `version ${JSON.stringify(version)}`);
  }
  const allocations = root.allocations ?? [];
  if (!Array.isArray(allocations)) throw corrupted(path, "allocations that are no list", "a list");
  const cooling = Array.isArray(root.cooling) ? root.cooling : [];
  return {
    allocations: allocations.map((entry, index) => decodeAllocation(entry, index, path)),
    cooling: cooling.flatMap((entry) =>
      isRecord(entry) && typeof entry.address === "string" && typeof entry.releaseTimestamp === "number"
        ? [{ address: entry.address, releasedAt: milliseconds(entry.releaseTimestamp) }]
        : [],
    ),
  };
}

function decodeAllocation(entry: unknown, index: number, path: string): Allocation {
  const where = `allocations[${index}]`;
  if (!isRecord(entry)) throw corrupted(path, `${where} is no object`, "an object");
  const address = textIn(entry, "ipv4") || textIn(entry, "ipv6");
  if (address === "") throw corrupted(path, `${where} without ipv4 and ipv6`, "one of them");
  const metadata = isRecord(entry.metadata) ? entry.metadata : {};
  const [namespace, name] = [textIn(metadata, "k8sPodNamespace"), textIn(metadata, "k8sPodName")];
  const count = metadata.interfacesCount;
  return {
    key: {
      networkName: textIn(entry, "networkName"),
      containerId: textIn(entry, "containerID"),
      ifName: textIn(entry, "ifName"),
    },
    address,
    assignedAt: typeof entry.allocationTimestamp === "number" ? milliseconds(entry.allocationTimestamp) : 0,
    ...(namespace === "" && name === ""
      ? {}
      : { metadata: { namespace, name, interfaces: typeof count === "number" && count > 0 ? count : 1 } }),
  };
}

/** Rounded, because a double holds nanoseconds since 1970 only to within 256 of them. */
function milliseconds(nanos: number): number {
  return Math.round(nanos / 1_000_000);
}

function textIn(record: Record<string, unknown>, field: string): string {
  const value = record[field];
  return typeof value === "string" ? value : "";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function corrupted(path: string, found: string, wanted: string): EniverseError {
  return new EniverseError("corrupted", {
    attempted: `read the checkpoint ${path}`,
    found,
    wanted,
    fix: "Drain the node and restart it, or move the file away: then the addresses of running pods are unknown until these are restarted",
    facts: { path },
  });
}

/** Reads a checkpoint file; undefined when there is none. */
export function readCheckpoint(path: string): Checkpoint | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code === "ENOENT") return undefined;
    throw corrupted(path, messageOf(thrown), "a readable file");
  }
  return decodeCheckpoint(text, path);
}

/** Replaces the file in one step, mode 0600; throws `unavailable`, and the old file then still stands. */
export function writeCheckpoint(path: string, checkpoint: Checkpoint): void {
  const temporary = join(
    dirname(path),
    `${basename(path)}.tmp${process.pid}${Math.floor(performance.now() * 1000)}`,
  );
  try {
    writeFileSync(temporary, encodeCheckpoint(checkpoint), { mode: 0o600 });
    renameSync(temporary, path);
  } catch (thrown) {
    rmSync(temporary, { force: true });
    throw new EniverseError("unavailable", {
      attempted: `write the checkpoint ${path}`,
      found: messageOf(thrown),
      fix: "Free space on the file system or make it writable; no pod gets an address before",
      cause: thrown,
    });
  }
}

/** Removes what a killed process left of an unfinished write. */
export function removeUnfinished(path: string): void {
  const prefix = `${basename(path)}.tmp`;
  for (const name of readdirSync(dirname(path)))
    if (name.startsWith(prefix)) rmSync(join(dirname(path), name), { force: true });
}

/**
 * Writes that wait for each other: all `save` calls of one turn of the event loop become one write, and each
 * resolves when the file holds its change, or rejects when the write failed.
 */
export class CheckpointWriter {
  readonly #write: () => void;
  #next: Promise<void> | undefined;

  constructor(write: () => void) {
    this.#write = write;
  }

  save(): Promise<void> {
    this.#next ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        this.#next = undefined;
        try {
          this.#write();
          resolve();
        } catch (thrown) {
          reject(thrown);
        }
      });
    });
    return this.#next;
  }
}
