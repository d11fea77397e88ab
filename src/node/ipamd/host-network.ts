import { parseCidr, parseCidr4 } from "../../addr/cidr.ts";
import { parseIpv4 } from "../../addr/ipv4.ts";
import { parseIpv6 } from "../../addr/ipv6.ts";
import { parseMac } from "../../addr/mac.ts";
import type { NodeFacts } from "../../aws/instance-metadata.ts";
import type { Clock } from "../../base/clock.ts";
import { deleteRulesFrom, eniTableOf, setUpEniNetwork } from "../../hostnet/eni-network.ts";
import type { HostNetns } from "../../hostnet/host.ts";
import {
  applyHostNetwork,
  applyStartRules,
  type HostNetworkSettings,
  iptablesKind,
  updateVpcCidrs,
} from "../../hostnet/host-network.ts";
import { mainTable, rulePriority } from "../../hostnet/route-tables.ts";
import type { IpAddress } from "../../linux/rtnetlink/values.ts";
import type { NodeEnvironment } from "../environment.ts";
import type { HostEni, HostNetwork } from "./host-port.ts";

export interface HostNetworkParts {
  readonly netns: HostNetns;
  readonly env: NodeEnvironment;
  readonly facts: NodeFacts;
  readonly maxEnisPerCard: number;
  readonly clock: Clock;
}

/** The kernel network of the node that this process runs on. */
export function createHostNetwork(parts: HostNetworkParts): HostNetwork {
  const { netns, env, facts, clock } = parts;
  const family = env.enableIpv6 ? 6 : 4;
  const kind = iptablesKind(netns);
  let primaryInterface = "";

  const settings = (vpcCidrs: readonly string[]): HostNetworkSettings => ({
    family,
    primaryMac: parseMac(facts.primaryMac),
    eniMtu: env.eniMtu,
    snat: {
      // No source translation in IPv6; the field is not looked at then.
      primaryAddress: parseIpv4(facts.localIpv4 === "" ? "0.0.0.0" : facts.localIpv4),
      vpcCidrs: family === 4 ? vpcCidrs.map(parseCidr4) : [],
      excludeSnatCidrs: env.excludeSnatCidrs,
      externalSnat: env.externalSnat,
      nodePortSupport: env.nodePortSupport,
      randomizeSnat: env.randomizeSnat,
      connmark: env.connmark,
      vethPrefix: env.vethPrefix,
    },
    strictBranchPods: env.enablePodEni && env.podSecurityGroupMode === "strict",
    v6Egress: env.enableV6Egress,
  });

  const wanted = (eni: HostEni) => ({
    mac: parseMac(eni.mac),
    slot: { cardIndex: eni.card, deviceIndex: eni.deviceNumber },
    primaryAddress: parseAddress(eni.primaryAddress),
    subnet: parseCidr(eni.subnetCidr),
    mtu: env.eniMtu,
    trunk: eni.trunk,
    maxEnisPerCard: parts.maxEnisPerCard,
  });

  return {
    connmarkBackend: kind.connmarkBackend,
    linkNames: () => netns.rt.links().map((link) => link.name),
    hasLink: (mac) => netns.rt.linkByMac(parseMac(mac)) !== undefined,
    linkIndex: (mac) => netns.rt.linkByMac(parseMac(mac))?.index,
    setUpNode: async (vpcCidrs) => {
      primaryInterface = await applyHostNetwork(netns, settings(vpcCidrs), kind, clock);
    },
    updateVpcCidrs: async (vpcCidrs) => {
      if (family === 4)
        updateVpcCidrs(netns, settings(vpcCidrs), kind, vpcCidrs.map(parseCidr4), primaryInterface);
    },
    routeTableOf: (eni) => eniTableOf(netns, wanted(eni)).table,
    setUpEni: async (eni) => {
      if (eni.card === 0 && eni.deviceNumber === 0) return;
      await setUpEniNetwork(netns, wanted(eni), clock);
    },
    removeEniRules: (primaryAddress) => deleteRulesFrom(netns, parseAddress(primaryAddress)),
    removePodRules: (address) => removePodRules(netns, parseAddress(address)),
    rewriteRules: (addresses) =>
      applyStartRules(netns, family, addresses.map(parseAddress), env.externalServiceCidrs),
  };
}

function parseAddress(text: string): IpAddress {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** Both rules of a pod: `to` it by main, `from` it by any table; what is gone already is fine. */
function removePodRules(netns: HostNetns, address: IpAddress): void {
  const family = typeof address === "bigint" ? 6 : 4;
  for (const rule of netns.rt.rules(family)) {
    const to = rule.priority === rulePriority.toPod && rule.to?.base === address && rule.table === mainTable;
    const from = rule.priority === rulePriority.fromPod && rule.from?.base === address;
    if (to || from) netns.rt.deleteRule(rule, { tolerate: "absent" });
  }
}
