import { quoted, type TableWish } from "./iptables-plan.ts";

/** Addresses that egress-cni gives to pods of the other family's clusters; each node has the same ones. */
export const egressBlock = { 4: "169.254.172.0/22", 6: "fd00::ac:0/118" } as const;

/**
 * Pods must not reach each other by egress addresses: new connections to them are turned away. `family` is that
 * of the egress addresses, so 4 in an IPv6 cluster.
 */
export function wantedEgressFilter(family: 4 | 6): TableWish {
  const comment = `Block Node Local Pod access via IPv${family}`;
  const answer = family === 4 ? "icmp-port-unreachable" : "icmp6-port-unreachable";
  return {
    table: "filter",
    chains: [],
    noChains: () => false,
    shared: [
      {
        chain: "FORWARD",
        comments: [comment],
        rules: [
          `-d ${egressBlock[family]} -m conntrack --ctstate NEW -m comment --comment ${quoted(comment)}` +
            ` -j REJECT --reject-with ${answer}`,
        ],
        place: "first",
      },
    ],
  };
}
