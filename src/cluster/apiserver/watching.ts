// watch: the changes of a selection, from a revision on.
import type { Engine } from "./engine.ts";
import { expired } from "./failures.ts";
import { isSelected, type Selection } from "./read.ts";
import type { ResourceType } from "./resource-type.ts";
import { type Change, RevisionGone, type Stored } from "./store.ts";

export interface SelectedChange {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly stored: Stored;
}

export interface WatchStart {
  /** What the watcher has to be told first, in order. */
  readonly backlog: readonly SelectedChange[];
  /** The revision that the backlog reaches to. */
  readonly revision: number;
  /** Ends the calls of the listener. */
  readonly stop: () => void;
}

/**
 * Starts a watch. Without a revision, or from "0", the backlog is the present state. Throws Expired when the
 * history does not reach back, or the revision is not of this store.
 */
export function startWatch(
  engine: Engine,
  type: ResourceType,
  selection: Selection,
  resourceVersion: string,
  listener: (change: SelectedChange) => void,
): WatchStart {
  const { store } = engine;
  const backlog: SelectedChange[] = [];
  if (resourceVersion === "" || resourceVersion === "0") {
    for (const stored of store.list(type.collection, selection.namespace)) {
      if (isSelected(type, selection, stored)) backlog.push({ type: "ADDED", stored });
    }
  } else {
    for (const change of missedChanges(engine, type, resourceVersion)) {
      const selected = selectChange(type, selection, change);
      if (selected !== undefined) backlog.push(selected);
    }
  }
  const stop = store.subscribe(type.collection, (change) => {
    const selected = selectChange(type, selection, change);
    if (selected !== undefined) listener(selected);
  });
  return { backlog, revision: store.revision(), stop };
}

function missedChanges(engine: Engine, type: ResourceType, resourceVersion: string): Change[] {
  const revision = Number(resourceVersion);
  try {
    return engine.store.changesAfter(type.collection, Number.isInteger(revision) ? revision : -1);
  } catch (error) {
    if (error instanceof RevisionGone) throw expired(error.requested, error.oldest);
    throw error;
  }
}

/** An object that a change moves into the selection is added, one that it moves out is deleted. */
function selectChange(type: ResourceType, selection: Selection, change: Change): SelectedChange | undefined {
  const { now, before } = change;
  if (selection.namespace !== "" && now.object.metadata.namespace !== selection.namespace) return undefined;
  if (selection.labels.length + selection.fields.length === 0) return { type: change.type, stored: now };
  const wasIn = before !== undefined && isSelected(type, selection, before);
  if (change.type === "DELETED") return wasIn ? { type: "DELETED", stored: now } : undefined;
  const isIn = isSelected(type, selection, now);
  if (isIn) return { type: wasIn ? "MODIFIED" : "ADDED", stored: now };
  return wasIn ? { type: "DELETED", stored: now } : undefined;
}
