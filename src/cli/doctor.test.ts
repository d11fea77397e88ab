import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Ended, runEniverse } from "./test-command.ts";

const work = mkdtempSync(join(tmpdir(), "eniverse-doctor-"));
afterAll(() => rmSync(work, { recursive: true }));

const eniverse = (...args: readonly string[]): Promise<Ended> => runEniverse(args, work);

const write = (name: string, content: unknown): string => {
  writeFileSync(join(work, name), typeof content === "string" ? content : JSON.stringify(content));
  return name;
};

interface Told {
  readonly findings: readonly { readonly id: string; readonly severity: string }[];
  readonly fine: readonly string[];
  readonly notChecked: readonly { readonly id: string }[];
}
const told = (text: string): Told => JSON.parse(text) as Told;

const vpc = { VpcId: "vpc-1", AvailableIpAddressCount: 900, MapPublicIpOnLaunch: false };
const internalElb = [{ Key: "kubernetes.io/role/internal-elb", Value: "1" }];
const subnets = write("subnets.json", {
  Subnets: ["a", "b"].map((zone, index) => ({
    ...vpc,
    SubnetId: `subnet-${zone}`,
    AvailabilityZone: `us-west-2${zone}`,
    CidrBlock: `10.0.${index * 4}.0/22`,
    Tags: internalElb,
  })),
});
const enis = write("enis.json", {
  NetworkInterfaces: [
    {
      NetworkInterfaceId: "eni-1",
      VpcId: "vpc-1",
      SubnetId: "subnet-a",
      Attachment: { InstanceId: "i-0a", DeviceIndex: 0 },
      PrivateIpAddresses: [{ PrivateIpAddress: "10.0.0.20", Primary: true }],
      Ipv4Prefixes: [],
    },
  ],
});
const labels = {
  "node.kubernetes.io/instance-type": "m5.large",
  "topology.kubernetes.io/zone": "us-west-2a",
};
const nodes = write("nodes.json", {
  kind: "List",
  items: [
    {
      metadata: { name: "n1", labels },
      spec: { providerID: "aws:///us-west-2a/i-0a" },
      status: { capacity: { pods: "29" } },
    },
  ],
});
const awsNode = (env: Readonly<Record<string, string>>) => ({
  kind: "DaemonSet",
  metadata: { namespace: "kube-system", name: "aws-node" },
  spec: {
    template: {
      spec: {
        initContainers: [{ name: "aws-vpc-cni-init" }],
        containers: [
          {
            name: "aws-node",
            image: "amazon-k8s-cni:v1.23.1",
            env: Object.entries(env).map(([name, value]) => ({ name, value })),
            livenessProbe: { timeoutSeconds: 10 },
            readinessProbe: { timeoutSeconds: 10 },
          },
        ],
      },
    },
  },
});
const good = write("ds.json", {
  kind: "List",
  items: [awsNode({ WARM_IP_TARGET: "2", MINIMUM_IP_TARGET: "10" })],
});
const role = { "eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/cni" };

describe("exported JSON", () => {
  const network = ["--subnets", subnets, "--enis", enis, "--nodes", nodes];

  test("a sound network ends with 0, and every rule whose inputs are there is among the fine", async () => {
    const pods = write("pods.json", { kind: "List", items: [] });
    const account = write("sa.json", { kind: "ServiceAccount", metadata: { annotations: role } });
    const configs = write("eniconfigs.json", { kind: "List", items: [] });
    const reservations = write("reservations.json", { SubnetIpv4CidrReservations: [] });
    const all = ["--daemonsets", good, "--pods", pods, "--service-account", account, "--eniconfigs", configs];
    const ended = await eniverse(
      "doctor",
      ...network,
      ...all,
      "--reservations",
      reservations,
      "--vpc",
      "vpc-1",
      "-o",
      "json",
    );
    expect(ended).toMatchObject({ status: 0, err: "" });
    const answer = told(ended.out);
    expect(answer.findings).toEqual([]);
    expect(answer.fine.length).toBeGreaterThan(20);
    // No interface of the control plane was shown, and iptables is not part of any export.
    expect(answer.notChecked.map(({ id }) => id)).toEqual([
      "cluster-subnets-apart",
      "cluster-subnet-room",
      "forward-policy",
    ]);
  });

  test("an error ends with 1, in every form", async () => {
    const stalls = write("stalls.json", awsNode({ MINIMUM_IP_TARGET: "22" }));
    for (const form of ["table", "wide", "json", "yaml"]) {
      const ended = await eniverse("doctor", ...network, "--daemonsets", stalls, "-o", form);
      expect({ form, status: ended.status, err: ended.err }).toEqual({ form, status: 1, err: "" });
      expect(ended.out).toContain("minimum-without-warm");
      expect(ended.out).toContain("a node's pool stops at 22");
    }
  });

  test("a warning ends with 0, and with 1 when warnings are to fail", async () => {
    const warns = write("warns.json", awsNode({ IP_COOLDOWN_PERIOD: "5" }));
    const args = ["doctor", ...network, "--daemonsets", warns];
    const ended = await eniverse(...args);
    expect(ended.status).toBe(0);
    expect(ended.out).toContain("warning: aws-node: IP_COOLDOWN_PERIOD=5");
    expect(ended.out).toContain("0 errors, 1 warning; ");
    expect(ended.out).toContain("why: ");
    expect(ended.out).toContain("fix: Leave IP_COOLDOWN_PERIOD at 30.");
    expect((await eniverse(...args, "--fail-on", "warning")).status).toBe(1);
    expect((await eniverse(...args, "--fail-on", "error")).status).toBe(0);
  });
});

