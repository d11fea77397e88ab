import { appendFileSync, existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { realClock } from "../../base/clock.ts";
import { jsonLog, type Log, type LogLevel, noLog } from "../../base/log.ts";
import { isObject } from "../../cni/json.ts";

const levels: Readonly<Record<string, LogLevel>> = {
  debug: "debug",
  info: "info",
  warn: "warn",
  error: "error",
  fatal: "error",
};

/**
 * The log that a plugin's configuration asks for (`pluginLogFile`, `pluginLogLevel`): a file, or standard error
 * when none is named. A configuration that cannot be read is the plugin's own business, and so is a file that
 * cannot be written: logging never fails a call. `hostRoot` is where the host's log folder is mounted; a folder
 * that is not there is taken as not mounted.
 */
export function pluginLog(stdin: Uint8Array, caller: string, hostRoot = ""): Log {
  const config = readConfig(stdin);
  const level = levels[config.level.toLowerCase()] ?? "debug";
  if (config.file === "stdout") return noLog;
  return delayed(() => mountedAt(hostRoot, config.file), { caller, level });
}

/** About as long as a call takes: its lines are written while somebody else is waited for. */
const delayMs = 2;

/** What is still to be written, of all calls. */
const unwritten = new Set<() => void>();
process.on("exit", () => {
  for (const flush of unwritten) flush();
});

/** Collects events for a moment and writes them in one go; at the latest when the program ends. */
function delayed(file: () => string, { caller, level }: { caller: string; level: LogLevel }): Log {
  let pending: { readonly at: number; readonly event: Parameters<Log> }[] = [];
  const flush = (): void => {
    unwritten.delete(flush);
    const events = pending;
    pending = [];
    let lines = "";
    let at = 0;
    const clock = { ...realClock, now: () => at };
    const log = jsonLog(
      (line) => {
        lines += line;
      },
      { caller, level, clock },
    );
    for (const each of events) {
      at = each.at;
      log(...each.event);
    }
    if (lines !== "") writerOf(file())(lines);
  };
  return (...event) => {
    if (pending.length === 0) {
      unwritten.add(flush);
      setTimeout(flush, delayMs);
    }
    pending.push({ at: realClock.now(), event });
  };
}

/** Appends lines to a file; "" and "stderr" stand for standard error. */
export function writerOf(file: string): (line: string) => void {
  if (file === "" || file === "stderr") return (line) => process.stderr.write(line);
  let folderMade = false;
  return (line) => {
    try {
      if (!folderMade) mkdirSync(dirname(file), { recursive: true });
      folderMade = true;
      appendFileSync(file, line, { mode: 0o644 });
    } catch {}
  };
}

function mountedAt(hostRoot: string, file: string): string {
  const mounted = `${hostRoot}${file}`;
  return hostRoot !== "" && file.startsWith("/") && existsSync(dirname(mounted)) ? mounted : file;
}

function readConfig(stdin: Uint8Array): { file: string; level: string } {
  try {
    const config: unknown = JSON.parse(new TextDecoder().decode(stdin));
    if (!isObject(config)) return { file: "", level: "" };
    const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
    return { file: textOf(config.pluginLogFile), level: textOf(config.pluginLogLevel) };
  } catch {
    return { file: "", level: "" };
  }
}
