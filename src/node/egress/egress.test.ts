import { describe, expect, test } from "bun:test";
import { runPlugin } from "../../cni/plugin.ts";
import type { HostNetns } from "../../hostnet/host.ts";
import { egressChain } from "./chain.ts";
import { egressCni } from "./egress-cni.ts";

test("chains are named as the official plugin names them (S49)", () => {
  expect(egressChain(4, "aws-cni", "containerId-123").name).toBe("CNI-E4-5740307710ebfd5fb24f5");
  expect(egressChain(6, "aws-cni", "containerId-789").name).toBe("CNI-E6-e335b08ae90730d0a659a");
  expect(egressChain(4, "aws-cni", "c").comment).toBe('name: "aws-cni" id: "c"');
});

describe("egress-cni before it touches anything", () => {
  const untouched: HostNetns = new Proxy(Object.create(null), {
    get: (_, name) => {
      throw new Error(`the host's ${String(name)} was used`);
    },
  });
  const prevResult = { interfaces: [{ name: "eth0" }], ips: [{ address: "2001:db8::1/128" }], dns: {} };

  async function add(config: object): Promise<{ exitCode: number; out: Record<string, unknown> }> {
    const outcome = await runPlugin(
      egressCni({ host: untouched, run: () => Promise.reject(new Error("ipam was run")) }),
      {
        CNI_COMMAND: "ADD",
        CNI_CONTAINERID: "c1",
        CNI_NETNS: "/nowhere",
        CNI_IFNAME: "eth0",
        CNI_PATH: "/opt/cni/bin",
      },
      new TextEncoder().encode(
        JSON.stringify({ cniVersion: "1.0.0", name: "aws-cni", type: "egress-cni", mtu: "9001", ...config }),
      ),
    );
    return { exitCode: outcome.exitCode, out: JSON.parse(outcome.stdout) };
  }

  test("hands the result on when it is not enabled", async () => {
    for (const enabled of ["false", "", "True"]) {
      const { exitCode, out } = await add({ prevResult, enabled });
      expect(exitCode).toBe(0);
      expect(out).toEqual({ cniVersion: "1.0.0", ...prevResult });
    }
  });

  test.each([
    [{ enabled: "true" }, "must be called as a chained plugin"],
    [{ enabled: "false", prevResult, mtu: "x" }, 'failed to parse config: mtu is "x", not an integer'],
    [
      { enabled: "true", prevResult, nodeIP: "fe80::1" },
      "global unicast IPv6 not found in host primary interface",
    ],
    [{ enabled: "true", prevResult, nodeIP: "" }, "global unicast IPv6 not found in host primary interface"],
    [
      { enabled: "true", prevResult, nodeIP: "10.0.0.1", ipam: { type: "no-such" } },
      'running IPAM plugin failed: failed to find plugin "no-such" in path [/opt/cni/bin]',
    ],
  ])("refuses %j", async (config, msg) => {
    const { exitCode, out } = await add(config);
    expect(exitCode).toBe(1);
    expect(out.msg).toStartWith(msg);
  });
});
