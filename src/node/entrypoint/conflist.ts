import { egressBlock } from "../../hostnet/egress-isolation.ts";
import type { NodeEnvironment } from "../environment.ts";

/** What of the settings the conflist depends on, and the node's address of the other family. */
export interface ConflistSettings {
  readonly settings: Pick<
    NodeEnvironment,
    | "vethPrefix"
    | "eniMtu"
    | "podMtu"
    | "podSecurityGroupMode"
    | "pluginLogFile"
    | "pluginLogLevel"
    | "egressV4LogFile"
    | "egressV6LogFile"
    | "enableIpv6"
    | "enableV4Egress"
    | "enableV6Egress"
    | "randomizeSnat"
    | "enableBandwidthPlugin"
    | "disablePodV6"
  >;
  /** Source of translated egress packets; "" when there is none, and then IPv6 egress is off. */
  readonly nodeIp: string;
}

/**
 * The network configuration list of a node: aws-cni, egress-cni, portmap and what the settings add. Order and
 * field names are those of the official one.
 */
export function conflist({ settings, nodeIp }: ConflistSettings): object {
  const mtu = String(settings.podMtu ?? settings.eniMtu);
  const plugins: object[] = [
    {
      name: "aws-cni",
      type: "aws-cni",
      vethPrefix: settings.vethPrefix,
      mtu,
      podSGEnforcingMode: settings.podSecurityGroupMode,
      pluginLogFile: settings.pluginLogFile,
      pluginLogLevel: settings.pluginLogLevel,
      capabilities: { "io.kubernetes.cri.pod-annotations": true },
    },
    egressPlugin(settings, mtu, nodeIp),
    { type: "portmap", capabilities: { portMappings: true }, snat: true },
  ];
  if (settings.enableBandwidthPlugin) plugins.push({ type: "bandwidth", capabilities: { bandwidth: true } });
  if (settings.disablePodV6) plugins.push({ type: "tuning", sysctl: noIpv6 });
  return { cniVersion: "0.4.0", name: "aws-cni", disableCheck: true, plugins };
}

const noIpv6 = {
  "net.ipv6.conf.all.disable_ipv6": "1",
  "net.ipv6.conf.default.disable_ipv6": "1",
  "net.ipv6.conf.lo.disable_ipv6": "1",
};

/** IPv4 egress in an IPv6 cluster, IPv6 egress in an IPv4 one. */
function egressPlugin(settings: ConflistSettings["settings"], mtu: string, nodeIp: string): object {
  const v4 = settings.enableIpv6;
  const enabled = v4 ? settings.enableV4Egress : settings.enableV6Egress && nodeIp !== "";
  return {
    name: "egress-cni",
    type: "egress-cni",
    mtu,
    enabled: String(enabled),
    randomizeSNAT: settings.randomizeSnat,
    nodeIP: nodeIp,
    ipam: {
      type: "host-local",
      ranges: [[{ subnet: egressBlock[v4 ? 4 : 6] }]],
      routes: [{ dst: v4 ? "0.0.0.0/0" : "::/0" }],
      dataDir: v4 ? "/run/cni/v6pd/egress-v4-ipam" : "/run/cni/v4pd/egress-v6-ipam",
    },
    pluginLogFile: v4 ? settings.egressV4LogFile : settings.egressV6LogFile,
    pluginLogLevel: settings.pluginLogLevel,
  };
}

/** The file as it is written. */
export function conflistText(wanted: ConflistSettings): string {
  return `${JSON.stringify(conflist(wanted), null, 2)}\n`;
}

export const conflistName = "10-aws.conflist";
