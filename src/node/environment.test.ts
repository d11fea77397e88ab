import { describe, expect, test } from "bun:test";
import { manifestEnvironment, readEnvironment, type Variable, variables } from "./environment.ts";

const all = Object.values(variables) as Variable<unknown>[];

describe("the variables of aws-node", () => {
  test("each code default, written out, means the same as not setting the variable", () => {
    for (const variable of all) {
      if (variable.codeDefault === undefined) continue;
      const unset = variable.parse(undefined);
      expect({ name: variable.name, ...variable.parse(variable.codeDefault) }).toEqual({
        name: variable.name,
        ...unset,
      });
    }
  });

  test("names are unique", () => {
    const names = all.map((variable) => variable.name);
    expect(new Set(names).size).toBe(names.length);
  });

  test("the manifest turns IPv4 and one warm prefix on, which the code does not", () => {
    expect(readEnvironment({}).settings.enableIpv4).toBe(false);
    const { settings, complaints } = readEnvironment(manifestEnvironment("aws-node"));
    expect(complaints).toEqual([]);
    expect(settings.enableIpv4).toBe(true);
    expect(settings.warmPrefixTarget).toBe(1);
    expect(settings.networkPolicyMode).toBe("standard");
  });

  test("booleans are Go's; anything else, the empty text too, leaves the default and is complained about", () => {
    expect(readEnvironment({ ENABLE_POD_ENI: "T" }).settings.enablePodEni).toBe(true);
    for (const bad of ["yes", "", "tRUE"]) {
      const { settings, complaints } = readEnvironment({ ENABLE_SUBNET_DISCOVERY: bad });
      expect(settings.enableSubnetDiscovery).toBe(true);
      expect(complaints).toEqual([
        {
          variable: "ENABLE_SUBNET_DISCOVERY",
          found: bad,
          wanted: "true or false",
          used: "true",
          fatal: false,
        },
      ]);
    }
  });

  test("integers below their least value leave the default", () => {
    expect(readEnvironment({ WARM_ENI_TARGET: "-1" }).settings.warmEniTarget).toBe(1);
    expect(readEnvironment({ MAX_ENI: "0" }).settings.maxEni).toBeUndefined();
    expect(readEnvironment({ MAX_ENI: "3" }).settings.maxEni).toBe(3);
    expect(readEnvironment({ HTTP_TIMEOUT: "5" }).settings.httpTimeoutSeconds).toBe(10);
  });

  test("the connection mark takes Go's integer literals", () => {
    const mark = (text: string) => readEnvironment({ AWS_VPC_K8S_CNI_CONNMARK: text }).settings.connmark;
    expect([mark("0x100"), mark("0400"), mark("256"), mark("0b1"), mark("1_0")]).toEqual([
      256, 256, 256, 1, 10,
    ]);
    expect([mark("0"), mark("0x100000000"), mark("-1"), mark("x")]).toEqual([0x80, 0x80, 0x80, 0x80]);
  });

  test("lists of CIDR blocks are trimmed, put in network form, and lose what is not IPv4", () => {
    const { settings, complaints } = readEnvironment({
      AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: " 10.12.3.4/16 ,fd00::/8,,nonsense,0.0.0.0/0",
    });
    expect(settings.excludeSnatCidrs.map((cidr) => [cidr.base as number, cidr.bits])).toEqual([
      [0x0a0c0000, 16],
      [0, 0],
    ]);
    expect(complaints.map((complaint) => complaint.wanted)).toEqual([
      "IPv4 CIDR blocks only, not fd00::/8, nonsense",
    ]);
  });

  test("a policy mode that is not one, the empty text too, is fatal; unset means no agent", () => {
    expect(readEnvironment({}).settings.networkPolicyMode).toBe("");
    expect(readEnvironment({ NETWORK_POLICY_ENFORCING_MODE: "Strict" }).settings.networkPolicyMode).toBe(
      "Strict",
    );
    expect(readEnvironment({ NETWORK_POLICY_ENFORCING_MODE: "" }).complaints[0]?.fatal).toBe(true);
  });

  test("a variable without effect says so when it is set", () => {
    expect(readEnvironment({ ENABLE_NFTABLES: "true" }).complaints[0]?.wanted).toStartWith("not to be set");
  });
});
