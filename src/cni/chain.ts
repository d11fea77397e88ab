import { EniverseError, messageOf } from "../base/error.ts";
import type { ResultCache } from "./cache.ts";
import type { NetworkConfigList, PluginConfig } from "./config.ts";
import { findPlugin, pluginFailure, type RunExecutable, runExecutable } from "./invoke.ts";
import { type JsonObject, object, parseJson } from "./json.ts";
import { isAtLeast } from "./version.ts";

/** One sandbox that a network is attached to. */
export interface Sandbox {
  readonly containerId: string;
  /** Path of its network namespace; "" when it is gone (DEL). */
  readonly netns: string;
  readonly ifName: string;
  /** CNI_ARGS, in order: K8S_POD_NAMESPACE, K8S_POD_NAME, K8S_POD_INFRA_CONTAINER_ID, K8S_POD_UID, IgnoreUnknown. */
  readonly args: readonly (readonly [string, string])[];
  /** By capability name ("portMappings"); each goes to the plugins that declare the capability. */
  readonly capabilityArgs: JsonObject;
}

/** Where a runtime finds plugins and keeps results. */
export interface ChainOptions {
  /** Folders with plugin executables, in the order of the search. */
  readonly path: readonly string[];
  readonly cache: ResultCache;
  /** Environment of the plugins besides CNI_*; the process's own when absent. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly run?: RunExecutable;
  /** Ends the plugin that is running. */
  readonly signal?: AbortSignal;
}

/**
 * Attaches a sandbox to a network: every plugin in order, each with the result of the one before. The result of
 * the last is cached and returned, in the list's own version. A failure stops the chain; the runtime then calls
 * {@link deleteNetwork}. Errors carry in `facts.cniText` the text that the reference library shows, as
 * `plugin type="aws-cni" name="aws-cni" failed (add): …`.
 */
export async function addNetwork(
  list: NetworkConfigList,
  sandbox: Sandbox,
  options: ChainOptions,
): Promise<JsonObject> {
  let result: JsonObject | undefined;
  for (const plugin of list.plugins) {
    const stdout = await execute("ADD", list, plugin, sandbox, result, options);
    result = object(parseJson(stdout, `the result of ${plugin.type}`), `the result of ${plugin.type}`);
  }
  options.cache.put({
    networkName: list.name,
    containerId: sandbox.containerId,
    ifName: sandbox.ifName,
    netns: sandbox.netns,
    config: list.source,
    args: sandbox.args,
    capabilityArgs: sandbox.capabilityArgs,
    result: result ?? {},
  });
  return result ?? {};
}

/** Detaches: the plugins in reverse order, each with the cached result; the cache entry goes last. */
export async function deleteNetwork(
  list: NetworkConfigList,
  sandbox: Sandbox,
  options: ChainOptions,
): Promise<void> {
  // prevResult on DEL came with version 0.4.0 of the specification.
  const cached = isAtLeast(list.cniVersion, "0.4.0")
    ? options.cache.get(list.name, sandbox.containerId, sandbox.ifName)?.result
    : undefined;
  for (const plugin of list.plugins.toReversed()) {
    await execute("DEL", list, plugin, sandbox, cached, options);
  }
  options.cache.remove(list.name, sandbox.containerId, sandbox.ifName);
}

/** Asks every plugin whether the attachment is as it was made; does nothing when the list disables that. */
export async function checkNetwork(
  list: NetworkConfigList,
  sandbox: Sandbox,
  options: ChainOptions,
): Promise<void> {
  if (list.disableCheck) return;
  if (!isAtLeast(list.cniVersion, "0.4.0")) {
    const cniText = `configuration version "${list.cniVersion}" does not support CHECK command`;
    throw new EniverseError("unsupported", {
      attempted: `check the network ${list.name}`,
      found: cniText,
      facts: { cniText },
    });
  }
  const cached = options.cache.get(list.name, sandbox.containerId, sandbox.ifName)?.result;
  for (const plugin of list.plugins) await execute("CHECK", list, plugin, sandbox, cached, options);
}

