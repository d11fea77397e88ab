import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

const root = join(import.meta.dir, "../..");

interface Ended {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

async function eniverse(...args: readonly string[]): Promise<Ended> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "main.ts"), ...args], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, out, err };
}

const page = readFileSync(join(root, "docs/plan.md"), "utf8");
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].map(
    (match) => match[1] ?? "",
  );

test("every command of docs/plan.md that needs no files does what it says", async () => {
  const lines = blocks("sh")
    .flatMap((block) => block.split("\n"))
    .filter((line) => line.startsWith("eniverse ") && !line.includes(".json"));
  expect(lines.length).toBeGreaterThan(12);
  // Two at a time: each is a process of its own.
  for (let at = 0; at < lines.length; at += 2) {
    const pair = lines.slice(at, at + 2);
    const ended = await Promise.all(pair.map((line) => eniverse(...line.split(" ").slice(1))));
    for (const [index, { status, out, err }] of ended.entries()) {
      expect({ line: pair[index], status, err }).toEqual({ line: pair[index], status: 0, err: "" });
      expect(out.length).toBeGreaterThan(1);
    }
  }
}, 180_000);

test("the program of docs/plan.md runs", () => {
  const [program = ""] = blocks("ts");
  const file = program.replace('"eniverse/plan"', JSON.stringify(join(root, "src/plan/index.ts")));
  const run = Bun.spawnSync([process.execPath, "-e", file], { stdout: "pipe", stderr: "pipe" });
  expect(run.stderr.toString()).toBe("");
  expect(run.exitCode).toBe(0);
});

describe("the commands", () => {
  test("max-pods prints the bare number, for scripts", async () => {
    const { out } = await eniverse("max-pods", "--instance-type", "m5.large,t3.medium");
    expect(out).toBe("17\n");
  });

  test("a plan with errors ends with 1 and names them, in every form", async () => {
    const flags = ["--nodes", "30", "--pods-per-node", "10", "--peer", "office=10.0.0.0/8"];
    const [table, yaml] = await Promise.all([
      eniverse("plan", "vpc", ...flags),
      eniverse("plan", "vpc", ...flags, "-o", "yaml"),
    ]);
    expect([table.status, yaml.status]).toEqual([1, 1]);
    expect(table.out).toContain("ERROR: 10.0.0.0/16 of the VPC overlaps 10.0.0.0/8 of office (peer)");
    const value = parse(yaml.out) as { problems: { severity: string }[] };
    expect(value.problems[0]?.severity).toBe("error");
  });

  test("wrong flags end with an error that says what is allowed", async () => {
    const [kind, form, count] = await Promise.all([
      eniverse("plan", "vpc", "--nodes", "3", "--pods-per-node", "3", "--instance-type", "m5.larg"),
      eniverse("plan", "warm", "-o", "xml"),
      eniverse("plan", "strategy", "--nodes", "-4"),
    ]);
    expect([kind.status, form.status, count.status]).toEqual([1, 1, 2]);
    expect(kind.err).toContain("did you mean m5.large");
    expect(form.err).toContain("wanted one of table, wide, json, yaml");
    expect(count.err).toContain("wanted: a whole number of 0 or more");
  });
});
