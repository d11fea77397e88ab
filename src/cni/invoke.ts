import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { EniverseError, messageOf } from "../base/error.ts";
import { errorCode } from "./error.ts";
import { isObject } from "./json.ts";

/** What a plugin process did. */
export interface PluginExit {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one executable with an environment and standard input. */
export type RunExecutable = (
  file: string,
  env: Readonly<Record<string, string>>,
  stdin: Uint8Array,
  signal?: AbortSignal,
) => Promise<PluginExit>;

/** Starts the executable as a child process; when `signal` aborts, the child is killed. */
export const runExecutable: RunExecutable = async (file, env, stdin, signal) => {
  const child = Bun.spawn([file], {
    env: { ...env },
    stdin,
    stdout: "pipe",
    stderr: "pipe",
    ...(signal === undefined ? {} : { signal, killSignal: "SIGKILL" as const }),
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  signal?.throwIfAborted();
  return { exitCode, stdout, stderr };
};

/** Finds a plugin's executable; throws `not_found` with the reference library's words in `facts.cniText`. */
export function findPlugin(type: string, path: readonly string[]): string {
  for (const folder of type.includes("/") ? [] : path) {
    const file = join(folder, type);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {}
  }
  const cniText = `failed to find plugin ${JSON.stringify(type)} in path [${path.join(" ")}]`;
  throw new EniverseError("not_found", {
    attempted: `start the CNI plugin ${type}`,
    found: cniText,
    wanted: "an executable of that name in CNI_PATH",
    facts: { cniText, cniCode: errorCode.internal },
  });
}

/** The error of a plugin that exited with another code than 0; `facts` carry what the plugin itself said. */
export function pluginFailure(attempted: string, exit: PluginExit): EniverseError {
  const { code, text } = readFailure(exit);
  return new EniverseError(code === errorCode.tryAgainLater ? "unavailable" : "internal", {
    attempted,
    found: text,
    facts: { cniText: text, cniCode: code },
  });
}

function readFailure(exit: PluginExit): { code: number; text: string } {
  const stderr = exit.stderr === "" ? "" : `; its standard error was ${JSON.stringify(exit.stderr)}`;
  if (exit.stdout.trim() === "")
    return {
      code: errorCode.internal,
      text: `netplugin failed with no error message (exit code ${exit.exitCode})${stderr}`,
    };
  try {
    const said: unknown = JSON.parse(exit.stdout);
    if (isObject(said) && typeof said.msg === "string") {
      const details = typeof said.details === "string" && said.details !== "" ? `; ${said.details}` : "";
      return {
        code: typeof said.code === "number" ? said.code : errorCode.internal,
        text: `${said.msg}${details}`,
      };
    }
    return { code: errorCode.internal, text: `netplugin failed: ${exit.stdout.trim()}` };
  } catch (error) {
    const text = `netplugin failed but error parsing its diagnostic message ${JSON.stringify(exit.stdout)}: ${messageOf(error)}`;
    return { code: errorCode.internal, text };
  }
}