describe("a plan and a lab file", () => {
  const flags = ["plan", "vpc", "--nodes", "6", "--pods-per-node", "12", "--zones", "2"];

  test("what the planner lays out is sound by the doctor's rules, in every mode", async () => {
    const modes = [
      "secondary-ip",
      "prefix",
      "custom",
      "custom-prefix",
      "discovery",
      "discovery-prefix",
      "ipv6",
    ];
    for (const mode of modes) {
      const plan = await eniverse(...flags, "--mode", mode, "-o", "json");
      const ended = await eniverse(
        "doctor",
        write("plan.json", plan.out),
        "--fail-on",
        "warning",
        "-o",
        "json",
      );
      expect({ mode, found: told(ended.out).findings }).toEqual({ mode, found: [] });
      expect(ended.status).toBe(0);
    }
  });

  test("as YAML, and as the lab that it makes", async () => {
    const plan = write("plan.yaml", (await eniverse(...flags, "--mode", "custom", "-o", "yaml")).out);
    const custom = told((await eniverse("doctor", plan, "-o", "json")).out);
    expect(custom.fine).toContain("eniconfig-missing");
    expect(custom.fine).toContain("eniconfig-subnet");
    const lab = write("lab.yaml", (await eniverse(...flags, "-o", "lab")).out);
    expect((await eniverse("doctor", lab, "--fail-on", "warning")).status).toBe(0);
  });

  test("one that contradicts good practice ends with 1", async () => {
    const lab = write(
      "bad.yaml",
      "awsNode: {env: {ENABLE_PREFIX_DELEGATION: 'true', WARM_PREFIX_TARGET: '0'}}",
    );
    const ended = await eniverse("doctor", lab);
    expect(ended.status).toBe(1);
    expect(ended.out).toContain("error: aws-node: WARM_PREFIX_TARGET=0");
  });
});

describe("bad input", () => {
  const other = write("other.json", { Vpcs: [] });
  const part = write("part.json", { clusterName: "eks", awsNodeEnv: {} });
  const cases: readonly (readonly [args: readonly string[], status: number, says: string])[] = [
    [[], 1, "nothing to look at; wanted one of --lab, a file, or exported JSON"],
    [["lab.yaml", "--subnets", subnets], 1, "more than one network"],
    [["/nowhere.yaml"], 1, "cannot read /nowhere.yaml: ENOENT"],
    [["--subnets", "/nowhere.json"], 1, "cannot read /nowhere.json: ENOENT"],
    [["--subnets", other], 1, "cannot read subnets: JSON with Vpcs; wanted JSON with the list Subnets"],
    [["--subnets", subnets, "--vpc", "vpc-9"], 1, "--vpc vpc-9; wanted --vpc with one of vpc-1"],
    [["--nodes", nodes, "--vpc", "vpc-1"], 1, "cannot use --vpc: it has no effect here"],
    [["--nodes", nodes, "--reservations", other], 1, "cannot use --reservations: it has no effect here"],
    [[part], 1, "a plan with clusterName, awsNodeEnv; wanted all of what eniverse plan vpc -o json prints"],
    [[other], 1, "an unknown field Vpcs"],
    [[subnets, "--fail-on", "info"], 2, "wanted: error or warning"],
    [[subnets, "-o", "xml"], 1, "wanted one of table, wide, json, yaml"],
    [["a", "b"], 2, "too many arguments"],
    [["--lab", "--name", "no-such-lab"], 1, "cannot use the lab no-such-lab: there is no"],
  ];
  test.each(cases)("doctor %j", async (args, status, says) => {
    const ended = await eniverse("doctor", ...args);
    expect(ended.err).toContain(says);
    expect({ status: ended.status, out: ended.out }).toEqual({ status, out: "" });
  });
});
