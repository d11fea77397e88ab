import { expect, test } from "bun:test";
import { join } from "node:path";

test("the simulator, with all that it imports, makes a bundle for browsers", async () => {
  const build = await Bun.build({ entrypoints: [join(import.meta.dir, "index.ts")], target: "browser" });
  expect(build.success).toBe(true);
  const [bundle] = build.outputs;
  const text = (await bundle?.text()) ?? "";
  expect(text).toContain("InsufficientCidrBlocks");
  // A polyfill or an empty stand-in would bear one of these names.
  expect(text.match(/(from|require\(|import\()\s*"(node:|bun)[^"]*"/g) ?? []).toEqual([]);
  expect(text).not.toMatch(/\/\/ (node|bun):/);
  expect(text).not.toContain("src/linux/");
});
