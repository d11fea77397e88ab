import { CniError, errorCode } from "./error.ts";
import { array, type JsonObject, object, parseJson, text } from "./json.ts";
import { negotiateVersion, type SpecVersion } from "./version.ts";

/**
 * The CNI specification: network configurations and lists (this file), results of every version, errors, version
 * negotiation, the execution protocol as a plugin sees it (`plugin.ts`) and as a runtime does (`chain.ts`, with
 * `invoke.ts` and `cache.ts`). Nothing in here knows about AWS.
 */

/** A conflist: the plugins that make up one network, in the order of ADD. */
export interface NetworkConfigList {
  readonly cniVersion: SpecVersion;
  readonly name: string;
  readonly disableCheck: boolean;
  readonly disableGC: boolean;
  readonly plugins: readonly PluginConfig[];
  /** The text that it was read from; runtimes keep it in their cache. */
  readonly source: string;
}

/** One plugin of a list: `type` names its executable, everything else is for the plugin. */
export interface PluginConfig {
  readonly type: string;
  readonly capabilities: Readonly<Record<string, boolean>>;
  /** The object as it was written. */
  readonly raw: JsonObject;
}

/** Reads a conflist. Throws CNI errors 1, 6 and 7. */
export function parseConfigList(source: string): NetworkConfigList {
  const from = object(parseJson(source, "configuration list"), "the configuration list");
  const name = networkName(from);
  const plugins = array(from.plugins, "plugins").map((item, index) =>
    pluginConfig(object(item, `plugins[${index}]`), `plugins[${index}]`),
  );
  if (plugins.length === 0) {
    throw new CniError(
      errorCode.invalidNetworkConfig,
      `no plugins in the configuration list ${JSON.stringify(name)}`,
    );
  }
  return {
    cniVersion: negotiateVersion(text(from.cniVersion, "cniVersion")),
    name,
    disableCheck: from.disableCheck === true || from.disableCheck === "true",
    disableGC: from.disableGC === true || from.disableGC === "true",
    plugins,
    source,
  };
}

/** Reads a configuration of a single plugin (a ".conf" file) as a list of one. */
export function parseSingleConfig(source: string): NetworkConfigList {
  const from = object(parseJson(source, "network config"), "the network configuration");
  return {
    cniVersion: negotiateVersion(text(from.cniVersion, "cniVersion")),
    name: networkName(from),
    disableCheck: false,
    disableGC: false,
    plugins: [pluginConfig(from, "the network configuration")],
    source,
  };
}

function pluginConfig(from: JsonObject, place: string): PluginConfig {
  const type = text(from.type, `${place}.type`) ?? "";
  if (type === "")
    throw new CniError(
      errorCode.invalidNetworkConfig,
      `error parsing configuration: missing 'type' in ${place}`,
    );
  const capabilities: Record<string, boolean> = {};
  if (from.capabilities !== undefined) {
    for (const [name, wanted] of Object.entries(object(from.capabilities, `${place}.capabilities`)))
      capabilities[name] = wanted === true;
  }
  return { type, capabilities, raw: from };
}

/** The checked name of a network configuration; the texts are the reference library's. */
export function networkName(from: JsonObject): string {
  const name = text(from.name, "name") ?? "";
  if (name === "") throw new CniError(errorCode.invalidNetworkConfig, "missing network name");
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    throw new CniError(errorCode.invalidNetworkConfig, "invalid characters found in network name", name);
  }
  return name;
}
