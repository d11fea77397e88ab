import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const isRoot = process.getuid?.() === 0;
const lab = `plan${process.pid}`;
const work = mkdtempSync(join(tmpdir(), "eniverse-plan-"));

function eniverse(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(import.meta.dir, "main.ts"), ...args],
    {
      encoding: "utf8",
    },
  );
  if (status !== 0) throw new Error(`eniverse ${args.join(" ")} ended with ${status}: ${stdout}${stderr}`);
  return stdout;
}

afterAll(() => {
  if (isRoot) eniverse("down", "--name", lab);
  rmSync(work, { recursive: true });
}, 180_000);

interface Counted {
  readonly name: string;
  readonly now: { readonly used: number };
}

test.skipIf(!isRoot)(
  "a lab built from a plan holds just the addresses that the plan says",
  async () => {
    const flags = [
      "--nodes",
      "2",
      "--pods-per-node",
      "6",
      "--zones",
      "2",
      "--mode",
      "prefix",
      "--surge",
      "0",
    ];
    const file = join(work, "lab.yaml");
    writeFileSync(file, eniverse("plan", "vpc", ...flags, "-o", "lab"));
    eniverse("up", "--config", file, "--name", lab, "--detach");
    eniverse("run", "web", "--replicas", "12", "--name", lab);

    const plan = JSON.parse(eniverse("plan", "vpc", ...flags, "-o", "json")) as {
      readonly subnets: readonly { readonly name: string; readonly kind: string; readonly usedNow: number }[];
    };
    const wanted = plan.subnets
      .filter(({ kind }) => kind === "private")
      .map(({ name, usedNow }) => ({ name, used: usedNow }));
    expect(wanted.map(({ used }) => used)).toEqual([33, 33]);
    const counted = (): { name: string; used: number }[] =>
      (JSON.parse(eniverse("plan", "fragmentation", "--lab", "--name", lab, "-o", "json")) as Counted[])
        .map(({ name, now }) => ({ name, used: now.used }))
        .sort((a, b) => a.name.localeCompare(b.name));
    // The pods are spread when they are made, and the pool comes to rest a little after the last of them.
    const deadline = Date.now() + 60_000;
    while (Date.now() < deadline && !Bun.deepEquals(counted(), wanted)) await Bun.sleep(500);
    expect(counted()).toEqual(wanted);
  },
  120_000,
);
