import { describe, expect, test } from "bun:test";
import {
  allInstanceTypes,
  type InstanceLimits,
  instanceLimits,
  similarInstanceTypes,
  supportsPrefixDelegation,
} from "./instance-types.ts";

function limitsOf(instanceType: string): InstanceLimits {
  const limits = instanceLimits(instanceType);
  if (limits === undefined) throw new Error(`no ${instanceType}`);
  return limits;
}

describe("the table of instance types", () => {
  const all = allInstanceTypes().map(limitsOf);

  test("has the counts of its source", () => {
    const count = (keep: (limits: InstanceLimits) => boolean): number => all.filter(keep).length;
    expect(all.length).toBe(1391);
    expect(count(({ hypervisor }) => hypervisor === "nitro")).toBe(1150);
    expect(count(({ hypervisor }) => hypervisor === "unknown")).toBe(161);
    expect(count(({ hypervisor }) => hypervisor === "xen")).toBe(80);
    expect(count(({ bareMetal }) => bareMetal)).toBe(160);
    expect(count((limits) => !supportsPrefixDelegation(limits))).toBe(82);
    const byCards = Object.groupBy(all, ({ cards }) => String(cards.length));
    expect([2, 4, 8, 16, 17, 32].map((cards) => byCards[String(cards)]?.length)).toEqual([54, 5, 2, 3, 1, 2]);
  });

  test("is in order and every row makes sense", () => {
    const names = allInstanceTypes();
    expect(names).toEqual([...names].sort());
    for (const limits of all) {
      expect(limits.enis).toBeGreaterThan(0);
      expect(limits.ipv4PerEni).toBeGreaterThan(1);
      expect(limits.cards[limits.defaultCard]).toBe(limits.enis);
      if (limits.branchEnis !== undefined) expect(limits.trunkCapable).toBe(limits.branchEnis > 0);
    }
  });

  test("answers for single types", () => {
    expect(limitsOf("m5.large")).toEqual({
      instanceType: "m5.large",
      enis: 3,
      ipv4PerEni: 10,
      cards: [3],
      defaultCard: 0,
      hypervisor: "nitro",
      bareMetal: false,
      branchEnis: 9,
      trunkCapable: true,
      vcpus: 2,
      memoryMib: 8192,
      architecture: "amd64",
    });
    expect(limitsOf("p5.48xlarge").cards.length).toBe(32);
    expect(limitsOf("m4.xlarge").hypervisor).toBe("xen");
    expect(instanceLimits("m5.huge")).toBeUndefined();
    expect(instanceLimits("constructor")).toBeUndefined();
  });
});

test("vCPUs, memory and processor are known for all but a few types", () => {
  const all = allInstanceTypes().map(limitsOf);
  expect(all.filter(({ vcpus }) => vcpus === undefined).length).toBe(28);
  expect(limitsOf("m7g.medium")).toMatchObject({ vcpus: 1, memoryMib: 4096, architecture: "arm64" });
  expect(limitsOf("hpc7a.12xlarge").vcpus).toBe(24);
  expect(limitsOf("m5.metal").vcpus).toBe(96);
  expect(limitsOf("p3.2xlarge")).toMatchObject({ vcpus: undefined, architecture: undefined });
});

describe("similarInstanceTypes", () => {
  test("finds what was meant", () => {
    expect(similarInstanceTypes("m5.lagre")[0]).toBe("m5.large");
    expect(similarInstanceTypes("M5.LARGE")[0]).toBe("m5.large");
    expect(similarInstanceTypes("m5large")[0]).toBe("m5.large");
    expect(similarInstanceTypes("t3.smal")[0]).toBe("t3.small");
  });

  test("finds nothing for something else", () => {
    expect(similarInstanceTypes("kubernetes")).toEqual([]);
    expect(similarInstanceTypes("")).toEqual([]);
  });
});
