import { CniError, errorCode } from "../../cni/error.ts";
import { isObject, type Json, object, text } from "../../cni/json.ts";
import { type PluginCall, parseArgs, prevResultOf } from "../../cni/plugin.ts";
import type { CniResult } from "../../cni/result.ts";

/** The network configuration of aws-cni. */
export interface AwsCniConfig {
  readonly vethPrefix: string;
  readonly mtu: number;
  readonly podSecurityGroupMode: string;
  readonly pluginLogFile: string;
  readonly pluginLogLevel: string;
  readonly podAnnotations: Readonly<Record<string, string>>;
  readonly prevResult?: CniResult;
}

/** What the runtime says of the pod in CNI_ARGS. */
export interface PodArgs {
  readonly name: string;
  readonly namespace: string;
  readonly infraContainerId: string;
  readonly uid: string;
}

export const defaultMtu = 9001;
const leastMtu = 576;

const annotationsCapability = "io.kubernetes.cri.pod-annotations";

/** Reads the configuration; throws CNI errors with the texts of the official plugin. */
export function readNetconf(call: PluginCall): AwsCniConfig {
  const { config } = call;
  const vethPrefix = text(config.vethPrefix, "vethPrefix") ?? "";
  if (vethPrefix.length > 4)
    throw new CniError(errorCode.internal, "conf.VethPrefix can be at most 4 characters long");
  const prevResult = prevResultOf(call);
  return {
    vethPrefix: vethPrefix === "" ? "eni" : vethPrefix,
    mtu: readMtu(config.mtu),
    podSecurityGroupMode: text(config.podSGEnforcingMode, "podSGEnforcingMode") || "strict",
    pluginLogFile: text(config.pluginLogFile, "pluginLogFile") ?? "",
    pluginLogLevel: text(config.pluginLogLevel, "pluginLogLevel") ?? "",
    podAnnotations: readAnnotations(config.runtimeConfig),
    ...(prevResult === undefined ? {} : { prevResult }),
  };
}

/** A text with a whole number of 576 to 9001; anything else is 9001. */
function readMtu(value: Json | undefined): number {
  const written = text(value, "mtu") ?? "";
  const mtu = /^[+-]?\d+$/.test(written) ? Number(written) : defaultMtu;
  return mtu < leastMtu || mtu > defaultMtu ? defaultMtu : mtu;
}

function readAnnotations(runtimeConfig: Json | undefined): Record<string, string> {
  if (runtimeConfig === undefined || runtimeConfig === null) return {};
  const annotations = object(runtimeConfig, "runtimeConfig")[annotationsCapability];
  if (!isObject(annotations)) return {};
  return Object.fromEntries(
    Object.entries(annotations).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

/** Pods ask for an address on every network card with an annotation. */
export function wantsMultiNic(config: AwsCniConfig): boolean {
  return config.podAnnotations["k8s.amazonaws.com/nicConfig"] === "multi-nic-attachment";
}

const argNames = ["K8S_POD_NAME", "K8S_POD_NAMESPACE", "K8S_POD_INFRA_CONTAINER_ID", "K8S_POD_UID"] as const;

export function readPodArgs(args: string): PodArgs {
  const found = parseArgs(args, argNames);
  return {
    name: found.K8S_POD_NAME ?? "",
    namespace: found.K8S_POD_NAMESPACE ?? "",
    infraContainerId: found.K8S_POD_INFRA_CONTAINER_ID ?? "",
    uid: found.K8S_POD_UID ?? "",
  };
}
