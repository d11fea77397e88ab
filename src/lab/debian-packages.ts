import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { EniverseError } from "../base/error.ts";

interface Need {
  readonly package: string;
  /** What tells that the package is there: a program on the PATH, or a file when it has a slash. */
  readonly sign: string;
  readonly why: string;
}

const forLab: readonly Need[] = [
  { package: "iproute2", sign: "ip", why: "ip, for looking around on a node" },
  { package: "nftables", sign: "nft", why: "the VPC's address translation" },
  { package: "iptables", sign: "iptables", why: "a node's SNAT rules, where the official CNI has them" },
  {
    package: "containernetworking-plugins",
    sign: "/usr/lib/cni/portmap",
    why: "the plugins chained behind aws-cni",
  },
];

const forTests: readonly Need[] = [
  { package: "kubernetes-client", sign: "kubectl", why: "kubectl, the real client" },
  { package: "awscli", sign: "aws", why: "aws, the real client" },
  { package: "conntrack", sign: "conntrack", why: "looking at tracked connections" },
];

/**
 * Installs from Debian what is missing, when this is root on a machine with apt-get, telling `say` what it does.
 * Throws `unsupported` naming the one line to type otherwise.
 */
export function installDebianPackages(purpose: "lab" | "test", say: (line: string) => void): void {
  const needs = purpose === "lab" ? forLab : [...forLab, ...forTests];
  const missing = needs.filter(({ sign }) => !(sign.includes("/") ? existsSync(sign) : Bun.which(sign)));
  if (missing.length === 0) return;
  const names = missing.map((need) => need.package);
  const line = `apt-get install -y --no-install-recommends ${names.join(" ")}`;
  const found = missing.map((need) => `${need.package} is missing (${need.why})`).join("; ");
  if (process.getuid?.() !== 0 || Bun.which("apt-get") === null) {
    throw new EniverseError("unsupported", { attempted: "go on", found, fix: `Type: sudo ${line}` });
  }
  say(`Installing from Debian: ${found}`);
  const run = (...args: readonly string[]): boolean =>
    spawnSync("apt-get", args, {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    }).status === 0;
  if (run("update", "-qq") && run("install", "-y", "-qq", "--no-install-recommends", ...names)) return;
  throw new EniverseError("unavailable", {
    attempted: `install ${names.join(", ")}`,
    found: "apt-get failed",
    fix: `Type: ${line}`,
  });
}
