import { EniverseError } from "../base/error.ts";
import { type InstanceLimits, supportsPrefixDelegation } from "./instance-types.ts";

type Facts = Pick<InstanceLimits, "enis" | "ipv4PerEni" | "hypervisor" | "bareMetal">;

/** Pods that use the node's own address (aws-node and kube-proxy) and so need none of the pool. */
const hostNetworkPods = 2;

/** ipamd's and the kubelet's last resort when nothing is known of the type. */
export const fallbackMaxPods = 110;

/**
 * The number in `eni-max-pods.txt`, which nodeadm computes as well: secondary addresses of all ENIs, and two. It
 * knows neither prefixes nor custom networking nor a cap.
 */
export function eniMaxPods(limits: Pick<Facts, "enis" | "ipv4PerEni">): number {
  return limits.enis * (limits.ipv4PerEni - 1) + hostNetworkPods;
}

export interface MaxPodsOptions {
  readonly prefixDelegation?: boolean;
  /** The primary ENI is not used for pods. */
  readonly customNetworking?: boolean;
  /** MAX_ENI. */
  readonly maxEni?: number;
}

/** Addresses that pods can have at most with these settings, whatever the kubelet allows. */
export function podAddresses(limits: Facts, options: MaxPodsOptions = {}): number {
  const enis = Math.min(options.maxEni ?? limits.enis, limits.enis) - (options.customNetworking ? 1 : 0);
  const prefixes = (options.prefixDelegation ?? false) && supportsPrefixDelegation(limits);
  return Math.max(enis, 0) * (limits.ipv4PerEni - 1) * (prefixes ? 16 : 1);
}

export interface CalculatorOptions extends MaxPodsOptions {
  /** "1.9.0"; prefixes need 1.9 or later. */
  readonly cniVersion: string;
  /** Default vCPUs of the type, for the cap; `InstanceLimits.vcpus` has them for nearly every type. */
  readonly vcpus: number;
}

/**
 * What `max-pods-calculator.sh` of the EKS AMI answers. Note two of its habits: the cap holds in every mode, and
 * bare metal, for which EC2 names no hypervisor, is counted without prefixes though it can hold them.
 */
export function calculatorMaxPods(limits: Facts, options: CalculatorOptions): number {
  return Math.min(calculatorMaxPodsUncapped(limits, options), recommendedCap(options.vcpus));
}

/** As {@link calculatorMaxPods} with `--show-max-allowed`. */
export function calculatorMaxPodsUncapped(limits: Facts, options: Omit<CalculatorOptions, "vcpus">): number {
  const prefixDelegation =
    (options.prefixDelegation ?? false) &&
    limits.hypervisor === "nitro" &&
    versionHasPrefixes(options.cniVersion);
  return podAddresses(limits, { ...options, prefixDelegation }) + hostNetworkPods;
}

/** Kubernetes' scalability advice that EKS follows: 110 pods, or 250 on types with more than 30 vCPUs. */
export function recommendedCap(vcpus: number): 110 | 250 {
  return vcpus > 30 ? 250 : 110;
}

function versionHasPrefixes(version: string): boolean {
  const match = /^v?(\d+)\.(\d+)(?:\.|$|-)/.exec(version);
  if (match === null) {
    throw new EniverseError("invalid_argument", {
      attempted: "calculate max-pods for a CNI version",
      found: JSON.stringify(version),
      wanted: "a version as 1.9.0",
    });
  }
  const major = Number(match[1]);
  return major > 1 || (major === 1 && Number(match[2]) > 8);
}
