import { copyFileSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { parseMac } from "../../addr/mac.ts";
import type { Imds } from "../../aws/imds.ts";
import { type Clock, realClock } from "../../base/clock.ts";
import { EniverseError, messageOf } from "../../base/error.ts";
import { linkOf } from "../../hostnet/eni-network.ts";
import { type HostNetns, setSysctlIfThere } from "../../hostnet/host.ts";
import { writeSysctl } from "../../linux/sysctl.ts";
import type { NodeEnvironment } from "../environment.ts";

export interface InitParts {
  readonly settings: Pick<
    NodeEnvironment,
    "hostCniBinPath" | "disableTcpEarlyDemux" | "enableIpv6" | "enableV6Egress"
  >;
  /** Folder with the plugins of the CNI project (portmap, bandwidth, host-local …). */
  readonly pluginFolder: string;
  readonly host: HostNetns;
  readonly imds: Imds;
  /** Gets plain lines; they are what `kubectl logs -c aws-vpc-cni-init` shows. */
  readonly say: (line: string) => void;
  readonly clock?: Clock;
}

/**
 * The init container: copies the plugins and sets the sysctls that aws-node needs. May be run again. Throws when
 * the plugins cannot be copied or the primary device is not there.
 */
export async function runInit(parts: InitParts): Promise<void> {
  const { settings, host, say } = parts;
  say("Copying CNI plugin binaries ...");
  copyPlugins(parts.pluginFolder, settings.hostCniBinPath);
  say("Copied all CNI plugin binaries");

  const mac = (await parts.imds.get("meta-data/mac")).trim();
  const primary = (await linkOf(host, parseMac(mac), parts.clock ?? realClock)).name;
  say(`Found primaryMAC ${mac}`);
  say(`Found primaryIF ${primary}`);

  // Replies to what came in by another ENI leave by the primary one (loose mode, RFC 3704).
  set(parts, `net/ipv4/conf/${primary}/rp_filter`, "2");
  const earlyDemux = settings.disableTcpEarlyDemux ? "0" : "1";
  setSysctlIfThere(host.ns, "net/ipv4/tcp_early_demux", earlyDemux);
  say(`Updated net/ipv4/tcp_early_demux to ${earlyDemux}`);
  if (settings.enableIpv6) set(parts, "net/ipv6/conf/all/disable_ipv6", "0");
  if (settings.enableIpv6 || settings.enableV6Egress) {
    set(parts, "net/ipv6/conf/all/forwarding", "1");
    // A forwarding host ignores router advertisements unless it is told to take them all the same.
    set(parts, `net/ipv6/conf/${primary}/accept_ra`, "2");
  }
  say("CNI init container done");
}

function set(parts: InitParts, key: string, value: string): void {
  writeSysctl(key, value, parts.host.ns);
  parts.say(`Updated ${key} to ${value}`);
}

/** Every regular file of the folder; each appears at its place in one step. */
function copyPlugins(from: string, to: string): void {
  try {
    mkdirSync(to, { recursive: true });
    for (const entry of readdirSync(from, { withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const target = join(to, entry.name);
      copyFileSync(join(from, entry.name), `${target}.tmp`);
      renameSync(`${target}.tmp`, target);
    }
  } catch (error) {
    throw new EniverseError("not_found", {
      attempted: `copy the CNI plugins of ${from} to ${to}`,
      found: messageOf(error),
      wanted: "a folder of plugins and one to put them in",
      fix: "Install Debian's containernetworking-plugins, or name another folder with ENIVERSE_CNI_PLUGINS",
    });
  }
}
