import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { labBed, until } from "../lab/lab-bed.ts";

// A lab is built from a plan, and the plan is held to it: its addresses one by one, and what aws and kubectl export of
// it, and what the SDK reads of it, as inputs of the planner and the doctor.

const command = join(import.meta.dir, "main.ts");
const isRoot = process.getuid?.() === 0;
const work = mkdtempSync(join(tmpdir(), "eniverse-plan-"));
afterAll(() => rmSync(work, { recursive: true }));

interface Counted {
  readonly name: string;
  readonly now: { readonly used: number; readonly free: number };
}

interface Planned {
  readonly mode: string;
  readonly subnets: readonly {
    readonly name: string;
    readonly kind: string;
    readonly usedNow: number;
    readonly prefixReservations: readonly string[];
  }[];
}

interface SubnetJson {
  readonly SubnetId: string;
  readonly Tags: readonly { readonly Key: string; readonly Value: string }[];
}

const isHome = ({ kind }: { readonly kind: string }): boolean => kind === "private" || kind === "pods";
const usedOf = ({ subnets }: Planned): Record<string, number> =>
  Object.fromEntries(subnets.filter(isHome).map(({ name, usedNow }) => [name, usedNow]));

/** A lab from a plan in a mode, with as many pods as the plan says, and what its subnets must then hold. */
function planned(mode: string, pods: number, used: Readonly<Record<string, number>>) {
  const bed = labBed(`plan-${mode.replace("-", "")}`);
  const size = ["--nodes", "2", "--pods-per-node", String(pods), "--zones", "2", "--surge", "0"];
  const flags = ["plan", "vpc", ...size, "--mode", mode];
  const counted = (): Record<string, number> =>
    Object.fromEntries(
      bed.json<Counted[]>("plan", "fragmentation", "--lab").map(({ name, now }) => [name, now.used]),
    );
  // The pods are spread when they are made, and the pool comes to rest a little after the last of them.
  const rest = (): Promise<void> =>
    until("the pools are at rest", async () => Bun.deepEquals(counted(), used));

  beforeAll(async () => {
    await bed.upFrom(bed.succeed(...flags, "-o", "lab"));
    bed.succeed("run", "web", "--replicas", String(2 * pods));
  });
  afterAll(() => bed.down());

  test("holds just the addresses that the plan says", async () => {
    expect(usedOf(bed.json<Planned>(...flags))).toEqual(used);
    await rest();
  });

  test("is sound by the doctor's rules but for the role that a lab has no use for", () => {
    const { findings } = bed.json<{ findings: { id: string }[] }>("doctor", "--lab");
    expect(findings.map(({ id }) => id)).toEqual(["cni-own-role"]);
  });

  test("is read back as what it was planned to be: mode, kinds of subnets, addresses, reservations", async () => {
    await rest();
    const before = bed.json<Planned>(...flags);
    const back = bed.json<Planned>("plan", "vpc", "--lab", "--surge", "0");
    const shape = ({ mode: found, subnets }: Planned) => [
      found,
      subnets
        .map(({ name, kind, usedNow, prefixReservations }) => [
          name,
          kind,
          usedNow,
          [...prefixReservations].sort(),
        ])
        .sort(),
    ];
    expect(shape(back)).toEqual(shape(before));
    const strategy = bed.json<{ nodes: number; held: number }>("plan", "strategy", "--lab");
    const podHomes = Object.entries(used).filter(([name]) => !("pods-a" in used) || name.startsWith("pods"));
    expect(strategy).toMatchObject({ nodes: 2, held: podHomes.reduce((sum, [, held]) => sum + held, 0) });
  });
  return { bed, rest, counted };
}

describe.skipIf(!isRoot).each([
  // Nine addresses on the primary ENI, the others on two ENIs of ten in the pods' subnet.
  ["discovery", 14, { "private-a": 10, "private-b": 10, "pods-a": 20, "pods-b": 20 }],
  ["discovery-prefix", 6, { "private-a": 1, "private-b": 1, "pods-a": 33, "pods-b": 33 }],
  ["custom", 10, { "private-a": 1, "private-b": 1, "pods-a": 20, "pods-b": 20 }],
] as const)("a lab built from a plan in %s mode", (mode, pods, used) => {
  planned(mode, pods, used);
});

