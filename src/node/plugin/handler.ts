import { messageOf } from "../../base/error.ts";
import { type Log, noLog } from "../../base/log.ts";
import { type Plugin, type PluginCall, runPlugin } from "../../cni/plugin.ts";
import type { CniResult } from "../../cni/result.ts";
import { addNetwork } from "./add.ts";
import { delNetwork } from "./del.ts";
import type { HandlerParts } from "./parts.ts";
import type { CniRequest, CniResponse } from "./protocol.ts";

/** Carries out one call of aws-cni. Never rejects: failures are CNI errors on standard output and exit code 1. */
export async function handleCniRequest(request: CniRequest, parts: HandlerParts): Promise<CniResponse> {
  const { exitCode, stdout } = await runPlugin(awsCni(parts), request.env, request.stdin);
  return { exitCode, stdout };
}

/** The plugin as a value; `offline.ts` runs it as a program. */
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
