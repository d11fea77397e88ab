import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseCidr } from "../addr/cidr.ts";
import { parseIpv4 } from "../addr/ipv4.ts";
import { type Mac, parseMac } from "../addr/mac.ts";
import { createNetns, deleteNetns, Netns } from "../linux/netns.ts";
import { runProgram } from "../linux/program.ts";
import { Rtnetlink } from "../linux/rtnetlink/rtnetlink.ts";
import { writeSysctl } from "../linux/sysctl.ts";
import { HostNetns } from "./host.ts";

/**
 * For tests: fresh network namespaces. "node" has a primary interface eth0 with 10.0.1.10/24; "world" stands
 * behind it as 10.0.1.1 and routes 10.0.0.0/16 to it.
 */
export class TestBed implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "hostnet-"));
  readonly #paths: string[] = [];
  readonly #open: Disposable[] = [];
  readonly node: Netns;
  readonly world: Netns;
  readonly host: HostNetns;
  readonly primaryMac: Mac = parseMac("02:00:00:00:01:0a");

  constructor() {
    this.node = this.netns("node");
    this.world = this.netns("world");
    this.addEni("eth0", this.primaryMac, "10.0.1.1");
    this.host = HostNetns.open(this.node);
    this.#open.push(this.host);
    const { rt } = this.host;
    const eth0 = rt.indexOf("eth0");
    rt.setLink(eth0, { up: true });
    rt.addAddress({ interfaceIndex: eth0, address: parseIpv4("10.0.1.10"), bits: 24 });
    rt.addRoute({ destination: parseCidr("0.0.0.0/0"), gateway: parseIpv4("10.0.1.1") });
    writeSysctl("net.ipv4.ip_forward", 1, this.node);
    using world = Rtnetlink.open(this.world);
    world.addRoute({ destination: parseCidr("10.0.0.0/16"), gateway: parseIpv4("10.0.1.10") });
  }

  /** A new namespace with its loopback device up. */
  netns(name: string): Netns {
    const path = join(this.folder, name);
    createNetns(path);
    this.#paths.push(path);
    const opened = Netns.open(path);
    this.#open.push(opened);
    using rt = Rtnetlink.open(opened);
    rt.setLink(rt.indexOf("lo"), { up: true });
    return opened;
  }

  /** A device in the node, down, whose other end stands in the world with this address. */
  addEni(device: string, mac: Mac, worldAddress: string): void {
    using world = Rtnetlink.open(this.world);
    const { index } = world.addVeth({ name: `to-${device}`, peer: { name: device, mac, netns: this.node } });
    world.setLink(index, { up: true });
    world.addAddress({ interfaceIndex: index, address: parseIpv4(worldAddress), bits: 24 });
  }

  /** What a program prints in a namespace; throws when it fails. */
  run(ns: Netns, ...argv: readonly [string, ...string[]]): string {
    const result = runProgram({ attempted: argv.join(" "), argv, debianPackage: "iproute2", ns });
    if (result.status !== 0) throw new Error(`${argv.join(" ")}: ${result.stderr}${result.stdout}`);
    return result.stdout;
  }

  /** Output lines of `ip`, sorted, blanks squeezed. */
  ip(ns: Netns, ...args: readonly string[]): string[] {
    return this.run(ns, "ip", ...args)
      .split("\n")
      .map((line) => line.replaceAll(/\s+/g, " ").trim())
      .filter((line) => line !== "")
      .sort();
  }

  /** True when the other side answers within a second: a closed port, so the answer is a reset. */
  reaches(from: Netns, to: string): boolean {
    const argv = ["timeout", "1", "bash", "-c", `: </dev/tcp/${to}/9`] as const;
    const { stderr } = runProgram({ attempted: `reach ${to}`, argv, debianPackage: "bash", ns: from });
    return stderr.includes("Connection refused");
  }

  [Symbol.dispose](): void {
    for (const opened of this.#open.reverse()) opened[Symbol.dispose]();
    for (const path of this.#paths) deleteNetns(path);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
