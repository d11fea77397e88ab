// What the two commands need from Debian, and how it gets there.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

interface Need {
  readonly package: string;
  /** What tells that the package is there: a program on the PATH, or a file when it has a slash. */
  readonly sign: string;
  readonly why: string;
}

const forLab: readonly Need[] = [
  {
    package: "iproute2",
    sign: "ip",
    why: "ip, for looking around on a node",
  },
  { package: "nftables", sign: "nft", why: "the VPC's address translation" },
  {
    package: "iptables",
    sign: "iptables",
    why: "a node's SNAT rules, where the official CNI has them",
  },
  {
    package: "containernetworking-plugins",
    sign: "/usr/lib/cni/portmap",
    why: "the plugins chained behind aws-cni",
  },
];

const forTests: readonly Need[] = [
  {
    package: "kubernetes-client",
    sign: "kubectl",
    why: "kubectl, the real client",
  },
  { package: "awscli", sign: "aws", why: "aws, the real client" },
  { package: "conntrack", sign: "conntrack", why: "looking at tracked connections" },
];

/**
 * Installs what is missing when this is root on a machine with apt-get, saying so; otherwise names the one line
 * to type and ends the process with status 1.
 */
export function installDebianPackages(purpose: "lab" | "test"): void {
  const needs = purpose === "lab" ? forLab : [...forLab, ...forTests];
  const missing = needs.filter(({ sign }) => !(sign.includes("/") ? existsSync(sign) : Bun.which(sign)));
  if (missing.length === 0) return;
  const names = missing.map((need) => need.package);
  const line = `apt-get install -y --no-install-recommends ${names.join(" ")}`;
  for (const need of missing) console.error(`missing: ${need.package} (${need.why})`);
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) {
    console.error(`eniverse: install the missing packages first: sudo ${line}`);
    process.exit(1);
  }
  console.error(`installing from Debian: ${names.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const update = spawnSync("apt-get", ["update", "-qq"], { stdio: ["ignore", "ignore", "inherit"], env });
  const install = spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...names], {
    stdio: ["ignore", "ignore", "inherit"],
    env,
  });
  if (update.status !== 0 || install.status !== 0) {
    console.error(`eniverse: apt-get failed; wanted: ${line}`);
    process.exit(1);
  }
}
