import { afterEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSocketsAndNamespaces } from "./descriptors.ts";
import { createNetns, deleteNetns, inNetns, Netns } from "./netns.ts";

const folder = mkdtempSync(join(tmpdir(), "eniverse-netns-"));
const path = join(folder, "deep", "one");

afterEach(() => {
  deleteNetns(path);
  rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(process.getuid?.() !== 0)("network namespaces", () => {
  test("creating twice gives one namespace, deleting twice is quiet", () => {
    createNetns(path);
    using first = Netns.open(path);
    createNetns(path);
    using second = Netns.open(path);
    expect(second.equals(first)).toBe(true);
    deleteNetns(path);
    deleteNetns(path);
    expect(existsSync(path)).toBe(false);
  });

  test("a file left behind by a lost mount is mounted over", () => {
    createNetns(path);
    deleteNetns(path);
    writeFileSync(path, "");
    createNetns(path);
    using made = Netns.open(path);
    using own = Netns.current();
    expect(made.equals(own)).toBe(false);
  });

  test("refuses what is not a network namespace", () => {
    expect(() => Netns.open("/dev/null")).toThrow("is not a network namespace");
    expect(() => Netns.open("/proc/self/ns/mnt")).toThrow("is not a network namespace");
    expect(() => Netns.open(join(folder, "absent"))).toThrow("ENOENT");
  });

  test("work and its children are inside, and the thread is back afterwards", () => {
    createNetns(path);
    using ns = Netns.open(path);
    using own = Netns.current();
    const seen = inNetns(ns, () => {
      const child = spawnSync("readlink", ["/proc/self/ns/net"], { encoding: "utf8" }).stdout.trim();
      return [readlinkSync("/proc/thread-self/ns/net"), child];
    });
    expect(seen).toEqual([`net:[${ns.inode}]`, `net:[${ns.inode}]`]);
    expect(() =>
      inNetns(ns, () => {
        inNetns(own, () => expect(Netns.current().inode).toBe(own.inode));
        throw new Error("boom");
      }),
    ).toThrow("boom");
    using now = Netns.current();
    expect(now.equals(own)).toBe(true);
  });

  test("leaves no descriptor open", () => {
    createNetns(path);
    using ns = Netns.open(path);
    const before = openSocketsAndNamespaces();
    for (let round = 0; round < 20; round++) inNetns(ns, () => Netns.current().close());
    expect(openSocketsAndNamespaces().filter((open) => !before.includes(open))).toEqual([]);
  });

  test("ends the process when it cannot go back", () => {
    const script = `
      import { closeSync, readdirSync, readlinkSync } from "node:fs";
      import { inNetns, Netns } from ${JSON.stringify(join(import.meta.dir, "netns.ts"))};
      const ns = Netns.create();
      inNetns(ns, () => {
        for (const fd of readdirSync("/proc/self/fd")) {
          try {
            if (readlinkSync("/proc/self/fd/" + fd).startsWith("net:[")) closeSync(Number(fd));
          } catch {}
        }
      });
      process.stdout.write("went on");
    `;
    const child = spawnSync(process.execPath, ["-e", script], { encoding: "utf8", cwd: import.meta.dir });
    expect(child.stdout).toBe("");
    expect(child.stderr).toContain("cannot leave a network namespace");
    expect(child.status).not.toBe(0);
  });
});
