import type { InstanceLimits } from "../limits/instance-types.ts";

/**
 * Default vCPUs of types that the source of `limits/` does not list, as DescribeInstanceTypes says them (list of
 * kubernetes/autoscaler, cluster-autoscaler/cloudprovider/aws). Sizes do not tell them: an Apple processor has its
 * own count of cores, and old families differ.
 */
const listedElsewhere: Readonly<Record<string, number>> = {
  "dl1.24xlarge": 96,
  "f1.2xlarge": 8,
  "f1.4xlarge": 16,
  "f1.16xlarge": 64,
  "mac1.metal": 12,
  "mac2.metal": 8,
  "mac2-m1ultra.metal": 20,
  "mac2-m2.metal": 8,
  "mac2-m2pro.metal": 12,
  "mac-m4.metal": 10,
  "mac-m4pro.metal": 14,
  "p3.2xlarge": 8,
  "p3.8xlarge": 32,
  "p3.16xlarge": 64,
};

/** Default vCPUs of a type, given ones first; undefined when they are not known. Never guessed from the size. */
export function vcpusOf(
  limits: Pick<InstanceLimits, "instanceType" | "vcpus">,
  given: Readonly<Record<string, number>> = {},
): number | undefined {
  return given[limits.instanceType] ?? limits.vcpus ?? listedElsewhere[limits.instanceType];
}
