import { messageOf } from "../../base/error.ts";
import { type Log, noLog } from "../../base/log.ts";
import { isObject } from "../../cni/json.ts";
import { type Plugin, type PluginCall, runPlugin } from "../../cni/plugin.ts";
import type { CniResult } from "../../cni/result.ts";
import { HostNetns } from "../../hostnet/host.ts";
import { egressCni } from "../egress/egress-cni.ts";
import { addNetwork } from "./add.ts";
import { delNetwork } from "./del.ts";
import type { HandlerParts } from "./parts.ts";
import { pluginLog } from "./plugin-log.ts";
import type { CniRequest, CniResponse } from "./protocol.ts";

/** Where ipamd's container has the host's log folder. */
const usualHostRoot = "/host";

/**
 * Answers what a relay sends, for both plugins of a node: the configuration's `type` says which one was called.
 * Never rejects: failures are CNI errors on standard output and exit code 1. Each call logs to the file that its
 * configuration names; warnings and errors go to `parts.log` too.
 */
export async function handleCniRequest(request: CniRequest, parts: HandlerParts): Promise<CniResponse> {
  const egress = pluginType(request.stdin) === "egress-cni";
  const file = pluginLog(request.stdin, egress ? "egress-cni" : "aws-cni", parts.hostRoot ?? usualHostRoot);
  const log: Log = (level, msg, fields) => {
    file(level, msg, fields);
    if (level === "warn" || level === "error") parts.log?.(level, msg, fields);
  };
  const plugin = egress ? egressCni({ host: parts.host ?? ownNetns(), log }) : awsCni({ ...parts, log });
  const { exitCode, stdout } = await runPlugin(plugin, request.env, request.stdin);
  return { exitCode, stdout };
}

/** aws-cni as a value; `offline.ts` runs it as a program. */
export function awsCni(parts: HandlerParts): Plugin {
  const log = parts.log ?? noLog;
  return {
    about: `AWS CNI ${parts.version}`,
    add: (call) => logged(log, "ADD", call, () => addNetwork(call, parts, log)),
    del: (call) => logged(log, "DEL", call, () => delNetwork(call, parts, log)),
  };
}

async function logged<T extends CniResult | undefined>(
  log: Log,
  command: string,
  call: PluginCall,
  work: () => Promise<T>,
): Promise<T> {
  const facts = { containerId: call.containerId, netns: call.netns, ifName: call.ifName, args: call.args };
  log("debug", `Received CNI ${command} request`, facts);
  try {
    const result = await work();
    log("info", `CNI ${command} succeeded`, { ...facts, result });
    return result;
  } catch (error) {
    log("error", `CNI ${command} failed: ${messageOf(error)}`, facts);
    throw error;
  }
}

/** The runtime writes the executable's name into the configuration; bad JSON is for the plugin to refuse. */
function pluginType(stdin: Uint8Array): string {
  try {
    const config: unknown = JSON.parse(new TextDecoder().decode(stdin));
    return isObject(config) && typeof config.type === "string" ? config.type : "";
  } catch {
    return "";
  }
}

let own: HostNetns | undefined;

/** The namespace of this program, opened once. */
function ownNetns(): HostNetns {
  own ??= HostNetns.open();
  return own;
}
