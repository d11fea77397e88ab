import { describe, expect, test } from "bun:test";
import { bandwidthOf } from "./bandwidth.ts";

const ingress = "kubernetes.io/ingress-bandwidth";
const egress = "kubernetes.io/egress-bandwidth";
const burst = 4_294_967_295;

describe("bandwidthOf", () => {
  test.each([
    ["10M", 10_000_000],
    ["1k", 1000],
    ["1.5G", 1_500_000_000],
    ["1Mi", 1_048_576],
    ["2e6", 2_000_000],
    ["1000500m", 1001],
  ])("%s is %d bits per second", (text, rate) => {
    expect(bandwidthOf({ [ingress]: text })).toEqual({ ingressRate: rate, ingressBurst: burst });
    expect(bandwidthOf({ [egress]: text })).toEqual({ egressRate: rate, egressBurst: burst });
  });

  test("both ways at once, and none", () => {
    expect(bandwidthOf({ [ingress]: "2M", [egress]: "1M" })).toEqual({
      ingressRate: 2_000_000,
      ingressBurst: burst,
      egressRate: 1_000_000,
      egressBurst: burst,
    });
    expect(bandwidthOf({ other: "1M" })).toBeUndefined();
  });

  test.each(["fast", "", "10 M", "999", "-1M", "2P"])("%j is refused with the annotation's name", (text) => {
    expect(() => bandwidthOf({ [egress]: text })).toThrow(egress);
  });
});
