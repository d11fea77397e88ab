import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ResultCache } from "./cache.ts";
import {
  addNetwork,
  checkNetwork,
  deleteNetwork,
  failureText,
  pluginVersions,
  type Sandbox,
} from "./chain.ts";
import { parseConfigList, parseSingleConfig } from "./config.ts";
import type { PluginExit, RunExecutable } from "./invoke.ts";

const folder = mkdtempSync(join(tmpdir(), "cni-chain-"));
afterAll(() => rmSync(folder, { recursive: true }));
for (const name of ["first", "second"]) writeFileSync(join(folder, name), "#!/bin/sh\n", { mode: 0o755 });

const list = (more: object = {}) =>
  parseConfigList(
    JSON.stringify({
      cniVersion: "0.4.0",
      name: "net",
      plugins: [
        { type: "first", name: "one", mtu: "9001", capabilities: { portMappings: true } },
        { type: "second", capabilities: { bandwidth: false } },
      ],
      ...more,
    }),
  );

const sandbox: Sandbox = {
  containerId: "c1",
  netns: "/run/netns/a",
  ifName: "eth0",
  args: [
    ["K8S_POD_NAME", "web"],
    ["IgnoreUnknown", "1"],
  ],
  capabilityArgs: { portMappings: [{ hostPort: 80 }], bandwidth: { ingressRate: 1 } },
};

interface Call {
  readonly command: string;
  readonly plugin: string;
  readonly env: Readonly<Record<string, string>>;
  readonly config: Record<string, unknown>;
}

/** Records calls; answers ADD with a result that counts the calls. */
function recorder(answer?: (call: Call) => PluginExit | undefined): { calls: Call[]; run: RunExecutable } {
  const calls: Call[] = [];
  const run: RunExecutable = async (file, env, stdin) => {
    const call = {
      command: env.CNI_COMMAND ?? "",
      plugin: file.slice(folder.length + 1),
      env,
      config: JSON.parse(new TextDecoder().decode(stdin)),
    };
    calls.push(call);
    const stdout =
      call.command === "ADD"
        ? JSON.stringify({ cniVersion: "0.4.0", dns: { domain: `${calls.length}` } })
        : "";
    return answer?.(call) ?? { exitCode: 0, stdout, stderr: "" };
  };
  return { calls, run };
}

const options = (run: RunExecutable) => ({
  path: ["/nowhere", folder],
  cache: new ResultCache(folder),
  env: {},
  run,
});