describe.skipIf(!isRoot)("a lab built from a plan in prefix mode", () => {
  // Six pods and a spare prefix: two prefixes a node.
  const { bed, rest, counted } = planned("prefix", 6, { "private-a": 33, "private-b": 33 });

  test("says the same by what aws and kubectl export, and by what the SDK reads of it", async () => {
    await rest();
    const env = environmentOf(bed.succeed("env"));
    const save = async (name: string, ...words: readonly string[]): Promise<string> => {
      const path = join(work, `${name}.json`);
      writeFileSync(path, await output(env, words));
      return path;
    };
    // An old aws does not read AWS_ENDPOINT_URL; --endpoint-url is known to all.
    const aws = ["aws", "--endpoint-url", env.AWS_ENDPOINT_URL ?? "", "--output", "json", "ec2"];
    const kubectl = (...words: readonly string[]) => ["kubectl", "get", ...words, "-o", "json"];
    const subnets = await save("subnets", ...aws, "describe-subnets");
    const { Subnets } = JSON.parse(readFileSync(subnets, "utf8")) as { Subnets: SubnetJson[] };
    const isReserved = ({ Tags }: SubnetJson): boolean =>
      Tags.some(({ Value }) => Value.includes("private-"));
    const [enis, vpcs, nodes, pods, sets, configs, account, ...reservations] = await Promise.all([
      save("enis", ...aws, "describe-network-interfaces"),
      save("vpcs", ...aws, "describe-vpcs"),
      save("nodes", ...kubectl("nodes")),
      save("pods", ...kubectl("pods", "-A")),
      save("ds", ...kubectl("ds", "-A")),
      save("eniconfigs", ...kubectl("eniconfigs")),
      save("sa", ...kubectl("sa", "aws-node", "-n", "kube-system")),
      ...Subnets.filter(isReserved).map(({ SubnetId }) =>
        save(SubnetId, ...aws, "get-subnet-cidr-reservations", "--subnet-id", SubnetId),
      ),
    ]);
    const ec2 = ["--subnets", subnets, "--enis", enis, "--reservations", reservations.join(",")];
    const kube = ["--kube-nodes", nodes, "--kube-pods", pods, "--kube-daemonsets", sets];
    const exported = [...ec2, "--vpcs", vpcs, ...kube];
    const answer = async (...words: readonly string[]): Promise<unknown> => {
      const { stdout } = await eniverse(env, ["plan", ...words, "-o", "json"]);
      return JSON.parse(stdout);
    };
    const lab = ["--lab", "--name", bed.paths.name];

    const judged = await answer("vpc", ...lab, "--surge", "0");
    expect(await answer("vpc", ...exported, "--surge", "0")).toEqual(judged);
    expect(await answer("vpc", "--from-aws", ...kube, "--surge", "0")).toEqual(judged);

    const strategy = await answer("strategy", ...lab);
    expect(await answer("strategy", ...exported)).toEqual(strategy);
    expect(await answer("strategy", "--from-aws", ...kube)).toEqual(strategy);

    for (const source of [ec2, ["--from-aws"]]) {
      const answers = (await answer("fragmentation", ...source)) as Counted[];
      expect(Object.fromEntries(answers.map(({ name, now }) => [name, now.used]))).toEqual(counted());
    }

    const objects = ["--nodes", nodes, "--pods", pods, "--daemonsets", sets];
    const settings = ["--eniconfigs", configs, "--service-account", account];
    const examined = await eniverse(env, ["doctor", ...ec2, ...objects, ...settings, "-o", "json"]);
    expect({ status: examined.status, stderr: examined.stderr }).toEqual({ status: 0, stderr: "" });
    const { findings, notChecked } = JSON.parse(examined.stdout) as Record<string, { id: string }[]>;
    expect(findings?.map(({ id }) => id)).toEqual(["cni-own-role"]);
    expect(notChecked?.map(({ id }) => id)).toEqual(["forward-policy"]);
  });

  test("ends with 1 by its warnings when they are to fail", () => {
    expect(bed.run("doctor", "--lab").status).toBe(0);
    expect(bed.run("doctor", "--lab", "--fail-on", "warning").status).toBe(1);
  });

  test("has nodes that ask IMDS for their own type", async () => {
    const [machine] = await bed.machines();
    const words = ["max-pods", "--instance-type-from-imds", "--cni-version", "1.10.0"];
    expect(bed.on(machine?.nodeName ?? "", process.execPath, command, ...words)).toBe("29\n");
  });
});

function environmentOf(exports: string): Record<string, string> {
  return Object.fromEntries(
    [...exports.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
}

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function end(env: Readonly<Record<string, string>>, argv: readonly string[]): Promise<Ended> {
  const child = Bun.spawn([...argv], {
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, ...env },
  });
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, stdout, stderr };
}

async function output(env: Readonly<Record<string, string>>, argv: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await end(env, argv);
  if (status !== 0) throw new Error(`${argv.join(" ")} ended with ${status}: ${stderr}`);
  return stdout;
}

function eniverse(env: Readonly<Record<string, string>>, args: readonly string[]): Promise<Ended> {
  return end(env, [process.execPath, command, ...args]);
}
