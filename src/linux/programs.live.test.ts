import { describe, expect, test } from "bun:test";
import { hasCode } from "../base/error.ts";
import { listIptablesChain, restoreIptables, runIptables, saveIptables } from "./iptables.ts";
import { Netns } from "./netns.ts";
import { listNftRuleset, listNftText, runNft, runNftJson } from "./nft.ts";
import { runProgram } from "./program.ts";
import { readSysctl, writeSysctl } from "./sysctl.ts";

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe.skipIf(process.getuid?.() !== 0)("sysctl", () => {
  test("settings under net are those of the namespace", () => {
    using ns = Netns.create();
    using other = Netns.create();
    writeSysctl("net.ipv4.ip_forward", 1, ns);
    writeSysctl("net.ipv4.ip_forward", 0, other);
    expect(readSysctl("net.ipv4.ip_forward", ns)).toBe("1");
    expect(readSysctl("net/ipv4/ip_forward", other)).toBe("0");
    writeSysctl("net.ipv4.ip_local_port_range", "20000 30000", ns);
    expect(readSysctl("net.ipv4.ip_local_port_range", ns)).toBe("20000\t30000");
  });

  test("a missing setting, a refused value and a bad name are told apart", () => {
    using ns = Netns.create();
    const missing = "net.ipv6.conf.eth9.accept_ra";
    expect(
      hasCode(
        thrownBy(() => readSysctl(missing, ns)),
        "not_found",
      ),
    ).toBe(true);
    expect(
      hasCode(
        thrownBy(() => writeSysctl(missing, 0, ns)),
        "not_found",
      ),
    ).toBe(true);
    expect(
      hasCode(
        thrownBy(() => writeSysctl("net.ipv4.ip_forward", "x", ns)),
        "invalid_argument",
      ),
    ).toBe(true);
    expect(
      hasCode(
        thrownBy(() => readSysctl("net.ipv4.../../../etc/passwd", ns)),
        "invalid_argument",
      ),
    ).toBe(true);
  });
});

describe.skipIf(process.getuid?.() !== 0)("nft", () => {
  test("loads text and JSON into the namespace, and lists them", () => {
    using ns = Netns.create();
    using empty = Netns.create();
    runNft('table ip one { chain c { ip saddr 10.0.0.0/8 counter comment "hello"; }; }', ns);
    runNftJson([{ add: { table: { family: "ip6", name: "two" } } }], ns);
    expect(listNftText(ns)).toContain('comment "hello"');
    expect(listNftRuleset(ns).filter((entry) => "table" in entry)).toMatchObject([
      { table: { family: "ip", name: "one" } },
      { table: { family: "ip6", name: "two" } },
    ]);
    expect(listNftRuleset(empty)).toEqual([]);
  });

  test("is all or nothing and says what nft said", () => {
    using ns = Netns.create();
    const error = thrownBy(() => runNft("table ip one { }\nadd rule ip one absent accept\n", ns));
    expect(hasCode(error, "invalid_argument")).toBe(true);
    expect(String(error)).toContain("No such file or directory");
    expect(listNftText(ns)).toBe("");
  });
});

describe.skipIf(process.getuid?.() !== 0)("iptables", () => {
  const rules = "*nat\n:AWS-SNAT-CHAIN-0 - [0:0]\n-A POSTROUTING -j AWS-SNAT-CHAIN-0\nCOMMIT\n";

  test("loads, keeps what is there and lists, both families", () => {
    using ns = Netns.create();
    for (const family of [4, 6] as const) {
      runIptables(family, ["-t", "nat", "-A", "POSTROUTING", "-j", "ACCEPT"], ns);
      restoreIptables(family, rules, ns);
      expect(saveIptables(family, "nat", ns)).toContain(":AWS-SNAT-CHAIN-0 -");
      expect(listIptablesChain(family, "nat", "POSTROUTING", ns)).toEqual([
        "-P POSTROUTING ACCEPT",
        "-A POSTROUTING -j ACCEPT",
        "-A POSTROUTING -j AWS-SNAT-CHAIN-0",
      ]);
      expect(listIptablesChain(family, "nat", "AWS-SNAT-CHAIN-0", ns)).toEqual(["-N AWS-SNAT-CHAIN-0"]);
      expect(listIptablesChain(family, "nat", "ABSENT", ns)).toBeUndefined();
    }
  });

  test("says the line that it did not like, and loads nothing of the table", () => {
    using ns = Netns.create();
    const error = thrownBy(() => restoreIptables(4, "*nat\n:X - [0:0]\n-A X -j NOWHERE\nCOMMIT\n", ns));
    expect(hasCode(error, "invalid_argument")).toBe(true);
    expect(String(error)).toMatch(/line:? \d/);
    expect(listIptablesChain(4, "nat", "X", ns)).toBeUndefined();
  });
});

test("a missing program names its package", () => {
  const run = () =>
    runProgram({ attempted: "try it", argv: ["eniverse-no-such-program"], debianPackage: "some-package" });
  const error = thrownBy(run);
  expect(hasCode(error, "unsupported")).toBe(true);
  expect(String(error)).toContain("apt-get install -y some-package");
});
