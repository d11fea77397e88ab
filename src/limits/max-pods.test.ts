import { describe, expect, test } from "bun:test";
import { allInstanceTypes, type InstanceLimits, instanceLimits } from "./instance-types.ts";
import {
  calculatorMaxPods,
  calculatorMaxPodsUncapped,
  eniMaxPods,
  podAddresses,
  recommendedCap,
} from "./max-pods.ts";

function limitsOf(instanceType: string): InstanceLimits {
  const limits = instanceLimits(instanceType);
  if (limits === undefined) throw new Error(`no ${instanceType}`);
  return limits;
}

test.each([
  ["t2.micro", 4],
  ["m7g.medium", 8],
  ["t3.small", 11],
  ["t3.medium", 17],
  ["m5.large", 29],
  ["c5.xlarge", 58],
  ["m4.4xlarge", 234],
  ["c5n.18xlarge", 737],
  ["p4d.24xlarge", 737],
  ["trn1.32xlarge", 247],
  ["p5.48xlarge", 100],
])("eni-max-pods.txt has %s with %d", (instanceType, pods) => {
  expect(eniMaxPods(limitsOf(instanceType))).toBe(pods);
});

test("every type is within the range of eni-max-pods.txt and agrees with the other formulas", () => {
  const numbers = allInstanceTypes().map((instanceType) => {
    const limits = limitsOf(instanceType);
    const pods = eniMaxPods(limits);
    expect(podAddresses(limits) + 2).toBe(pods);
    expect(calculatorMaxPodsUncapped(limits, { cniVersion: "1.9.0" })).toBe(pods);
    const prefixes = podAddresses(limits, { prefixDelegation: true });
    const nitroOrMetal = limits.hypervisor === "nitro" || limits.bareMetal;
    expect(prefixes).toBe((pods - 2) * (nitroOrMetal ? 16 : 1));
    expect(podAddresses(limits, { customNetworking: true })).toBe(pods - 2 - (limits.ipv4PerEni - 1));
    return pods;
  });
  expect([Math.min(...numbers), Math.max(...numbers)]).toEqual([4, 1514]);
});

// Answers of the original max-pods-calculator.sh, run with a stub `aws`.
describe.each([
  { type: "m5.large", vcpus: 2, plain: 29, pd: 110, custom: 20, customPd: 110, raw: [434, 290] },
  { type: "t3.medium", vcpus: 2, plain: 17, pd: 110, custom: 12, customPd: 110, raw: [242, 162] },
  { type: "m5.4xlarge", vcpus: 16, plain: 110, pd: 110, custom: 110, customPd: 110, raw: [3714, 3250] },
  { type: "m5.8xlarge", vcpus: 32, plain: 234, pd: 250, custom: 205, customPd: 250, raw: [3714, 3250] },
  { type: "m5.24xlarge", vcpus: 96, plain: 250, pd: 250, custom: 250, customPd: 250, raw: [11762, 10978] },
  { type: "m4.xlarge", vcpus: 4, plain: 58, pd: 58, custom: 44, customPd: 44, raw: [58, 44] },
  { type: "m5.metal", vcpus: 96, plain: 250, pd: 250, custom: 250, customPd: 250, raw: [737, 688] },
])("the calculator on $type", ({ type, vcpus, plain, pd, custom, customPd, raw }) => {
  const limits = limitsOf(type);
  const base = { cniVersion: "1.10.0", vcpus };
  test("has the vCPUs of the table", () => expect(limits.vcpus).toBe(vcpus));
  test("capped", () => {
    expect(calculatorMaxPods(limits, base)).toBe(plain);
    expect(calculatorMaxPods(limits, { ...base, prefixDelegation: true })).toBe(pd);
    expect(calculatorMaxPods(limits, { ...base, customNetworking: true })).toBe(custom);
    expect(calculatorMaxPods(limits, { ...base, prefixDelegation: true, customNetworking: true })).toBe(
      customPd,
    );
  });
  test("uncapped", () => {
    const prefixDelegation = true;
    const answers = [
      calculatorMaxPodsUncapped(limits, { ...base, prefixDelegation }),
      calculatorMaxPodsUncapped(limits, { ...base, prefixDelegation, customNetworking: true }),
    ];
    expect(answers).toEqual<unknown>(raw);
  });
});

test("the calculator with --cni-max-eni 1, and with a CNI before prefixes", () => {
  const limits = limitsOf("m5.large");
  const one = { cniVersion: "1.10.0", vcpus: 2, maxEni: 1 };
  expect(calculatorMaxPods(limits, one)).toBe(11);
  expect(calculatorMaxPods(limits, { ...one, customNetworking: true })).toBe(2);
  expect(calculatorMaxPodsUncapped(limits, { ...one, prefixDelegation: true })).toBe(146);
  expect(calculatorMaxPods(limits, { cniVersion: "1.8", vcpus: 2, prefixDelegation: true })).toBe(29);
  expect(calculatorMaxPods(limits, { cniVersion: "2.0", vcpus: 2, prefixDelegation: true })).toBe(110);
  expect(() => calculatorMaxPods(limits, { cniVersion: "1", vcpus: 2, prefixDelegation: true })).toThrow(
    "wanted a version as 1.9.0",
  );
});

test("the cap changes above 30 vCPUs", () => {
  expect([recommendedCap(30), recommendedCap(31)]).toEqual([110, 250]);
});
