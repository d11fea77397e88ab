import { networkName } from "./config.ts";
import { CniError, errorCode, formatError, toCniError } from "./error.ts";
import { type JsonObject, object, parseJson, text } from "./json.ts";
import { type CniResult, formatResult, parseResult } from "./result.ts";
import { isAtLeast, negotiateVersion, type SpecVersion, specVersions, versionReply } from "./version.ts";

/** One call of a plugin, checked as far as the specification goes. */
export interface PluginCall {
  readonly containerId: string;
  /** Path of the pod's network namespace; "" when the runtime has none any more (DEL). */
  readonly netns: string;
  readonly ifName: string;
  /** CNI_ARGS as it came. */
  readonly args: string;
  /** Folders with plugin executables. */
  readonly path: readonly string[];
  /** The environment's CNI_* variables and standard input, for plugins that delegate. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  readonly networkName: string;
  readonly version: SpecVersion;
  readonly config: JsonObject;
}

/** What a plugin does. A command without a handler succeeds and prints nothing. */
export interface Plugin {
  /** First line of what is printed when the program is called without CNI_COMMAND. */
  readonly about: string;
  add(call: PluginCall): Promise<CniResult>;
  del(call: PluginCall): Promise<void>;
  check?(call: PluginCall): Promise<void>;
}

export interface PluginOutcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

type Command = "ADD" | "DEL" | "CHECK" | "GC" | "STATUS" | "VERSION";

const needed: Readonly<Record<string, readonly Command[]>> = {
  CNI_CONTAINERID: ["ADD", "DEL", "CHECK"],
  CNI_NETNS: ["ADD", "CHECK"],
  CNI_IFNAME: ["ADD", "DEL", "CHECK"],
  CNI_PATH: ["ADD", "DEL", "CHECK", "GC", "STATUS"],
};

/** The specification's version in which a command appeared. */
const since: Partial<Record<Command, SpecVersion>> = { CHECK: "0.4.0", GC: "1.1.0", STATUS: "1.1.0" };

/**
 * Carries out one execution of a plugin: environment and standard input in, exit code and output out; never
 * rejects. Order of the checks, codes and texts are those of the reference library's `skel` (v1.3.0).
 */
export async function runPlugin(
  plugin: Plugin,
  env: Readonly<Record<string, string | undefined>>,
  stdin: Uint8Array,
): Promise<PluginOutcome> {
  if ((env.CNI_COMMAND ?? "") === "") {
    const versions = `CNI protocol versions supported: ${specVersions.join(", ")}`;
    return { exitCode: 0, stdout: "", stderr: `${plugin.about}\n${versions}\n` };
  }
  try {
    return { exitCode: 0, stdout: await dispatch(plugin, env, stdin), stderr: "" };
  } catch (thrown) {
    return { exitCode: 1, stdout: formatError(toCniError(thrown)), stderr: "" };
  }
}

async function dispatch(
  plugin: Plugin,
  env: Readonly<Record<string, string | undefined>>,
  stdin: Uint8Array,
): Promise<string> {
  const command = knownCommand(env);
  if (command === "VERSION") return `${JSON.stringify(versionReply())}\n`;
  const call = readCall(env, stdin);
  const least = since[command];
  if (least !== undefined && !isAtLeast(call.version, least)) {
    throw new CniError(errorCode.incompatibleVersion, `config version does not allow ${command}`);
  }
  switch (command) {
    case "ADD":
      return `${JSON.stringify(formatResult(await plugin.add(call), call.version), null, 4)}\n`;
    case "DEL":
      await plugin.del(call);
      return "";
    case "CHECK":
      await plugin.check?.(call);
      return "";
    case "GC":
    case "STATUS":
      return "";
  }
}

function knownCommand(env: Readonly<Record<string, string | undefined>>): Command {
  const command = env.CNI_COMMAND ?? "";
  const missing = Object.keys(needed).filter(
    (name) => needed[name]?.includes(command as Command) && (env[name] ?? "") === "",
  );
  if (missing.length > 0) {
    throw new CniError(errorCode.invalidEnvironment, `required env variables [${missing.join(",")}] missing`);
  }
  if (!["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"].includes(command)) {
    throw new CniError(errorCode.invalidEnvironment, `unknown CNI_COMMAND: ${command}`);
  }
  return command as Command;
}

function readCall(env: Readonly<Record<string, string | undefined>>, stdin: Uint8Array): PluginCall {
  const containerId = env.CNI_CONTAINERID ?? "";
  if (containerId !== "" && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(containerId)) {
    throw new CniError(errorCode.invalidEnvironment, "invalid characters in containerID", containerId);
  }
  const ifName = env.CNI_IFNAME ?? "";
  if (ifName !== "") checkInterfaceName(ifName);
  const config = object(parseJson(stdin, "network config"), "the network configuration");
  const name = networkName(config);
  return {
    containerId,
    netns: env.CNI_NETNS ?? "",
    ifName,
    args: env.CNI_ARGS ?? "",
    path: (env.CNI_PATH ?? "").split(":").filter((folder) => folder !== ""),
    env: Object.fromEntries(
      Object.entries(env).filter((entry): entry is [string, string] => entry[0].startsWith("CNI_")),
    ),
    stdin,
    networkName: name,
    version: negotiateVersion(text(config.cniVersion, "cniVersion")),
    config,
  };
}

function checkInterfaceName(name: string): void {
  const problem =
    name.length > 15
      ? "interface name is too long"
      : name === "." || name === ".."
        ? "interface name is . or .."
        : /[/:\s]/.test(name)
          ? "interface name contains / or : or whitespace characters"
          : undefined;
  if (problem !== undefined) throw new CniError(errorCode.invalidEnvironment, problem);
}

/** The result of the plugins before, as the runtime hands it on; undefined when there is none. */
export function prevResultOf(call: PluginCall): CniResult | undefined {
  const previous = call.config.prevResult;
  if (previous === undefined || previous === null) return undefined;
  return parseResult(previous, call.version);
}

/**
 * CNI_ARGS ("K1=V1;K2=V2") as a map. Keys that are not in `known` are an error unless IgnoreUnknown=1 is among
 * the pairs. Throws with the reference library's texts.
 */
export function parseArgs<K extends string>(
  args: string,
  known: readonly K[],
): Readonly<Partial<Record<K, string>>> {
  const found: Partial<Record<K, string>> = {};
  const unknown: string[] = [];
  let ignoreUnknown = false;
  for (const pair of args === "" ? [] : args.split(";")) {
    const parts = pair.split("=");
    const [key, value] = parts;
    if (parts.length !== 2 || key === undefined || value === undefined) {
      throw new CniError(errorCode.internal, `ARGS: invalid pair ${JSON.stringify(pair)}`);
    }
    if (key === "IgnoreUnknown") ignoreUnknown = goBool(value);
    else if ((known as readonly string[]).includes(key)) found[key as K] = value;
    else unknown.push(pair);
  }
  if (unknown.length > 0 && !ignoreUnknown) {
    const list = unknown.map((pair) => JSON.stringify(pair)).join(" ");
    throw new CniError(errorCode.internal, `ARGS: unknown args [${list}]`);
  }
  return found;
}

function goBool(value: string): boolean {
  if (value === "1" || value.toLowerCase() === "true") return true;
  if (value === "0" || value.toLowerCase() === "false") return false;
  throw new CniError(errorCode.internal, `boolean unmarshal error: invalid input ${value}`);
}
