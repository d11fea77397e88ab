import { afterEach, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { existsSync } from "node:fs";
import {
  endHolder,
  findHolders,
  type HeldNamespaces,
  type Holder,
  type HolderOptions,
  insidePid,
  spawnIn,
  startNamespaceHolder,
} from "./holder.ts";
import { Netns } from "./netns.ts";
import { childPids, endProcess, identityOf, isAlive } from "./process.ts";
import { Rtnetlink } from "./rtnetlink/rtnetlink.ts";

const label = `eniverse-test-${process.pid}`;
const everything: HeldNamespaces = { net: true, mount: true, pid: true, uts: true, ipc: true };

afterEach(async () => {
  for (const holder of findHolders(label)) await endHolder(holder);
});

async function start(namespaces: HeldNamespaces, options: Partial<HolderOptions> = {}): Promise<Holder> {
  return startNamespaceHolder(namespaces, { label, ...options });
}

async function output(holder: Holder, ...argv: [string, ...string[]]): Promise<string> {
  const child = spawnIn(holder, argv, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout?.on("data", (chunk) => {
    text += String(chunk);
  });
  await once(child, "close");
  return text.trim();
}

describe.skipIf(process.getuid?.() !== 0)("namespace holders", () => {
  test("holds namespaces of its own with a host name and a loopback device", async () => {
    const holder = await start(everything, { hostname: "ip-10-0-1-17", loopback: true });
    expect(await output(holder, "hostname")).toBe("ip-10-0-1-17");
    using ns = Netns.open(holder.netnsPath);
    using own = Netns.current();
    expect(ns.equals(own)).toBe(false);
    using rtnetlink = Rtnetlink.open(ns);
    expect(rtnetlink.links()).toMatchObject([{ name: "lo", up: true }]);
    // Inside, the holder is process 1 and /proc shows only what is inside.
    expect(await output(holder, "sh", "-c", "echo /proc/[0-9]*")).toMatch(/^\/proc\/1 /);
    expect(await output(holder, "cat", "/proc/1/comm")).toBe("sh");
  });

  test("is found by its label, once, and ends with everything inside", async () => {
    const holder = await start(everything);
    expect(findHolders(label)).toEqual([holder]);
    expect(findHolders(`${label}-other`)).toEqual([]);
    const child = spawnIn(holder, ["sleep", "100"], { stdio: "ignore" });
    let inside: number | undefined;
    while (inside === undefined) {
      await Bun.sleep(2);
      inside = insidePid(child);
    }
    const sleeper = identityOf(inside);
    const closed = once(child, "close");
    await endHolder(holder);
    await closed;
    expect(sleeper !== undefined && isAlive(sleeper)).toBe(false);
    expect(findHolders(label)).toEqual([]);
    await endHolder(holder);
  });

  test("reaps orphans", async () => {
    const holder = await start(everything);
    await output(holder, "sh", "-c", "(sleep 0.02 &) ; exit 0");
    const deadline = Date.now() + 30_000;
    // Only the sleep that it waits for is left.
    while (childPids(holder.identity.pid).length > 1 && Date.now() < deadline) await Bun.sleep(5);
    expect(childPids(holder.identity.pid).length).toBe(1);
  });

  test("ends on SIGTERM", async () => {
    const holder = await start(everything);
    // A process 1 without a handler would not even notice.
    const began = performance.now();
    await endProcess(holder.identity, 4000);
    expect(isAlive(holder.identity)).toBe(false);
    expect(performance.now() - began).toBeLessThan(4000);
  });

  test("without a process namespace it is a single process", async () => {
    const holder = await start({ net: true });
    expect(findHolders(label)).toEqual([holder]);
    expect(childPids(holder.identity.pid)).toEqual([]);
    const path = holder.netnsPath;
    await endHolder(holder);
    expect(existsSync(path)).toBe(false);
  });

  test("a failing set-up command is the holder's failure and leaves nothing", async () => {
    await expect(start(everything, { setup: ["sh", "-c", "echo no disk >&2; exit 3"] })).rejects.toThrow(
      "no disk",
    );
    expect(findHolders(label)).toEqual([]);
  });

  test("set-up mounts stay inside", async () => {
    const holder = await start(everything, {
      setup: ["sh", "-c", "mount -t tmpfs x /mnt && echo hi >/mnt/file"],
    });
    expect(await output(holder, "cat", "/mnt/file")).toBe("hi");
    expect(existsSync("/mnt/file")).toBe(false);
  });

  test("a program's status and signals pass through nsenter", async () => {
    const holder = await start(everything);
    const failing = spawnIn(holder, ["sh", "-c", "exit 7"], { stdio: "ignore", cwd: "/tmp" });
    expect(await once(failing, "exit")).toEqual([7, null]);
    const child = spawnIn(
      holder,
      ["sh", "-c", "trap 'echo ended; exit 0' TERM; echo up; sleep 5 >/dev/null & wait"],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    let text = "";
    child.stdout?.on("data", (chunk) => {
      text += String(chunk);
      if (text === "up\n") child.kill("SIGTERM");
    });
    await once(child, "close");
    expect(text).toBe("up\nended\n");
  });
});
