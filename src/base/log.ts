import { type Clock, realClock } from "./clock.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

const rank: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Writes one event; `fields` must be plain values. */
export type Log = (level: LogLevel, msg: string, fields?: Readonly<Record<string, unknown>>) => void;

/** Drops everything; the default of code that is used as a library. */
export const noLog: Log = () => {};

/**
 * A log of JSON lines with the keys that the official CNI's logs have: `level`, `ts` (ISO 8601), `caller`,
 * `msg`, then the fields. `write` gets each line with its newline.
 */
export function jsonLog(
  write: (line: string) => void,
  options: { readonly caller: string; readonly level?: LogLevel; readonly clock?: Clock },
): Log {
  const clock = options.clock ?? realClock;
  const lowest = rank[options.level ?? "debug"];
  return (level, msg, fields) => {
    if (rank[level] < lowest) return;
    const ts = new Date(clock.now()).toISOString();
    write(`${JSON.stringify({ level, ts, caller: options.caller, msg, ...fields })}\n`);
  };
}
