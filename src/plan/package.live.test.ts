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
import {
  completeScenario, EniverseError, htmlReport, maxPods, planFragmentation, planStrategy, planVpc, planWarm, simulate,
  simulateBurst,
} from "eniverse/plan";
const subnets = [{ name: "a", zone: "us-west-2a", cidr: "10.0.0.0/24" }];
let refused = "";
try { maxPods({ instanceTypes: "m5.larg" }); } catch (error) { if (error instanceof EniverseError) refused = error.code; }
const report = simulate(completeScenario({
  durationMs: 120_000,
  nodeGroups: [{ name: "workers", instanceType: "m5.large", count: 3 }],
  workloads: [{ kind: "burst", name: "web", atMs: 60_000, overMs: 0, pods: 30 }],
}));
const answers = {
  served: report.pods.served,
  hasCharts: htmlReport([report]).includes("<svg"),
  maxPods: maxPods({ instanceTypes: "m5.large", prefixDelegation: true }).maxPods,
  subnets: planVpc({ nodeGroups: [{ instanceType: "m5.large", nodes: 30, podsPerNode: 20 }] }).subnets.length,
  recommended: planStrategy({ subnets, instanceType: "m5.large", nodes: 8, podsPerNode: 10, nodesWanted: 9 }).recommended,
  warm: planWarm({ instanceType: "m5.large", pattern: { kind: "burst", pods: 8, burst: 12 } }).recommended.label,
  simulated: simulateBurst({ instanceType: "m5.large", mode: "prefix", pods: 20, driver: "eniverse" }) !== undefined,
  blocks: planFragmentation({ cidr: "10.0.0.0/24", used: ["10.0.0.20"] }).now?.freeBlocks,
  refused,
};
`;

/**
 * The few names of aws-cdk-lib that the example uses, in the place of its 200 MB: subnets are cut as `ec2.Vpc` cuts
 * them, and errors on constructs make the synthesis fail, as the `cdk` command does.
 */
const cdkStandIn = `
const errors = [];
const outputs = [];
process.on("exit", () => {
  for (const text of errors) console.error("ERROR " + text);
  console.log(outputs.join(" "));
  if (errors.length > 0) process.exitCode = 1;
});
class Construct { constructor(scope, id) { this.node = { id, tryGetContext: () => process.argv[2] }; } }
export class App extends Construct {}
export class Stack extends Construct { get stackName() { return this.node.id; } }
export class CfnOutput extends Construct {
  constructor(scope, id, { value }) { super(scope, id); outputs.push(id + "=" + value); }
}
export const Annotations = { of: () => ({ addError: (text) => errors.push(text), addWarning: () => {} }) };
const SubnetType = { PUBLIC: "publicSubnets", PRIVATE_WITH_EGRESS: "privateSubnets", PRIVATE_ISOLATED: "isolatedSubnets" };
class Vpc extends Construct {
  publicSubnets = []; privateSubnets = []; isolatedSubnets = [];
  constructor(scope, id, { ipAddresses, maxAzs, subnetConfiguration }) {
    super(scope, id);
    let next = ipAddresses.split("/")[0].split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
    for (const { name, subnetType, cidrMask } of subnetConfiguration) {
      const size = 2 ** (32 - cidrMask);
      for (let zone = 0; zone < maxAzs; zone++) {
        next = Math.ceil(next / size) * size;
        const address = [24, 16, 8, 0].map((shift) => (next >>> shift) & 255).join(".");
        const subnet = { node: { id: name + "Subnet" + (zone + 1) }, availabilityZone: "dummy1" + "ab"[zone], ipv4CidrBlock: address + "/" + cidrMask };
        this[subnetType].push(subnet);
        next += size;
      }
    }
  }
}
export const aws_ec2 = { Vpc, SubnetType, IpAddresses: { cidr: (block) => block } };
`;

const wanted = {
  served: 30,
  hasCharts: true,
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

  test("answers on Bun", () => {
    expect(JSON.parse(mustRun(process.execPath, ["answers.mjs"], app))).toEqual(wanted);
  });

  // GitHub's machines have Chrome, Debian's Chromium.
  const browser = ["chromium", "google-chrome", "chromium-browser"].find((name) => Bun.which(name) !== null);
  if (browser !== undefined) {
    test(`answers in ${browser}, bundled into a page`, () => {
      writeFileSync(
        join(app, "shown.ts"),
        `${program}\ndocument.body.textContent = JSON.stringify(answers);`,
      );
      const bundle = ["build", "shown.ts", "--target=browser", "--format=iife", "--outfile=shown.js"];
      mustRun(process.execPath, bundle, app);
      writeFileSync(join(app, "page.html"), '<!doctype html><body><script src="shown.js"></script></body>');
      const flags = [
        ...["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"],
        ...["--disable-background-networking", "--virtual-time-budget=100000", "--dump-dom"],
        `--user-data-dir=${join(work, "browser")}`,
      ];
      const { stdout } = spawnSync(browser, [...flags, `file://${join(app, "page.html")}`], {
        encoding: "utf8",
      });
      const text = /<body>([^<]*)<\/body>/.exec(stdout)?.[1] ?? "";
      expect(JSON.parse(text)).toEqual(wanted);
    });
  }

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

  describe("the CDK example", () => {
    beforeAll(() => {
      cpSync(join(root, "examples/cdk"), join(app, "cdk"), { recursive: true });
      const library = join(app, "node_modules/aws-cdk-lib");
      mkdirSync(library, { recursive: true });
      writeFileSync(
        join(library, "package.json"),
        '{"name":"aws-cdk-lib","type":"module","main":"index.js"}',
      );
      writeFileSync(join(library, "index.js"), cdkStandIn);
    });

    const synth = (nodes: number): { status: number | null; text: string } =>
      run(process.execPath, ["cdk/app.ts", String(nodes)], app);

    // What the commands of its README print, with aws-cdk-lib 2.220.0 itself.
    test("builds when there is room for the year", () => {
      expect(synth(30)).toEqual({ status: 0, text: "MaxPods=29 RoomForNodes=16\n" });
    });

    test("fails its build when a subnet would run out, and says when", () => {
      const { status, text } = synth(48);
      expect(status).toBe(1);
      expect(text).toContain(
        "ERROR Network: nodesSubnet1 will run out at node 63, on day 264, before the horizon of 365 days",
      );
    });

    test("fails its build when one is too small from the start", () => {
      const { status, text } = synth(120);
      expect(status).toBe(1);
      expect(text).toContain("ERROR Network: nodesSubnet2 (10.0.8.0/22) needs 1,808 of 1,019 addresses");
    });
  });

  test("the CDK example holds to the package's types", () => {
    const files = ["cdk/app.ts", "cdk/address-plan.ts", "cdk/types/aws-cdk-lib.d.ts"];
    const flags = ["--noEmit", "--strict", "--target", "es2022", "--types", "", "--ignoreConfig"];
    const module = ["--module", "esnext", "--moduleResolution", "bundler", "--allowImportingTsExtensions"];
    mustRun(join(root, "node_modules/.bin/tsc"), [...flags, ...module, ...files], app);
  });
});
