import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** What a lab must never change on the machine that it runs on, as text by subject. */
export type HostPicture = Readonly<Record<string, string>>;

const commands: Readonly<Record<string, readonly [string, ...string[]]>> = {
  links: ["ip", "-details", "-o", "link"],
  addresses: ["ip", "-o", "address"],
  routes: ["ip", "route", "show", "table", "all"],
  "IPv6 routes": ["ip", "-6", "route", "show", "table", "all"],
  rules: ["ip", "rule"],
  "IPv6 rules": ["ip", "-6", "rule"],
  nftables: ["nft", "-s", "list", "ruleset"],
};

const sysctls: readonly string[] = [
  "net/ipv4/ip_forward",
  "net/ipv4/conf/all/rp_filter",
  "net/ipv4/conf/default/rp_filter",
  "net/ipv4/tcp_early_demux",
  "net/ipv6/conf/all/forwarding",
  "net/ipv6/conf/all/disable_ipv6",
];

/** Takes the picture of this machine's own network namespace and mounts. */
export function takeHostPicture(): HostPicture {
  const picture: Record<string, string> = {};
  for (const [subject, [program, ...args]] of Object.entries(commands)) {
    const run = spawnSync(program, args, { encoding: "utf8" });
    // Lifetimes of router advertisements count down by themselves.
    picture[subject] = run.stdout.replaceAll(/ expires \d+sec| valid_lft \d+sec preferred_lft \d+sec/g, "");
  }
  for (const key of sysctls) picture[key] = readFileSync(`/proc/sys/${key}`, "utf8").trim();
  picture.mounts = readFileSync("/proc/mounts", "utf8");
  return picture;
}

/** What differs, one line per subject; empty when both are the same. */
export function comparePictures(before: HostPicture, after: HostPicture): string[] {
  return Object.keys(before)
    .filter((subject) => before[subject] !== after[subject])
    .map((subject) => `${subject}: was\n${before[subject]}\nis\n${after[subject]}`);
}
