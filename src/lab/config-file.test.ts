import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseCidr4 } from "../addr/cidr.ts";
import type { LabShape } from "./config.ts";
import { checkLabConfig } from "./config-check.ts";
import { readLabConfig } from "./config-file.ts";
import { layoutLab } from "./layout.ts";

const shape: LabShape = {
  nodes: 3,
  zones: 2,
  instanceType: "m5.large",
  vpcCidr: parseCidr4("10.0.0.0/16"),
  awsNodeEnv: {},
};
const read = (yaml: string) => readLabConfig(yaml, "lab.yaml", "dev", shape);
const checked = (yaml: string) => {
  const config = read(yaml);
  checkLabConfig(config);
  return config;
};

describe("IPv6", () => {
  const targets = (config: ReturnType<typeof read>, table: string) =>
    config.vpc.routeTables
      .find(({ name }) => name === table)
      ?.routes.map(({ destination, target }) => `${destination} ${target}`);

  test("a cluster of that family has it in its VPC, with a way out, and leaves services to EKS", () => {
    const config = checked("cluster: {ipFamily: ipv6}");
    expect(config.vpc.ipv6).toBe(true);
    expect(config.cluster.serviceCidr).toBeUndefined();
    expect(targets(config, "public")).toEqual(["0.0.0.0/0 internet-gateway", "::/0 internet-gateway"]);
    expect(targets(config, "private-a")).toEqual([
      "0.0.0.0/0 nat-gateway:public-a",
      "::/0 egress-only-internet-gateway",
    ]);
    expect(layoutLab("dev", { ...shape, ipFamily: "ipv6" })).toEqual(config);
  });

  test("a VPC with it may hold an IPv4 cluster", () => {
    const config = checked("vpc: {ipv6: true}");
    expect(config.cluster).toMatchObject({ ipFamily: "ipv4", serviceCidr: "172.20.0.0/16" });
    expect(targets(config, "private-b")).toContain("::/0 egress-only-internet-gateway");
  });

  test.each([
    ["{vpc: {ipv6: false}, cluster: {ipFamily: ipv6}}", "vpc.ipv6: true"],
    ["cluster: {ipFamily: ipv6, serviceCidr: 172.20.0.0/16}", "EKS chooses"],
    ["{cluster: {ipFamily: ipv6}, nodeGroups: [{name: old, instanceType: m4.large}]}", "Nitro"],
    ["cluster: {ipFamily: dual}", "ipv6"],
  ])("%s is refused", (yaml, text) => {
    expect(() => checked(yaml)).toThrow(text);
  });
});

describe("the short form", () => {
  test("per zone a public, a private and a cluster subnet, none overlapping", () => {
    const config = layoutLab("dev", shape);
    checkLabConfig(config);
    expect(config.vpc.subnets.map(({ name, cidr }) => `${name} ${cidr}`)).toEqual([
      "public-a 10.0.0.0/24",
      "private-a 10.0.32.0/19",
      "cluster-a 10.0.31.240/28",
      "public-b 10.0.1.0/24",
      "private-b 10.0.64.0/19",
      "cluster-b 10.0.31.224/28",
    ]);
    expect(config.cluster.serviceCidr).toBe("172.20.0.0/16");
  });

  test("every VPC size that it takes is laid out without overlap, in every number of zones", () => {
    for (let bits = 16; bits <= 22; bits++) {
      for (let zones = 2; zones <= 6; zones++) {
        const small = { ...shape, zones, vpcCidr: parseCidr4(`192.168.0.0/${bits}`) };
        if (2 ** (28 - bits - 3) < 2 * zones) {
          expect(() => layoutLab("dev", small)).toThrow("room for");
          continue;
        }
        checkLabConfig(layoutLab("dev", small));
      }
    }
  });

  test("too small a VPC, too few zones", () => {
    expect(() => layoutLab("dev", { ...shape, vpcCidr: parseCidr4("10.0.0.0/26") })).toThrow(
      "cannot use --vpc-cidr: 10.0.0.0/26; wanted room for 2 zones",
    );
    expect(() => layoutLab("dev", { ...shape, zones: 1 })).toThrow("two zones at least");
    expect(() => layoutLab("dev", { ...shape, nodes: 101 })).toThrow("0 to 100");
  });
});

