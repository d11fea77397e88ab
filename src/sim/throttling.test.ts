import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readScenario } from "./scenario-file.ts";
import { simulate } from "./simulate.ts";

const file = fileURLToPath(new URL("../../scenarios/150-nodes-at-once.yaml", import.meta.url));
const readText = (path: string): string => readFileSync(path, "utf8");

test("nodes that EC2 throttles together are through sooner than by the official schedule, with fewer calls", () => {
  const scenario = readScenario(readText(file), file, readText);
  const [ours, official] = (["eniverse", "official"] as const).map((driver) =>
    simulate({ ...scenario, driver, durationMs: 300_000 }),
  );
  if (ours === undefined || official === undefined) throw new Error("nothing simulated");
  for (const { pods } of [ours, official]) expect(pods.served).toBe(3000);
  expect(ours.addressWait.p99Ms).toBeLessThan(0.75 * official.addressWait.p99Ms);
  expect(ours.ec2.requests).toBeLessThan(0.8 * official.ec2.requests);
  expect(ours.ec2.throttled).toBeLessThan(official.ec2.throttled);
});
