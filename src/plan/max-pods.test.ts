import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { explainMaxPodsTable, maxPods, maxPodsTable } from "./max-pods.ts";

const lowest = (input: Parameters<typeof maxPods>[0]): number => maxPods(input).maxPods;

test("all 1391 types agree with the published list of the default mode", () => {
  const lines = maxPodsTable({ showMaxAllowed: true }).map(
    ({ instanceType, maxPods: pods }) => `${instanceType} ${pods}`,
  );
  expect(lines.length).toBe(1391);
  // Of misc/eni-max-pods.txt of amazon-vpc-cni-k8s v1.23.1, without its comments, sorted by byte.
  const published = "5f62ec9fef9c2f1cd6736ccf0b47d3e817fc87d3b815af53c7878ff73619cbf0";
  expect(
    createHash("sha256")
      .update(`${lines.sort().join("\n")}\n`)
      .digest("hex"),
  ).toBe(published);
});

// Measured with the original max-pods-calculator.sh.
describe.each([
  { type: "m5.large", plain: 29, pd: 110, custom: 20, customPd: 110, rawPd: 434, rawCustomPd: 290 },
  { type: "t3.medium", plain: 17, pd: 110, custom: 12, customPd: 110, rawPd: 242, rawCustomPd: 162 },
  { type: "m5.4xlarge", plain: 110, pd: 110, custom: 110, customPd: 110, rawPd: 3714, rawCustomPd: 3250 },
  { type: "m5.8xlarge", plain: 234, pd: 250, custom: 205, customPd: 250, rawPd: 3714, rawCustomPd: 3250 },
  { type: "m5.24xlarge", plain: 250, pd: 250, custom: 250, customPd: 250, rawPd: 11762, rawCustomPd: 10978 },
  { type: "m4.xlarge", plain: 58, pd: 58, custom: 44, customPd: 44, rawPd: 58, rawCustomPd: 44 },
  { type: "m5.metal", plain: 250, pd: 250, custom: 250, customPd: 250, rawPd: 737, rawCustomPd: 688 },
])("$type as the old calculator answered", ({ type, ...wanted }) => {
  const base = { instanceTypes: type, cniVersion: "1.10.0" };
  const pd = { ...base, prefixDelegation: true };
  test("all modes", () => {
    expect({
      plain: lowest(base),
      pd: lowest(pd),
      custom: lowest({ ...base, customNetworking: true }),
      customPd: lowest({ ...pd, customNetworking: true }),
      rawPd: lowest({ ...pd, showMaxAllowed: true }),
      rawCustomPd: lowest({ ...pd, customNetworking: true, showMaxAllowed: true }),
    }).toEqual(wanted);
  });
});

test("--cni-max-eni, and a CNI before prefixes", () => {
  const one = { instanceTypes: "m5.large", maxEni: 1 };
  expect(lowest(one)).toBe(11);
  expect(lowest({ ...one, customNetworking: true })).toBe(2);
  expect(lowest({ ...one, prefixDelegation: true, showMaxAllowed: true })).toBe(146);
  expect(lowest({ ...one, prefixDelegation: true, customNetworking: true })).toBe(2);
  expect(lowest({ instanceTypes: "m5.large", cniVersion: "1.8", prefixDelegation: true })).toBe(29);
  expect(lowest({ instanceTypes: "m5.large", cniVersion: "v1.9.0", prefixDelegation: true })).toBe(110);
});