describe("lab.yaml", () => {
  test("an empty file is the short form", () => {
    expect(read("")).toEqual(layoutLab("dev", shape));
  });

  test("the command line's settings win over the file's", () => {
    const config = readLabConfig("awsNode: {env: {WARM_IP_TARGET: '2', MAX_ENI: '2'}}", "lab.yaml", "dev", {
      ...shape,
      awsNodeEnv: { WARM_IP_TARGET: "5" },
    });
    expect(config.awsNode.env).toEqual({ WARM_IP_TARGET: "5", MAX_ENI: "2" });
  });

  test("ENIConfigs name subnets of the file", () => {
    const config = checked("awsNode: {eniConfigs: {us-west-2a: private-a}}");
    expect(config.awsNode.eniConfigs).toEqual({ "us-west-2a": "private-a" });
    expect(() => checked("awsNode: {eniConfigs: {us-west-2a: pods-a}}")).toThrow(
      "awsNode.eniConfigs.us-west-2a: subnet pods-a; wanted one of ",
    );
    expect(() => read("awsNode: {eniConfigs: {us-west-2a: 5}}")).toThrow("lab.yaml, line 1");
  });

  test("an error names the line, what was found and what is allowed", () => {
    const yaml = "vpc:\n  cidrs: [10.0.0.0/16]\nec2:\n  addressChoice: dense\n";
    expect(() => read(yaml)).toThrow(
      'cannot read lab.yaml, line 4: ec2.addressChoice = "dense"; wanted one of random, lowest',
    );
    expect(() => read("vpc: {}\nnodegroups: []\n")).toThrow(
      "cannot read lab.yaml, line 2: an unknown field nodegroups; wanted one of region, seed, vpc",
    );
    expect(() =>
      read("vpc:\n  subnets:\n    - {name: a, zone: us-west-2a, cidr: 10.0.0.0/24, publc: true}\n"),
    ).toThrow("line 3: an unknown field vpc.subnets.0.publc");
    expect(() => read("vpc: [\n")).toThrow("cannot read lab.yaml, line");
    expect(() => read("nodeGroups:\n  - name: a\n    count: 1000\n")).toThrow(
      "line 3: nodeGroups.0.count = 1000",
    );
  });

  test("blocks that overlap, lie outside or clash with services are refused with both sides", () => {
    const subnets = (a: string, b: string): string =>
      `vpc: {cidrs: [10.0.0.0/16], subnets: [{name: a, zone: us-west-2a, cidr: ${a}}, {name: b, zone: us-west-2b, cidr: ${b}}]}`;
    expect(() => checked(subnets("10.0.0.0/20", "10.0.8.0/24"))).toThrow(
      "cannot use subnet b: 10.0.8.0/24, which overlaps 10.0.0.0/20 of subnet a; wanted blocks apart",
    );
    expect(() => checked(subnets("10.0.0.0/24", "10.1.0.0/24"))).toThrow(
      "a block inside the VPC's 10.0.0.0/16",
    );
    expect(() => checked(subnets("10.0.0.0/24", "10.0.1.0/30"))).toThrow("/16 to /28");
    expect(() => checked("vpc: {cidrs: [10.0.0.0/16]}\ncluster: {serviceCidr: 10.0.0.0/20}")).toThrow(
      "overlaps 10.0.0.0/16 of the VPC",
    );
  });

  test("names must lead somewhere, and types must exist", () => {
    expect(() => checked("nodeGroups: [{name: a, instanceType: m5.larg}]")).toThrow("did you mean m5.large");
    expect(() => checked("nodeGroups: [{name: a, subnets: [nowhere]}]")).toThrow(
      "subnet nowhere; wanted one of public-a",
    );
    expect(() => checked("cluster: {subnets: [private-a, cluster-a]}")).toThrow("two zones at least");
  });
});

test("the example of docs/lab-yaml.md is read as it stands", () => {
  const page = readFileSync(join(import.meta.dir, "../../docs/lab-yaml.md"), "utf8");
  const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
  const config = checked(example);
  expect(config.vpc.subnets.map(({ name }) => name)).toEqual([
    "public-a",
    "public-b",
    "nodes-a",
    "nodes-b",
    "pods-a",
  ]);
  expect(config.ec2.throttling).toBe("off");
});
