import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import vm from "node:vm";

const root = join(import.meta.dir, "../..");
const work = mkdtempSync(join(tmpdir(), "eniverse-package-"));
const app = join(work, "app");

function run(program: string, args: readonly string[], cwd: string): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: "utf8" });
  return { status, text: `${stdout}${stderr}` };
}

function mustRun(program: string, args: readonly string[], cwd: string): string {
  const { status, text } = run(program, args, cwd);
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}: ${text}`);
  return text;
}

// The package is packed and installed as a user would have it: what is missing from it is missing here.
beforeAll(() => {
  mustRun("npm", ["pack", "--silent", "--pack-destination", work], root);
  const tarball = readdirSync(work).find((name) => name.endsWith(".tgz")) ?? "";
  mkdirSync(app);
  writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
  mustRun(process.execPath, ["add", join(work, tarball), "--ignore-scripts"], app);
}, 180_000);

afterAll(() => rmSync(work, { recursive: true }));

const program = `
import { EniverseError, maxPods, planFragmentation, planStrategy, planVpc, planWarm, simulateBurst } from "eniverse/plan";
const subnets = [{ name: "a", zone: "us-west-2a", cidr: "10.0.0.0/24" }];
let refused = "";
try { maxPods({ instanceTypes: "m5.larg" }); } catch (error) { if (error instanceof EniverseError) refused = error.code; }
const answers = {
  maxPods: maxPods({ instanceTypes: "m5.large", prefixDelegation: true }).maxPods,
  subnets: planVpc({ nodeGroups: [{ instanceType: "m5.large", nodes: 30, podsPerNode: 20 }] }).subnets.length,
  recommended: planStrategy({ subnets, instanceType: "m5.large", nodes: 8, podsPerNode: 10, nodesWanted: 9 }).recommended,
  warm: planWarm({ instanceType: "m5.large", pattern: { kind: "burst", pods: 8, burst: 12 } }).recommended.label,
  simulated: simulateBurst({ instanceType: "m5.large", mode: "prefix", pods: 20, driver: "eniverse" }) !== undefined,
  blocks: planFragmentation({ cidr: "10.0.0.0/24", used: ["10.0.0.20"] }).now?.freeBlocks,
  refused,
};
`;

const wanted = {
  maxPods: 110,
  subnets: 9,
  recommended: "fewer-warm",
  warm: "WARM_IP_TARGET=1 MINIMUM_IP_TARGET=20",
  simulated: true,
  blocks: 13,
  refused: "invalid_argument",
};

describe("eniverse/plan, installed in an empty project", () => {
  test("answers on plain Node", () => {
    writeFileSync(join(app, "answers.mjs"), `${program}\nconsole.log(JSON.stringify(answers));`);
    expect(JSON.parse(mustRun("node", ["answers.mjs"], app))).toEqual(wanted);
  });

  test("answers in a browser bundle, with nothing of Node or of the DOM there", () => {
    writeFileSync(join(app, "page.ts"), `${program}\nObject.assign(globalThis, { answers });`);
    mustRun(
      process.execPath,
      ["build", "page.ts", "--target=browser", "--format=iife", "--outfile=page.js"],
      app,
    );
    const page: { answers?: unknown } = {};
    vm.runInNewContext(readFileSync(join(app, "page.js"), "utf8"), page);
    // By way of JSON: objects of another context are of other classes.
    expect(JSON.parse(JSON.stringify(page.answers))).toEqual(wanted);
  });

  test("has its types, by the rules of Node and of bundlers", () => {
    const wrong =
      '// @ts-expect-error a number is wanted\nmaxPods({ instanceTypes: "m5.large", maxEni: "3" });';
    writeFileSync(
      join(app, "typed.ts"),
      `${program}\nconst pods: number = answers.maxPods;\n${wrong}\nvoid pods;`,
    );
    for (const [module, resolution] of [
      ["nodenext", "nodenext"],
      ["esnext", "bundler"],
    ] as const) {
      const flags = ["--noEmit", "--strict", "--target", "es2022", "--types", "", "--ignoreConfig"];
      mustRun(
        join(root, "node_modules/.bin/tsc"),
        [...flags, "--module", module, "--moduleResolution", resolution, "typed.ts"],
        app,
      );
    }
  });

  test("lets nothing else of the package be imported", () => {
    writeFileSync(join(app, "deep.mjs"), 'import "eniverse/src/plan/index.ts";');
    expect(run("node", ["deep.mjs"], app).text).toContain("ERR_PACKAGE_PATH_NOT_EXPORTED");
  });

  test("the CDK example holds to the package's types", () => {
    cpSync(join(root, "examples/cdk"), join(app, "cdk"), { recursive: true });
    const files = ["cdk/app.ts", "cdk/address-plan.ts", "cdk/types/aws-cdk-lib.d.ts"];
    const flags = ["--noEmit", "--strict", "--target", "es2022", "--types", "", "--ignoreConfig"];
    const module = ["--module", "esnext", "--moduleResolution", "bundler", "--allowImportingTsExtensions"];
    mustRun(join(root, "node_modules/.bin/tsc"), [...flags, ...module, ...files], app);
  });
});
