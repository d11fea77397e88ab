import { badFile } from "../base/yaml-form.ts";
import type { TraceEvent } from "./scenario.ts";

/**
 * Reads a trace of pods: a header `time,action,pod`, then one event a line; times are seconds since the start and
 * never go back, the action is `add` or `remove`, and what is removed was added. Empty lines and lines that begin
 * with # are left out. Throws `invalid_argument` naming file and line.
 */
export function readTrace(text: string, file: string): TraceEvent[] {
  const events: TraceEvent[] = [];
  const live = new Set<string>();
  let hasHeader = false;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const row = raw.trim();
    if (row === "" || row.startsWith("#")) continue;
    const fields = row.split(",").map((field) => field.trim());
    if (!hasHeader) {
      if (fields.join() !== "time,action,pod") {
        throw badFile(file, index + 1, JSON.stringify(row), "the header time,action,pod");
      }
      hasHeader = true;
      continue;
    }
    events.push(readEvent(fields, file, index + 1, events.at(-1)?.atMs ?? 0, live));
  }
  return events;
}

function readEvent(
  fields: readonly string[],
  file: string,
  line: number,
  notBeforeMs: number,
  live: Set<string>,
): TraceEvent {
  const [time = "", action = "", pod = ""] = fields;
  if (fields.length !== 3) throw badFile(file, line, `${fields.length} fields`, "time,action,pod");
  if (!/^\d+(\.\d+)?$/.test(time))
    throw badFile(file, line, `time = ${JSON.stringify(time)}`, "seconds, as 12.5");
  const atMs = Number(time) * 1000;
  if (atMs < notBeforeMs) {
    throw badFile(file, line, `time ${time}, out of order`, `${notBeforeMs / 1000} or later`);
  }
  if (pod === "") throw badFile(file, line, "no pod", "a name");
  if (action === "add") {
    if (live.has(pod)) throw badFile(file, line, `add of ${pod}, which is there already`, "another name");
    live.add(pod);
    return { atMs, action, pod };
  }
  if (action !== "remove") throw badFile(file, line, `action = ${JSON.stringify(action)}`, "add or remove");
  if (!live.delete(pod)) throw badFile(file, line, `remove of ${pod}`, "a pod that was added before");
  return { atMs, action, pod };
}
