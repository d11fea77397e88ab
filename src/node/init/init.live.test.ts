import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ManualClock } from "../../base/clock.ts";
import { TestBed } from "../../hostnet/test-bed.ts";
import { readSysctl, writeSysctl } from "../../linux/sysctl.ts";
import { readEnvironment } from "../environment.ts";
import { type InitParts, runInit } from "./run.ts";

let bed: TestBed;
let said: string[];

const parts = (env: Record<string, string>): InitParts => ({
  settings: readEnvironment({ HOST_CNI_BIN_PATH: join(bed.folder, "bin"), ...env }).settings,
  pluginFolder: join(bed.folder, "plugins"),
  host: bed.host,
  imds: { get: async () => bed.primaryMac.toUpperCase(), find: async () => undefined },
  say: (line) => said.push(line),
});

describe.skipIf(process.getuid?.() !== 0)("the init container", () => {
  beforeEach(() => {
    bed = new TestBed();
    said = [];
    const plugins = join(bed.folder, "plugins");
    mkdirSync(plugins);
    writeFileSync(join(plugins, "portmap"), "program", { mode: 0o755 });
    symlinkSync("portmap", join(plugins, "alias"));
  });
  afterEach(() => bed[Symbol.dispose]());

  test("copies plugins, sets the primary device's sysctls and says so", async () => {
    for (let round = 0; round < 2; round++) await runInit(parts({}));
    const installed = join(bed.folder, "bin", "portmap");
    expect(readFileSync(installed, "utf8")).toBe("program");
    expect(statSync(installed).mode & 0o777).toBe(0o755);
    expect(readdirSync(join(bed.folder, "bin"))).toEqual(["portmap"]);
    expect(readSysctl("net.ipv4.conf.eth0.rp_filter", bed.node)).toBe("2");
    expect(said).toContain("Copying CNI plugin binaries ...");
    expect(said).toContain("Updated net/ipv4/conf/eth0/rp_filter to 2");
    expect(said.at(-1)).toBe("CNI init container done");
  });

  test("S53: DISABLE_TCP_EARLY_DEMUX turns off what keeps TCP probes from pods with a branch ENI", async () => {
    const value = (): string | undefined => {
      try {
        return readSysctl("net.ipv4.tcp_early_demux", bed.node);
      } catch {
        return undefined;
      }
    };
    for (const [variable, wanted] of [
      ["true", "0"],
      ["false", "1"],
    ] as const) {
      const isThere = value() !== undefined;
      await runInit(parts({ DISABLE_TCP_EARLY_DEMUX: variable }));
      expect(said).toContain(`Updated net/ipv4/tcp_early_demux to ${wanted}`);
      if (isThere) expect(value()).toBe(wanted);
    }
  });

  test("IPv6 clusters forward IPv6 and still take router advertisements", async () => {
    writeSysctl("net.ipv6.conf.all.disable_ipv6", 1, bed.node);
    await runInit(parts({ ENABLE_IPv6: "true" }));
    const of = (name: string): string => readSysctl(`net.ipv6.conf.${name}`, bed.node);
    expect([of("all.disable_ipv6"), of("all.forwarding"), of("eth0.accept_ra")]).toEqual(["0", "1", "2"]);
  });

  test("IPv6 egress forwards IPv6; without either nothing of IPv6 changes", async () => {
    const forwarding = (): string => readSysctl("net.ipv6.conf.all.forwarding", bed.node);
    const before = forwarding();
    await runInit(parts({ DISABLE_TCP_EARLY_DEMUX: "true" }));
    expect(forwarding()).toBe(before);
    await runInit(parts({ ENABLE_V6_EGRESS: "true" }));
    expect(forwarding()).toBe("1");
  });

  test("missing plugins and a missing primary device are named", async () => {
    const nowhere = { ...parts({}), pluginFolder: join(bed.folder, "nowhere") };
    await expect(runInit(nowhere)).rejects.toThrow("copy the CNI plugins");
    const clock = new ManualClock();
    const imds = { get: async () => "02:00:00:00:0f:0f", find: async () => undefined };
    const lost = runInit({ ...parts({}), imds, clock }).catch(String);
    await clock.advance(20_000);
    expect(await lost).toContain("02:00:00:00:0f:0f");
  });
});
