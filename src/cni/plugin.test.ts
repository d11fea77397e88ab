import { describe, expect, test } from "bun:test";
import { type Plugin, parseArgs, prevResultOf, runPlugin } from "./plugin.ts";
import { emptyResult } from "./result.ts";

const calls: string[] = [];
const plugin: Plugin = {
  about: "test plugin 1",
  add: async (call) => {
    calls.push(`add ${call.containerId} ${call.netns} ${call.ifName} ${call.networkName}`);
    return { ...emptyResult, ips: [{ address: "10.0.0.1/32" }] };
  },
  del: async (call) => {
    calls.push(`del ${prevResultOf(call)?.ips[0]?.address}`);
  },
};

const env = {
  CNI_COMMAND: "ADD",
  CNI_CONTAINERID: "c1",
  CNI_NETNS: "/n",
  CNI_IFNAME: "eth0",
  CNI_PATH: "/opt/cni/bin",
};
const config = (more: object = {}): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ cniVersion: "0.4.0", name: "net", type: "t", ...more }));

async function failure(
  env: Readonly<Record<string, string>>,
  stdin: Uint8Array,
): Promise<{ code: number; msg: string; details?: string }> {
  const outcome = await runPlugin(plugin, env, stdin);
  expect(outcome.exitCode).toBe(1);
  return JSON.parse(outcome.stdout);
}

describe("one execution of a plugin", () => {
  test("ADD prints the result in the version of the configuration", async () => {
    const outcome = await runPlugin(plugin, env, config());
    expect(JSON.parse(outcome.stdout)).toEqual({
      cniVersion: "0.4.0",
      ips: [{ version: "4", address: "10.0.0.1/32" }],
      dns: {},
    });
    expect(calls.at(-1)).toBe("add c1 /n eth0 net");
  });

  test("DEL gets the previous result and needs no namespace", async () => {
    const { CNI_NETNS: _, ...gone } = env;
    const stdin = config({ prevResult: { ips: [{ version: "4", address: "10.0.0.9/32" }] } });
    expect(await runPlugin(plugin, { ...gone, CNI_COMMAND: "DEL" }, stdin)).toEqual({
      exitCode: 0,
      stdout: "",
      stderr: "",
    });
    expect(calls.at(-1)).toBe("del 10.0.0.9/32");
  });

  test("VERSION lists what is supported, whatever stands on standard input", async () => {
    const outcome = await runPlugin(plugin, { CNI_COMMAND: "VERSION" }, new Uint8Array());
    expect(JSON.parse(outcome.stdout)).toEqual({
      cniVersion: "1.1.0",
      supportedVersions: ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"],
    });
  });

  test("without a command it says what it is", async () => {
    expect(await runPlugin(plugin, {}, new Uint8Array())).toEqual({
      exitCode: 0,
      stdout: "",
      stderr:
        "test plugin 1\nCNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0\n",
    });
  });

  test("CHECK without a handler succeeds; GC and STATUS need 1.1.0", async () => {
    expect((await runPlugin(plugin, { ...env, CNI_COMMAND: "CHECK" }, config())).exitCode).toBe(0);
    expect(await failure({ ...env, CNI_COMMAND: "GC" }, config())).toMatchObject({ code: 1 });
    const newest = config({ cniVersion: "1.1.0" });
    expect((await runPlugin(plugin, { ...env, CNI_COMMAND: "STATUS" }, newest)).exitCode).toBe(0);
    const old = config({ cniVersion: "0.3.1" });
    expect(await failure({ ...env, CNI_COMMAND: "CHECK" }, old)).toMatchObject({
      code: 1,
      msg: "config version does not allow CHECK",
    });
  });

  test.each([
    [
      { CNI_COMMAND: "ADD" },
      4,
      "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing",
    ],
    [{ CNI_COMMAND: "SING" }, 4, "unknown CNI_COMMAND: SING"],
    [{ ...env, CNI_CONTAINERID: "a/b" }, 4, "invalid characters in containerID"],
    [{ ...env, CNI_IFNAME: "eth0123456789012" }, 4, "interface name is too long"],
    [{ ...env, CNI_IFNAME: ".." }, 4, "interface name is . or .."],
  ])("refuses %j", async (bad, code, msg) => {
    expect(await failure(bad, config())).toMatchObject({ code, msg });
  });

  test("refuses what is no configuration", async () => {
    expect(await failure(env, new TextEncoder().encode("{"))).toMatchObject({ code: 6 });
    expect(await failure(env, new TextEncoder().encode("{}"))).toEqual({
      code: 7,
      msg: "missing network name",
    });
    expect(await failure(env, config({ name: "a b" }))).toMatchObject({ code: 7, details: "a b" });
    expect(await failure(env, config({ cniVersion: "9.9.9" }))).toEqual({
      code: 1,
      msg: "incompatible CNI versions",
      details: 'config is "9.9.9", plugin supports ["0.1.0" "0.2.0" "0.3.0" "0.3.1" "0.4.0" "1.0.0" "1.1.0"]',
    });
  });
});

describe("CNI_ARGS", () => {
  test("are pairs; unknown ones must be allowed", () => {
    expect(parseArgs("K8S_POD_NAME=web;IgnoreUnknown=1;FOO=bar", ["K8S_POD_NAME"])).toEqual({
      K8S_POD_NAME: "web",
    });
    expect(parseArgs("", ["A"])).toEqual({});
    expect(() => parseArgs("FOO=bar", ["A"])).toThrow('ARGS: unknown args ["FOO=bar"]');
    expect(() => parseArgs("FOO", ["A"])).toThrow('ARGS: invalid pair "FOO"');
  });
});
