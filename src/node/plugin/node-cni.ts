import { isObject } from "../../cni/json.ts";
import { type Plugin, runPlugin } from "../../cni/plugin.ts";
import type { HostNetns } from "../../hostnet/host.ts";
import { egressCni } from "../egress/egress-cni.ts";
import { nodeVersion } from "../version.ts";
import type { CniBackend } from "./backend.ts";
import { policyAgentDialer } from "./grpc.ts";
import { awsCni } from "./handler.ts";
import { pluginLog } from "./plugin-log.ts";
import type { CniRequest, CniResponse } from "./protocol.ts";
import { kernelWiring } from "./wiring.ts";

/** What ipamd has to give so that it can answer relays in its own process. */
export interface NodeCniParts {
  /** The node's network namespace. */
  readonly host: HostNetns;
  readonly backend: CniBackend;
  /** Where logs of the host appear in ipamd's container; "" when they are where the plugins put them. */
  readonly hostRoot?: string;
}

/**
 * Answers what relays send, for both plugins of a node: the configuration's `type` says which one was called.
 * ipamd serves it with `serveCni(nodeCni({host, backend}))`. Never rejects. Each call logs to the file that its
 * configuration names.
 */
export function nodeCni(parts: NodeCniParts): (request: CniRequest) => Promise<CniResponse> {
  const wiring = kernelWiring(parts.host);
  const dialPolicyAgent = policyAgentDialer();
  return async (request) => {
    const egress = pluginType(request.stdin) === "egress-cni";
    const log = pluginLog(request.stdin, egress ? "egress-cni" : "aws-cni", parts.hostRoot ?? "/host");
    const plugin: Plugin = egress
      ? egressCni({ host: parts.host, log })
      : awsCni({ backend: parts.backend, wiring, dialPolicyAgent, version: nodeVersion, log });
    const { exitCode, stdout } = await runPlugin(plugin, request.env, request.stdin);
    return { exitCode, stdout };
  };
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
