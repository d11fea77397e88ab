import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleEc2Sdk } from "./ec2-sdk-bundle.ts";

test("the bundle has the commands of the package and is made once", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sdk-"));
  try {
    const file = (await bundleEc2Sdk(folder)) ?? "";
    const bundle = (await import(file)) as Record<string, unknown>;
    expect(Object.keys(bundle).toSorted()).toEqual(
      Object.keys(await import("./ec2-sdk-parts.ts")).toSorted(),
    );
    const made = statSync(file).mtimeMs;
    expect(await bundleEc2Sdk(folder)).toBe(file);
    expect(statSync(file).mtimeMs).toBe(made);
    expect(readdirSync(folder)).toHaveLength(1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a folder that cannot be written is no failure", async () => {
  expect(await bundleEc2Sdk("/proc/none")).toBeUndefined();
});