describe("the chain runner", () => {
  test("ADD hands each result to the next plugin and caches the last", async () => {
    const { calls, run } = recorder();
    const result = await addNetwork(list(), sandbox, options(run));
    expect(result).toEqual({ cniVersion: "0.4.0", dns: { domain: "2" } });
    expect(calls.map((call) => call.plugin)).toEqual(["first", "second"]);
    expect(calls[0]?.env).toEqual({
      CNI_COMMAND: "ADD",
      CNI_CONTAINERID: "c1",
      CNI_NETNS: "/run/netns/a",
      CNI_ARGS: "K8S_POD_NAME=web;IgnoreUnknown=1",
      CNI_IFNAME: "eth0",
      CNI_PATH: `/nowhere:${folder}`,
    });
    expect(calls[0]?.config).toMatchObject({
      name: "net",
      cniVersion: "0.4.0",
      mtu: "9001",
      runtimeConfig: { portMappings: [{ hostPort: 80 }] },
    });
    expect(calls[0]?.config.prevResult).toBeUndefined();
    expect(calls[1]?.config.prevResult).toEqual({ cniVersion: "0.4.0", dns: { domain: "1" } });
    expect(calls[1]?.config.runtimeConfig).toBeUndefined();
    const cached = JSON.parse(readFileSync(join(folder, "results/net-c1-eth0"), "utf8"));
    expect(cached).toMatchObject({
      kind: "cniCacheV1",
      containerId: "c1",
      networkName: "net",
      ifName: "eth0",
      cniArgs: [
        ["K8S_POD_NAME", "web"],
        ["IgnoreUnknown", "1"],
      ],
      result,
    });
    expect(Buffer.from(cached.config, "base64").toString()).toBe(list().source);
  });

  test("DEL goes backwards with the cached result and then forgets it", async () => {
    const { calls, run } = recorder();
    await addNetwork(list(), sandbox, options(run));
    await deleteNetwork(list(), sandbox, options(run));
    expect(calls.slice(2).map((call) => [call.command, call.plugin])).toEqual([
      ["DEL", "second"],
      ["DEL", "first"],
    ]);
    expect(calls[3]?.config.prevResult).toEqual({ cniVersion: "0.4.0", dns: { domain: "2" } });
    await deleteNetwork(list(), { ...sandbox, netns: "" }, options(run));
    expect(calls.at(-1)?.config.prevResult).toBeUndefined();
    expect(calls.at(-1)?.env.CNI_NETNS).toBe("");
  });

  test("CHECK asks in order unless the list disables it", async () => {
    const { calls, run } = recorder();
    await checkNetwork(list({ disableCheck: true }), sandbox, options(run));
    expect(calls).toEqual([]);
    await checkNetwork(list(), sandbox, options(run));
    expect(calls.map((call) => [call.command, call.plugin])).toEqual([
      ["CHECK", "first"],
      ["CHECK", "second"],
    ]);
    await expect(checkNetwork(list({ cniVersion: "0.3.1" }), sandbox, options(run))).rejects.toThrow(
      "does not support",
    );
  });

  test("a failure stops the chain and is told in the plugin's own words", async () => {
    const said = { code: 999, msg: "add cmd: failed", details: "no address" };
    const { calls, run } = recorder(() => ({ exitCode: 1, stdout: JSON.stringify(said), stderr: "" }));
    const thrown = await addNetwork(list(), sandbox, options(run)).catch((error: unknown) => error);
    expect(failureText(thrown)).toBe(
      'plugin type="first" name="one" failed (add): add cmd: failed; no address',
    );
    expect(thrown).toMatchObject({ parts: { facts: { cniCode: 999 } } });
    expect(calls.length).toBe(1);
  });

  test("a plugin that dies without a word, or is not there, is named", async () => {
    const { run } = recorder(() => ({ exitCode: 139, stdout: "", stderr: "segfault" }));
    const thrown = await addNetwork(list(), sandbox, options(run)).catch(failureText);
    expect(thrown).toContain("netplugin failed with no error message (exit code 139)");
    const lost = parseSingleConfig('{"cniVersion":"0.4.0","name":"n","type":"missing"}');
    expect(await addNetwork(lost, sandbox, options(run)).catch(failureText)).toBe(
      `plugin type="missing" name="n" failed (add): failed to find plugin "missing" in path [/nowhere ${folder}]`,
    );
  });
});

describe("real executables", () => {
  test.skipIf(!Bun.which("host-local", { PATH: "/usr/lib/cni" }))(
    "Debian's host-local: versions, ADD, DEL",
    async () => {
      const real = { path: ["/usr/lib/cni"], cache: new ResultCache(folder) };
      expect(await pluginVersions("host-local", real)).toContain("0.4.0");
      const ipam = {
        type: "host-local",
        dataDir: join(folder, "ipam"),
        ranges: [[{ subnet: "10.9.0.0/24" }]],
      };
      const network = parseConfigList(
        JSON.stringify({ cniVersion: "1.0.0", name: "hl", plugins: [{ type: "host-local", ipam }] }),
      );
      const result = await addNetwork(network, sandbox, real);
      expect(result.ips).toEqual([{ address: "10.9.0.2/24", gateway: "10.9.0.1" }]);
      await deleteNetwork(network, sandbox, real);
      expect(real.cache.list("c1").filter((found) => found.networkName === "hl")).toEqual([]);
    },
  );
});

describe("configuration lists", () => {
  test.each([
    ["{", "error unmarshall configuration list"],
    ['{"plugins":[]}', "missing network name"],
    ['{"name":"n","plugins":[]}', "no plugins"],
    ['{"name":"n","plugins":[{}]}', "missing 'type' in plugins[0]"],
    ['{"name":"n","cniVersion":"7","plugins":[{"type":"t"}]}', "incompatible CNI versions"],
    ["[]", "the configuration list"],
  ])("refuses %s", (source, message) => {
    expect(() => parseConfigList(source)).toThrow(message);
  });

  test("without a version are 0.1.0", () => {
    expect(parseConfigList('{"name":"n","plugins":[{"type":"t"}]}').cniVersion).toBe("0.1.0");
  });
});
