import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { type Ended, runEniverse } from "./test-command.ts";

const root = join(import.meta.dir, "../..");

const eniverse = (...args: readonly string[]): Promise<Ended> => runEniverse(args);

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

  test("max-pods prints all types for programs", async () => {
    const { out, status } = await eniverse("max-pods", "--all", "--show-max-allowed", "-o", "json");
    const rows = JSON.parse(out) as { instanceType: string; maxPods: number }[];
    expect({ status, rows: rows.length }).toEqual({ status: 0, rows: 1391 });
    expect(rows.find(({ instanceType }) => instanceType === "p5.48xlarge")?.maxPods).toBe(100);
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

  const vpc = ["plan", "vpc", "--nodes", "3", "--pods-per-node", "5"];
  const strategy = ["plan", "strategy", "--subnet", "a=10.0.0.0/24"];
  const fragmentation = ["plan", "fragmentation", "--cidr", "10.0.0.0/24"];
  const wrong: readonly (readonly [args: readonly string[], status: number, says: string])[] = [
    [["max-pods"], 1, "wanted either --instance-type TYPE"],
    [["max-pods", "--instance-type", "m5.lagre"], 1, "did you mean m5.large"],
    [["max-pods", "--instance-type", "m5.large", "--all"], 1, "--instance-type with --all"],
    [
      ["max-pods", "--instance-type", "m5.large", "--cni-max-eni", "0"],
      1,
      "maxEni: 0; wanted a whole number",
    ],
    [["max-pods", "--instance-type", "m5.large", "--cni-version", "new"], 1, 'cniVersion: "new"'],
    [["max-pods", "--instance-type", "m4.large", "--ipv6"], 1, "a Nitro or bare-metal type"],
    [["max-pods", "--vcpus", "32..8"], 1, "wanted a range from low to high"],
    [["max-pods", "--vcpus", "8"], 2, "wanted: a range as 8..32"],
    [[...vpc, "--group", "web=m5.large:3:5"], 1, "cannot use --nodes: it has no effect here"],
    [[...vpc, "--beside"], 1, "cannot use --beside: it has no effect here; wanted --subnets FILE"],
    [[...vpc, "--growth", "-3"], 1, "growth.percentPerMonth: -3; wanted a number of 0 to 1000"],
    [[...vpc, "--mode", "magic"], 1, "wanted one of secondary-ip, prefix, custom, custom-prefix, discovery"],
    [[...vpc, "--peer", "office=10.0.0.0"], 1, 'others[0].cidr: "10.0.0.0"'],
    [[...vpc, "--vpc-cidr", "10.0.0.0/27"], 1, "wanted a /22 or larger"],
    [["plan", "vpc", "--group", "web"], 1, "wanted NAME=TYPE:NODES:PODS"],
    [["plan", "vpc", "--subnets", "/nowhere"], 1, "cannot read /nowhere: ENOENT"],
    [strategy, 1, "nothing that says how many nodes and pods there are"],
    [[...strategy, "--nodes", "0", "--pods-per-node", "1"], 1, "nodes: 0; wanted a whole number of 1"],
    [
      [...strategy, "--group", "a=m5.large:1:1", "--nodes", "3"],
      1,
      "cannot use --nodes: it has no effect here",
    ],
    [["plan", "warm", "--every", "60"], 1, "cannot use --every: it has no effect here; wanted --burst"],
    [["plan", "warm", "--rollout", "--pods", "0"], 1, "pattern.pods: 0; wanted a whole number of 1"],
    [["plan", "warm", "--mode", "prefix", "--instance-type", "m4.large"], 1, "m4.large in prefix mode"],
    [["plan", "warm", "--try", "WARM_POOL=1"], 1, "wanted NAME=N with one of WARM_IP_TARGET"],
    [[...fragmentation, "--used", "half"], 2, "argument 'half' is invalid. wanted: a number"],
    [[...fragmentation, "--used", "101"], 1, "usedPercents: 101; wanted a number of 0 to 100"],
    [[...fragmentation, "--blocks", "3", "--nodes", "2"], 1, "wanted --blocks or --nodes, not both"],
    [[...fragmentation, "--addresses", "10.9.0.1"], 1, 'used: "10.9.0.1"; wanted an address of 10.0.0.0/24'],
    [["simulate", "/nowhere.yaml"], 1, "cannot read /nowhere.yaml: ENOENT"],
    [["simulate", "a.yaml", "b.yaml"], 1, "wanted one, or --compare with two or more"],
    [["simulate", "a.yaml", "--compare"], 1, "cannot compare: one scenario"],
    [["simulate", "a.yaml", "--html", "/nowhere/r.html"], 1, "cannot write /nowhere/r.html: ENOENT"],
    [["simulate", "a.yaml", "--driver", "mine"], 1, "wanted eniverse or official"],
  ];
  test.each(wrong)("%j is refused", async (args, status, says) => {
    const ended = await eniverse(...args);
    expect(ended.err).toContain(says);
    expect({ status: ended.status, out: ended.out }).toEqual({ status, out: "" });
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
