import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseCidr4 } from "../../addr/cidr.ts";
import { parseIpv4 } from "../../addr/ipv4.ts";
import { parseIpv6 } from "../../addr/ipv6.ts";
import { Netns } from "../../linux/netns.ts";
import { Rtnetlink } from "../../linux/rtnetlink/rtnetlink.ts";
import { adoptMachine, type Machine, machinesOf, rebootMachine, startMachine } from "./machine.ts";

const isRoot = process.getuid?.() === 0;
const lab = `machine-test-${process.pid}`;

/** What must be the same before and after: the host's mounts and network. */
function hostPicture(): string {
  const commands = [
    ["ip", "-o", "link"],
    ["ip", "-o", "address"],
    ["ip", "route", "show", "table", "all"],
    ["ip", "rule"],
  ];
  const shown = commands.map(
    ([program = "", ...args]) => spawnSync(program, args, { encoding: "utf8" }).stdout,
  );
  return [readFileSync("/proc/self/mountinfo", "utf8"), ...shown]
    .join("\n")
    .replaceAll(/(valid|preferred)_lft \d+sec/g, "");
}

describe.skipIf(!isRoot)("machine", () => {
  const folder = mkdtempSync(join(tmpdir(), "machine-test-"));
  const before = hostPicture();
  const options = {
    lab,
    instanceId: "i-0123456789abcdef0",
    hostname: "ip-10-0-1-5.us-west-2.compute.internal",
    sharedFolders: [folder],
  };
  let machine: Machine;

  beforeAll(async () => {
    machine = await startMachine(options);
  });

  afterAll(async () => {
    for (const left of machinesOf(lab)) await left.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function run(script: string, env: Record<string, string> = {}): Promise<string> {
    const child = machine.spawn(["sh", "-c", script], { stdio: ["ignore", "pipe", "inherit"], env });
    let text = "";
    child.stdout?.on("data", (chunk) => {
      text += String(chunk);
    });
    const { promise, resolve } = Promise.withResolvers<number | null>();
    child.on("close", resolve);
    const status = await promise;
    return status === 0 ? text.trim() : `${text.trim()} [status ${status}]`;
  }

  test("has its own name, processes and files", async () => {
    expect(await run("hostname; cat /etc/hostname; cat /proc/sys/kernel/hostname")).toBe(
      Array(3).fill(options.hostname).join("\n"),
    );
    expect(await run("cat /etc/resolv.conf")).toBe("nameserver 169.254.169.253");
    expect(
      await run("ls /opt/cni/bin /etc/cni/net.d; ls -d /run/aws-node /run/netns /var/run/aws-node"),
    ).toBe("/etc/cni/net.d:\n\n/opt/cni/bin:\n/run/aws-node\n/run/netns\n/var/run/aws-node");
    expect(await run("ls /sys/class/net")).toBe("lo");
    expect(await run("readlink /proc/1/exe")).not.toContain("systemd");
  });

  test("writes into its own layer, never to the host", async () => {
    const mark = `/usr/local/machine-test-${process.pid}`;
    expect(await run(`echo mine >${mark} && cat ${mark}`)).toBe("mine");
    expect(existsSync(mark)).toBe(false);
    expect(readFileSync(`${machine.rootPath}${mark}`, "utf8")).toBe("mine\n");
    expect(await run("echo 1 2>&- >/proc/sys/kernel/printk || echo refused")).toBe("refused");
    expect(await run(`touch ${import.meta.path} 2>&- || echo refused`)).toBe("refused");
    expect(await run("echo 1 >/proc/sys/net/ipv4/ip_forward && echo fine")).toBe("fine");
  });

  test("shares the folders that it is told to, and runs the project's programs", async () => {
    writeFileSync(join(folder, "hello.ts"), "console.log(process.env.WHO, process.pid > 1)");
    expect(await run(`${process.execPath} ${folder}/hello.ts`, { WHO: "node" })).toBe("node true");
    await run(`echo from inside >${folder}/answer`);
    expect(readFileSync(join(folder, "answer"), "utf8")).toBe("from inside\n");
  });

  test("has device files and terminals", async () => {
    expect(await run("head -c 4 /dev/urandom >/dev/null && : >/dev/shm/x && echo fine")).toBe("fine");
    expect(await run("script -qc 'tty' /dev/null 2>&1 | head -1 | tr -d '\\r'")).toMatch(/^\/dev\/pts\/\d+$/);
  });

  test("gets what DHCP gives", async () => {
    using netns = Netns.open(machine.netnsPath);
    using rtnetlink = Rtnetlink.open(netns);
    rtnetlink.addVeth({ name: "eth0", peer: { name: "wire", up: true } });
    const primary = {
      device: "eth0",
      address: parseIpv4("10.0.1.5"),
      subnet: parseCidr4("10.0.1.0/24"),
      mtu: 9001,
      ipv6Address: parseIpv6("2001:db8:1:1::5"),
    };
    machine.primaryUp(primary);
    machine.primaryUp(primary);
    const shown = await run(
      "ip route; ip -6 route show default; ip -br addr show dev eth0 scope global; cat /sys/class/net/eth0/mtu",
    );
    expect(shown.replaceAll(/ +\n/g, "\n").replaceAll(/ {2,}/g, " ")).toBe(
      [
        "default via 10.0.1.1 dev eth0 proto dhcp src 10.0.1.5 metric 512",
        "10.0.1.0/24 dev eth0 proto kernel scope link src 10.0.1.5",
        "default via fe80:ec2::1 dev eth0 proto ra metric 512 pref medium",
        "eth0@wire UP 10.0.1.5/24 2001:db8:1:1::5/128",
        "9001",
      ].join("\n"),
    );
  });

  test("is found again, and is there once", async () => {
    expect(adoptMachine(lab, options.instanceId)?.pid).toBe(machine.pid);
    expect(adoptMachine(lab, "i-other")).toBeUndefined();
    await expect(startMachine(options)).rejects.toThrow("is running");
  });

  test("keeps its disk over reboots, but nothing else", async () => {
    const files = "/var/lib/kubelet/state /opt/cni/bin/plugin /etc/cni/net.d/10-aws.conflist";
    await run(`for file in ${files}; do echo kept >$file; done`);
    for (const turn of [1, 2]) {
      await run("for folder in /run/aws-node /tmp /dev/shm; do echo lost >$folder/lost; done");
      const old = machine;
      machine = await rebootMachine(machine, options);
      expect(old.alive()).toBe(false);
      expect(
        await run(`cat ${files}; ls -d /run/*/lost /tmp/lost /dev/shm/lost 2>&-; ls /sys/class/net`),
      ).toBe("kept\nkept\nkept\nlo");
      expect(await run("hostname; cat /proc/sys/kernel/hostname; cat /etc/resolv.conf")).toBe(
        `${options.hostname}\n${options.hostname}\nnameserver 169.254.169.253`,
      );
      expect(await run(`echo ${turn} >${folder}/answer && cat ${folder}/answer`)).toBe(String(turn));
      expect(readFileSync(join(folder, "answer"), "utf8")).toBe(`${turn}\n`);
      // No mount of the life before is left under those of this one.
      const points =
        readFileSync(`/proc/${machine.pid}/mountinfo`, "utf8").match(/(?<=^(\S+ ){4})\S+/gm) ?? [];
      expect(points.length).toBe(new Set(points).size);
      expect(await run("echo 1 >/proc/sys/net/ipv4/ip_forward && echo fine")).toBe("fine");
    }
  });

  test("says what is wrong when its root cannot be made", async () => {
    const failing = startMachine({ ...options, instanceId: "i-broken", sharedFolders: ["/nowhere/at/all"] });
    await expect(failing).rejects.toThrow(/cannot start the machine i-broken.*\/nowhere\/at\/all/s);
    expect(adoptMachine(lab, "i-broken")).toBeUndefined();
  });

  test("ends with everything in it and leaves the host as it was", async () => {
    const child = machine.spawn(["sleep", "1000"], { detached: true, stdio: "ignore" });
    const { promise, resolve } = Promise.withResolvers<void>();
    child.on("close", () => resolve());
    await machine.stop();
    await promise;
    expect(machine.alive()).toBe(false);
    expect(machinesOf(lab)).toEqual([]);
    expect(hostPicture()).toBe(before);
    await machine.stop();
  });
});
