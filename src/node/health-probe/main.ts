import { EniverseError, messageOf } from "../../base/error.ts";
import { checkHealth } from "./check.ts";

/**
 * `health-probe` asks a gRPC server for its health, as grpc-health-probe does: exit codes 0 serving, 1 bad
 * arguments, 2 no connection, 3 the call failed, 4 not serving. It speaks HTTP/2 itself, because probes run all
 * the time and a gRPC library would make each ten times as slow.
 */
interface ProbeArguments {
  readonly address: string;
  readonly connectTimeoutMs: number;
  readonly rpcTimeoutMs: number;
  readonly service: string;
}

const usage =
  "usage: health-probe -addr=unix:///path|host:port [-connect-timeout=1s] [-rpc-timeout=1s] [-service=NAME]";

/** Reads flags as Go does: one or two dashes, "=value" or the next argument. Throws `invalid_argument`. */
export function readArguments(args: readonly string[]): ProbeArguments {
  const values = new Map<string, string>();
  for (let index = 0; index < args.length; index++) {
    const match = /^--?([a-z-]+)(?:=(.*))?$/.exec(args[index] ?? "");
    const name = match?.[1];
    const value = match?.[2] ?? args[++index];
    if (name === undefined || value === undefined || !flags.includes(name)) {
      throw new EniverseError("invalid_argument", {
        attempted: "read the arguments",
        found: args.join(" "),
        wanted: usage,
      });
    }
    values.set(name, value);
  }
  const address = values.get("addr") ?? "";
  if (address === "") {
    throw new EniverseError("invalid_argument", {
      attempted: "read the arguments",
      found: "no -addr",
      wanted: usage,
    });
  }
  return {
    address,
    connectTimeoutMs: durationMs(values.get("connect-timeout") ?? "1s"),
    rpcTimeoutMs: durationMs(values.get("rpc-timeout") ?? "1s"),
    service: values.get("service") ?? "",
  };
}

const flags: readonly string[] = ["addr", "connect-timeout", "rpc-timeout", "service"];

/** "5s", "500ms", "1m30s". */
function durationMs(text: string): number {
  const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const total = parts.reduce((sum, part) => sum + Number(part[1]) * (unitMs[part[2] ?? ""] ?? 0), 0);
  if (total <= 0 || parts.map((part) => part[0]).join("") !== text) {
    throw new EniverseError("invalid_argument", {
      attempted: "read a duration",
      found: JSON.stringify(text),
      wanted: "a duration above zero, as 5s or 500ms",
    });
  }
  return total;
}

if (import.meta.main) {
  let probe: ProbeArguments | undefined;
  try {
    probe = readArguments(process.argv.slice(2));
  } catch (thrown) {
    process.stderr.write(`error: ${messageOf(thrown)}\n`);
    process.exitCode = 1;
  }
  if (probe !== undefined) {
    const { exitCode, text } = await checkHealth(probe);
    (exitCode === 0 ? process.stdout : process.stderr).write(`${text}\n`);
    process.exit(exitCode);
  }
}
