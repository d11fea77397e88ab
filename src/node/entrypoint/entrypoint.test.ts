import { describe, expect, test } from "bun:test";
import { parseConfigList } from "../../cni/config.ts";
import { manifestEnvironment, readEnvironment } from "../environment.ts";
import { conflistText } from "./conflist.ts";
import { environmentProblems } from "./validate.ts";

const read = (env: Record<string, string>, nodeIp = "") =>
  conflistText({ settings: readEnvironment(env).settings, nodeIp });

describe("the conflist (S48)", () => {
  test("by default has aws-cni, a sleeping egress-cni and portmap", () => {
    expect(JSON.parse(read(manifestEnvironment("aws-node")))).toEqual({
      cniVersion: "0.4.0",
      name: "aws-cni",
      disableCheck: true,
      plugins: [
        {
          name: "aws-cni",
          type: "aws-cni",
          vethPrefix: "eni",
          mtu: "9001",
          podSGEnforcingMode: "strict",
          pluginLogFile: "/var/log/aws-routed-eni/plugin.log",
          pluginLogLevel: "DEBUG",
          capabilities: { "io.kubernetes.cri.pod-annotations": true },
        },
        {
          name: "egress-cni",
          type: "egress-cni",
          mtu: "9001",
          enabled: "false",
          randomizeSNAT: "prng",
          nodeIP: "",
          ipam: {
            type: "host-local",
            ranges: [[{ subnet: "fd00::ac:0/118" }]],
            routes: [{ dst: "::/0" }],
            dataDir: "/run/cni/v4pd/egress-v6-ipam",
          },
          pluginLogFile: "/var/log/aws-routed-eni/egress-v6-plugin.log",
          pluginLogLevel: "DEBUG",
        },
        { type: "portmap", capabilities: { portMappings: true }, snat: true },
      ],
    });
  });

  test("an IPv6 cluster gets IPv4 egress through the node's address", () => {
    const egress = parseConfigList(read({ ENABLE_IPv6: "true" }, "10.0.1.10")).plugins[1]?.raw;
    expect(egress).toMatchObject({
      enabled: "true",
      nodeIP: "10.0.1.10",
      ipam: {
        ranges: [[{ subnet: "169.254.172.0/22" }]],
        routes: [{ dst: "0.0.0.0/0" }],
        dataDir: "/run/cni/v6pd/egress-v4-ipam",
      },
      pluginLogFile: "/var/log/aws-routed-eni/egress-v4-plugin.log",
    });
    const off = read({ ENABLE_IPv6: "true", ENABLE_V4_EGRESS: "false" }, "10.0.1.10");
    expect(parseConfigList(off).plugins[1]?.raw.enabled).toBe("false");
  });

  test("IPv6 egress of an IPv4 cluster needs an address of the node", () => {
    const enabled = (nodeIp: string) =>
      parseConfigList(read({ ENABLE_V6_EGRESS: "true" }, nodeIp)).plugins[1]?.raw.enabled;
    expect([enabled("2001:db8::10"), enabled("")]).toEqual(["true", "false"]);
  });

  test.each([
    [{}, ["aws-cni", "egress-cni", "portmap"]],
    [{ ENABLE_BANDWIDTH_PLUGIN: "true" }, ["aws-cni", "egress-cni", "portmap", "bandwidth"]],
    [{ DISABLE_POD_V6: "true" }, ["aws-cni", "egress-cni", "portmap", "tuning"]],
    [
      { ENABLE_BANDWIDTH_PLUGIN: "true", DISABLE_POD_V6: "true" },
      ["aws-cni", "egress-cni", "portmap", "bandwidth", "tuning"],
    ],
  ])("with %j chains %j", (env, types) => {
    expect(parseConfigList(read(env)).plugins.map((plugin) => plugin.type)).toEqual(types);
  });

  test("POD_MTU reaches both plugins", () => {
    const { plugins } = parseConfigList(read({ POD_MTU: "1400", AWS_VPC_ENI_MTU: "9001" }));
    expect(plugins.slice(0, 2).map((plugin) => plugin.raw.mtu)).toEqual(["1400", "1400"]);
  });
});

describe("refused environments (S48)", () => {
  test.each([
    {},
    { AWS_VPC_ENI_MTU: "5000", POD_MTU: "3000" },
    { AWS_VPC_ENI_MTU: "576", POD_MTU: "9001" },
    { AWS_VPC_ENI_MTU: "1280", ENABLE_IPv6: "true" },
    { ENABLE_PREFIX_DELEGATION: "true", WARM_PREFIX_TARGET: "1" },
    { ENABLE_PREFIX_DELEGATION: "true", WARM_IP_TARGET: "00" },
    { POD_SECURITY_GROUP_ENFORCING_MODE: "nonsense" },
    { IP_COOLDOWN_PERIOD: "0" },
  ])("%j may start", (env) => {
    expect(environmentProblems(env)).toEqual([]);
  });

  test.each([
    [{ AWS_VPC_ENI_MTU: "true" }, "AWS_VPC_ENI_MTU must be a whole number of 576 to 9001"],
    [{ POD_MTU: "abc" }, "POD_MTU must be"],
    [{ AWS_VPC_ENI_MTU: "10000" }, "AWS_VPC_ENI_MTU must be"],
    [{ POD_MTU: "500" }, "POD_MTU must be"],
    [{ POD_MTU: "1200", ENABLE_IPv6: "true" }, "of 1280 to 9001"],
    [{ AWS_VPC_K8S_PLUGIN_LOG_FILE: "stdout" }, "cannot be set to stdout"],
    [{ AWS_VPC_K8S_CNI_VETHPREFIX: "fives" }, "longer than 4"],
    [{ AWS_VPC_K8S_CNI_VETHPREFIX: "vlan" }, "reserved"],
    [{ ENABLE_POD_ENI: "true", POD_SECURITY_GROUP_ENFORCING_MODE: "Strict" }, "must be strict or standard"],
    [{ IP_COOLDOWN_PERIOD: "-1" }, "IP_COOLDOWN_PERIOD"],
    [{ IP_COOLDOWN_PERIOD: "" }, "IP_COOLDOWN_PERIOD"],
    [{ ENABLE_PREFIX_DELEGATION: "true" }, "WARM_PREFIX_TARGET = 0 is not supported"],
    [{ ENABLE_PREFIX_DELEGATION: "true", WARM_IP_TARGET: "-1", MINIMUM_IP_TARGET: "" }, "not supported"],
  ])("%j may not", (env, text) => {
    expect(environmentProblems(env).join("\n")).toContain(text);
  });
});
