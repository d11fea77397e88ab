import { expect, test } from "bun:test";
import { openSocketsAndNamespaces } from "./descriptors.ts";
import { probeFeatures } from "./features.ts";

test.skipIf(process.getuid?.() !== 0)("probes each feature once and leaves nothing open", async () => {
  const before = openSocketsAndNamespaces();
  const features = probeFeatures();
  const left = () => openSocketsAndNamespaces().filter((open) => !before.includes(open));
  // Bun closes its ends of a child's standard streams a turn later.
  for (let turn = 0; turn < 200 && left().length > 0; turn++) await Bun.sleep(5);
  expect(left()).toEqual([]);
  const names = features.map((feature) => feature.name);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toContain("network-namespaces");
  for (const feature of features) {
    if (feature.answer === "yes") expect(feature.found).toBeUndefined();
    else expect(feature).toMatchObject({ found: expect.any(String), fix: expect.any(String) });
  }
  // What the other live tests cannot do without.
  const have = features.filter((feature) => feature.answer === "yes").map((feature) => feature.name);
  expect(have).toEqual(expect.arrayContaining(["root", "network-namespaces", "veth", "policy-routing"]));
});
