import { createHash } from "node:crypto";
import { parseSaved, planTables, quoted, type TableWish } from "../../hostnet/iptables-plan.ts";
import { restoreIptables, saveIptables } from "../../linux/iptables.ts";
import type { Netns } from "../../linux/netns.ts";
import { describeCidr, formatAddress, hostCidr } from "../../linux/rtnetlink/family.ts";
import type { Family, IpAddress } from "../../linux/rtnetlink/values.ts";

/** The NAT chain of one pod. */
export interface EgressChain {
  readonly family: Family;
  readonly name: string;
  readonly comment: string;
}

/** iptables takes no longer names (XT_EXTENSION_MAXNAMELEN less the closing zero). */
const longestName = 28;

/** Names the chain by network and container, as the CNI project's own plugins do. */
export function egressChain(family: Family, networkName: string, containerId: string): EgressChain {
  const hash = createHash("sha512")
    .update(networkName + containerId)
    .digest("hex");
  return {
    family,
    name: `CNI-E${family}-${hash}`.slice(0, longestName),
    comment: `name: "${networkName}" id: "${containerId}"`,
  };
}

export interface EgressSnat {
  readonly podAddress: IpAddress;
  readonly nodeAddress: IpAddress;
  readonly randomizeSnat: string;
  /** False for iptables before 1.6.2. */
  readonly randomFully: boolean;
}

const multicast: Readonly<Record<Family, string>> = { 4: "224.0.0.0/4", 6: "ff00::/8" };

/** The pod's rules: multicast as it is, everything else from the node's address. */
function wantedChain(chain: EgressChain, snat: EgressSnat | undefined): TableWish {
  const comment = `-m comment --comment ${quoted(chain.comment)}`;
  const rules =
    snat === undefined
      ? undefined
      : [
          `-d ${multicast[chain.family]} ${comment} -j ACCEPT`,
          `${comment} -j SNAT --to-source ${formatAddress(snat.nodeAddress)}${randomFlag(snat)}`,
        ];
  return {
    table: "nat",
    chains: rules === undefined ? [] : [{ name: chain.name, rules }],
    noChains: (name) => rules === undefined && name === chain.name,
    shared: [
      {
        chain: "POSTROUTING",
        comments: [chain.comment],
        rules:
          snat === undefined
            ? []
            : [`-s ${describeCidr(hostCidr(snat.podAddress))} ${comment} -j ${chain.name}`],
        place: "last",
      },
    ],
  };
}

function randomFlag(snat: EgressSnat): string {
  if (snat.randomizeSnat === "none") return "";
  return snat.randomizeSnat === "hashrandom" || !snat.randomFully ? " --random" : " --random-fully";
}

/** Adds the pod's rules; may be called again. */
export function addEgressChain(chain: EgressChain, snat: EgressSnat, ns: Netns | undefined): void {
  apply(chain, wantedChain(chain, snat), ns);
}

/** Takes the pod's chain and what leads to it away, whether or not the pod's namespace still exists. */
export function deleteEgressChain(chain: EgressChain, ns: Netns | undefined): void {
  apply(chain, wantedChain(chain, undefined), ns);
}

function apply(chain: EgressChain, wish: TableWish, ns: Netns | undefined): void {
  const input = planTables(parseSaved(saveIptables(chain.family, "nat", ns)), [wish]);
  if (input !== undefined) restoreIptables(chain.family, input, ns);
}