describe("what the calculator lacked", () => {
  test("the trunk's slot, where the type can have one", () => {
    const answer = maxPods({ instanceTypes: "m5.large", securityGroupsForPods: true });
    expect(answer.maxPods).toBe(20);
    expect(answer.rows[0]).toMatchObject({ branchEnis: 9, podAddresses: 18 });
    expect(lowest({ instanceTypes: "t3.medium", securityGroupsForPods: true })).toBe(17);
    expect(lowest({ instanceTypes: "m5.large", securityGroupsForPods: true, customNetworking: true })).toBe(
      11,
    );
  });

  test("network cards", () => {
    const one = lowest({ instanceTypes: "p4d.24xlarge", showMaxAllowed: true });
    const all = lowest({ instanceTypes: "p4d.24xlarge", showMaxAllowed: true, multiNic: true });
    expect([one, all]).toEqual([737, 4 * 15 * 49 + 2]);
  });

  test("IPv6 has EKS's numbers, and refuses types that cannot", () => {
    expect(lowest({ instanceTypes: "m5.large", ipv6: true })).toBe(110);
    expect(lowest({ instanceTypes: "m5.large", ipv6: true, showMaxAllowed: true })).toBe(434);
    expect(() => maxPods({ instanceTypes: "m4.large", ipv6: true })).toThrow("a Nitro or bare-metal type");
    expect(() => maxPods({ instanceTypes: "m5.large", ipv6: true, customNetworking: true })).toThrow(
      "IPv4 clusters only",
    );
  });

  test("of a mixed node group the lowest wins, and it says why", () => {
    const answer = maxPods({ instanceTypes: ["m5.xlarge", "t3.medium", "m5.large"] });
    expect(answer).toMatchObject({ maxPods: 17, decidedBy: "t3.medium" });
    expect(answer.explain.at(-1)).toBe(
      "node group of mixed types: the lowest of m5.xlarge 58, t3.medium 17, m5.large 29 is 17, because one max-pods holds for all",
    );
  });

  test("the table is filtered by vCPUs and pods", () => {
    const rows = maxPodsTable({ minVcpus: 8, maxVcpus: 32, minPods: 100, prefixDelegation: true });
    expect(rows.length).toBeGreaterThan(200);
    expect(rows.every(({ vcpus = 0, maxPods: pods = 0 }) => vcpus >= 8 && vcpus <= 32 && pods >= 100)).toBe(
      true,
    );
    expect(() => maxPodsTable({ minVcpus: 9, maxVcpus: 8 })).toThrow("minVcpus: 9, above maxVcpus 8");
  });
});

test("the working has the numbers put in", () => {
  expect(
    maxPods({ instanceTypes: "m5.large", prefixDelegation: true, customNetworking: true }).explain,
  ).toEqual([
    "m5.large: 3 ENIs on network card 0, 10 IPv4 addresses each, the first of them the ENI's own",
    "m5.large: custom networking: the primary ENI carries no pods, 3 − 1 = 2 ENIs",
    "m5.large: 2 × (10 − 1) × 16 (a /28 in each slot) = 288 addresses for pods",
    "m5.large: + 2 for aws-node and kube-proxy, which use the node's own address = 290",
    "m5.large: 2 vCPUs ≤ 30: at most 110, min(290, 110) = 110",
  ]);
});

test("vCPUs that nobody knows are asked for, not guessed", () => {
  expect(() => maxPods({ instanceTypes: "u-12tb1.metal" })).toThrow("--vcpus-of u-12tb1.metal=N");
  expect(lowest({ instanceTypes: "u-12tb1.metal", vcpus: { "u-12tb1.metal": 448 } })).toBe(147);
  expect(lowest({ instanceTypes: "u-12tb1.metal", showMaxAllowed: true })).toBe(147);
  expect(lowest({ instanceTypes: "p3.2xlarge" })).toBe(58);
  const unknown = maxPodsTable().filter(({ maxPods: pods }) => pods === undefined);
  // The tables name no vCPUs for these, and their pods lie above the lower cap.
  expect(unknown.map(({ instanceType }) => instanceType)).toEqual([
    "bmn-sf1.metal",
    "c5a.metal",
    "c5ad.metal",
    "c7i.32xlarge",
    "cr1.8xlarge",
    "hs1.8xlarge",
    "mac-m3ultra.metal",
    "mac-m4max.metal",
    "u-12tb1.metal",
    "u-18tb1.metal",
    "u-24tb1.metal",
    "u-6tb1.metal",
    "u-9tb1.metal",
  ]);
});

test("bad input names the field, the value and what is allowed", () => {
  expect(() => maxPods({ instanceTypes: "m5.lagre" })).toThrow(
    'cannot plan with instanceTypes: the unknown instance type "m5.lagre"; wanted a type that EC2 has; did you mean m5.large',
  );
  expect(() => maxPods({ instanceTypes: [] })).toThrow("one instance type or more");
  expect(() => maxPods({ instanceTypes: "m5.large", maxEni: 0 })).toThrow(
    "maxEni: 0; wanted a whole number of 1",
  );
  expect(() => maxPods({ instanceTypes: "m5.large", vcpus: { "m5.large": -1 } })).toThrow(
    "vcpus of m5.large: -1",
  );
  expect(() => maxPods({ instanceTypes: "m5.large", cniVersion: "1" })).toThrow("wanted a version as 1.9.0");
});

test("the working of a table is that of its rows, one after the other", () => {
  const filter = { minVcpus: 2, maxVcpus: 2, minPods: 29 };
  const lines = explainMaxPodsTable(filter);
  expect([...new Set(lines.map((line) => line.slice(0, line.indexOf(":"))))]).toEqual(
    maxPodsTable(filter).map(({ instanceType }) => instanceType),
  );
  expect(lines).toContain("m5.large: 3 × (10 − 1) = 27 addresses for pods");
});