/** The versions that a plugin says it supports. */
export async function pluginVersions(
  type: string,
  options: Omit<ChainOptions, "cache">,
): Promise<readonly string[]> {
  const run = options.run ?? runExecutable;
  const stdin = new TextEncoder().encode('{"cniVersion":"1.1.0"}');
  const env = environment("VERSION", { containerId: "", netns: "", ifName: "", args: [] }, options);
  const exit = await run(findPlugin(type, options.path), env, stdin, options.signal);
  if (exit.exitCode !== 0) throw pluginFailure(`ask the CNI plugin ${type} for its versions`, exit);
  const reply = object(parseJson(exit.stdout, `the versions of ${type}`), `the versions of ${type}`);
  return Array.isArray(reply.supportedVersions) ? reply.supportedVersions.map(String) : ["0.1.0"];
}

/** The text for people and events that describes why a chain failed. */
export function failureText(error: unknown): string {
  const text = error instanceof EniverseError ? error.parts.facts?.cniText : undefined;
  return typeof text === "string" ? text : messageOf(error);
}

async function execute(
  command: "ADD" | "DEL" | "CHECK",
  list: NetworkConfigList,
  plugin: PluginConfig,
  sandbox: Sandbox,
  prevResult: JsonObject | undefined,
  options: ChainOptions,
): Promise<string> {
  const run = options.run ?? runExecutable;
  const config = pluginInput(list, plugin, sandbox, prevResult);
  try {
    const exit = await run(
      findPlugin(plugin.type, options.path),
      environment(command, sandbox, options),
      new TextEncoder().encode(JSON.stringify(config)),
      options.signal,
    );
    if (exit.exitCode !== 0)
      throw pluginFailure(`${command} ${sandbox.containerId} to ${list.name} with ${plugin.type}`, exit);
    return exit.stdout;
  } catch (error) {
    throw chainFailure(command, plugin, error);
  }
}

/** The standard input of one plugin: its own configuration, completed by the runtime. */
function pluginInput(
  list: NetworkConfigList,
  plugin: PluginConfig,
  sandbox: Sandbox,
  prevResult: JsonObject | undefined,
): JsonObject {
  const runtimeConfig: JsonObject = {};
  for (const [capability, value] of Object.entries(sandbox.capabilityArgs))
    if (plugin.capabilities[capability] === true) runtimeConfig[capability] = value;
  return {
    ...plugin.raw,
    cniVersion: list.cniVersion,
    name: list.name,
    ...(Object.keys(runtimeConfig).length > 0 ? { runtimeConfig } : {}),
    ...(prevResult === undefined ? {} : { prevResult }),
  };
}

function environment(
  command: string,
  sandbox: Omit<Sandbox, "capabilityArgs">,
  options: Omit<ChainOptions, "cache">,
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.env ?? process.env))
    if (value !== undefined) env[name] = value;
  env.CNI_COMMAND = command;
  env.CNI_CONTAINERID = sandbox.containerId;
  env.CNI_NETNS = sandbox.netns;
  env.CNI_ARGS = sandbox.args.map(([key, value]) => `${key}=${value}`).join(";");
  env.CNI_IFNAME = sandbox.ifName;
  env.CNI_PATH = options.path.join(":");
  return env;
}

const verbs = { ADD: "add", DEL: "delete", CHECK: "check" } as const;

function chainFailure(command: "ADD" | "DEL" | "CHECK", plugin: PluginConfig, error: unknown): EniverseError {
  const name = typeof plugin.raw.name === "string" ? plugin.raw.name : "";
  const described = `type=${JSON.stringify(plugin.type)}${name === "" ? "" : ` name=${JSON.stringify(name)}`}`;
  const cniText = `plugin ${described} failed (${verbs[command]}): ${failureText(error)}`;
  const known = error instanceof EniverseError ? error : undefined;
  return new EniverseError(known?.code ?? "internal", {
    attempted: `run the CNI plugin ${plugin.type} for ${command}`,
    found: failureText(error),
    cause: error,
    facts: { ...known?.parts.facts, cniText },
  });
}
