import { cidr4Has, cidr6Has, tryParseCidr } from "../../addr/cidr.ts";
import { tryParseIpv4 } from "../../addr/ipv4.ts";
import { tryParseIpv6 } from "../../addr/ipv6.ts";
import type { PoolEntry } from "../../node/ipamd/pool-page.ts";
import { type Chain, chainOf, type Link } from "./chain.ts";
import { ruleOf } from "./decisions.ts";
import { blockLinks, givenLink } from "./explain-assigned.ts";
import { eniLink, explainEni } from "./explain-eni.ts";
import { explainUnheld } from "./explain-unheld.ts";
import type { EniSeen, NodeSeen, Observation } from "./observation.ts";
import { poolCounts } from "./pool-counts.ts";
import { notInMetadata, staleLinks } from "./stale-metadata.ts";
import { warmTargets } from "./warm-targets.ts";
import { shortName } from "./words.ts";

function holds(block: string, address: string): boolean {
  if (block === address) return true;
  const cidr = tryParseCidr(block);
  if (cidr?.family === 4) {
    const ip = tryParseIpv4(address);
    return ip !== undefined && cidr4Has(cidr, ip);
  }
  const ip = tryParseIpv6(address);
  return cidr !== undefined && ip !== undefined && cidr6Has(cidr, ip);
}

/** Pure: who holds an address of the VPC, since when, and why it is not released; undefined outside of every subnet. */
export function explainAddress(seen: Observation, address: string): Chain | undefined {
  const subject = `address/${address}`;
  const eni = seen.enis.find(({ addresses, prefixes }) =>
    [...addresses, ...prefixes].some((block) => holds(block, address)),
  );
  if (eni === undefined) {
    const subnet = seen.subnets.find(({ cidr, ipv6Cidr = "" }) =>
      [cidr, ipv6Cidr].some((block) => holds(block, address)),
    );
    return subnet === undefined ? undefined : explainUnheld(subject, subnet, address);
  }
  const node = seen.nodes.find(({ instanceId }) => instanceId === eni.instanceId);
  // Pods have IPv6 addresses from prefixes only.
  const isOwn = eni.addresses[0] === address || (address.includes(":") && eni.addresses.includes(address));
  if (node === undefined || isOwn) return ownAddress(seen, eni, subject, address);
  const pool = node.ipamd.answers ? node.ipamd.pool.addresses : [];
  const entry =
    pool.find((each) => each.address === address) ?? pool.find((each) => holds(each.address, address));
  if (entry === undefined) return unknownToIpamd(seen, node, eni, subject, address);
  return chainOf(subject, stateLinks(entry, address, node), {
    cause: entry.state === "cooling" ? "cooldown" : "none",
    summary: stateSentence(entry, address, node),
    links: blockLinks(seen, { ...entry, address }, node),
    change: stateChange(entry, node),
  });
}

function ownAddress(seen: Observation, eni: EniSeen, subject: string, address: string): Chain {
  const { cause, summary, links, change } = explainEni(seen, eni);
  const own = `${address} is ${eni.addresses[0] === address ? "the primary address" : "an address"} of ${eni.eniId}`;
  const rule: Link = {
    what: own,
    evidence: "EC2 DescribeNetworkInterfaces",
    rule: "an ENI's primary address and its single IPv6 addresses are its own as long as it lives; pods never get them",
  };
  return { subject, cause, summary: `${own}: ${summary}`, links: [rule, ...links], change };
}

/** EC2 has it on an ENI of the node, and ipamd's pool has not. */
function unknownToIpamd(
  seen: Observation,
  node: NodeSeen,
  eni: EniSeen,
  subject: string,
  address: string,
): Chain {
  const held = `${eni.eniId} of ${shortName(node.name)} holds ${address}`;
  const missing = notInMetadata(seen, node).filter(
    ({ eniId, blocks }) =>
      eniId === eni.eniId && (blocks.length === 0 || blocks.some((block) => holds(block, address))),
  );
  if (!node.ipamd.answers) {
    return chainOf(subject, [eniLink(eni)], {
      cause: "ipamd-down",
      summary: `${held}; whether a pod has it only ipamd knows, and that does not answer: ${node.ipamd.why}`,
      change: [`See why node/${shortName(node.name)}`],
    });
  }
  if (missing.length > 0) {
    return chainOf(subject, [eniLink(eni)], {
      cause: "stale-imds",
      summary: `${held}, and ipamd does not know it yet: the node's instance metadata does not show it`,
      links: staleLinks(node, missing),
      change: ["Wait: instance metadata follows EC2 within seconds as a rule, and ipamd looks every minute"],
    });
  }
  return chainOf(subject, [eniLink(eni)], {
    cause: "in-progress",
    summary: `${held}, and ipamd's pool does not have it yet`,
    change: ["Ask again after ipamd's next reconcile, within a minute"],
  });
}

function stateSentence(entry: PoolEntry, address: string, node: NodeSeen): string {
  const where = shortName(node.name);
  switch (entry.state) {
    case "assigned":
      return `${address} is held by pod ${entry.pod?.namespace ?? "?"}/${entry.pod?.name ?? "?"} on ${where}${entry.assignedAt === undefined ? "" : ` since ${entry.assignedAt}`}`;
    case "cooling":
      return `${address} was released and cools down on ${where} until ${entry.readyAt ?? "the end of its cool-down"}`;
    case "excluded":
      return `${address} is on ${where} in a subnet that may serve no new pods`;
    default:
      return `${address} is free for pods of ${where} and kept warm there`;
  }
}

function stateLinks(entry: PoolEntry, address: string, node: NodeSeen): Link[] {
  if (entry.state === "assigned") return [givenLink(entry, node)];
  const place = {
    what: `${address} is ${entry.state} in the pool of ${shortName(node.name)}`,
    evidence: `ipamd /v1/pool on ${node.instanceId}`,
  };
  if (entry.state === "cooling") {
    return [
      {
        ...place,
        rule: "a released address is not given out again before its cool-down ends, so that others forget the old pod",
        setting: `IP_COOLDOWN_PERIOD=${node.env.IP_COOLDOWN_PERIOD ?? "30"}`,
      },
    ];
  }
  if (entry.state === "excluded")
    return [
      { ...place, rule: "its subnet carries the tag kubernetes.io/role/cni=0: its ENIs get no new pods" },
    ];
  if (address.includes(":"))
    return [{ ...place, rule: "a node keeps its /80 as long as it lives", setting: "ENABLE_IPv6=true" }];
  const mode = node.ipamd.answers ? poolCounts(node.ipamd).mode : "";
  return [
    {
      ...place,
      rule: "ipamd keeps what its warm targets ask for, so that the next pod need not wait for EC2",
      setting: warmTargets(node, mode),
    },
    ...keptLinks(node),
  ];
}

/** What ipamd noted last about having enough, or about not giving back yet. */
function keptLinks(node: NodeSeen): Link[] {
  const decisions = node.ipamd.answers ? node.ipamd.decisions : [];
  const last = decisions.findLast(
    ({ kind, reason }) =>
      kind === "not-done" && /^(enough|decrease-spacing|eni-too-young)$/.test(reason.rule),
  );
  if (last === undefined) return [];
  const { rule, ...setting } = ruleOf(node, last.reason);
  return [
    {
      what: `ipamd noted last: ${rule}`,
      evidence: `ipamd /v1/decisions, ${last.time}`,
      rule: "what is above the targets is given back step by step, 30 s apart; an ENI stays a minute at least",
      ...setting,
    },
  ];
}

function stateChange({ state, pod, cidr }: PoolEntry, node: NodeSeen): string[] {
  const where = shortName(node.name);
  switch (state) {
    case "assigned":
      return [
        `It is released when pod ${pod?.name ?? ""} ends; after the cool-down it stays warm or goes back to EC2`,
      ];
    case "cooling":
      return ["Wait for the end of the cool-down", "Lower IP_COOLDOWN_PERIOD on aws-node"];
    case "excluded":
      return ["Tag the subnet kubernetes.io/role/cni=1, or take the tag away, to use it again"];
    default:
      return [
        `A pod on ${where} takes it as it comes`,
        ...(cidr.includes(":")
          ? []
          : [
              "Lower WARM_IP_TARGET, MINIMUM_IP_TARGET or WARM_ENI_TARGET to give idle addresses back to the subnet",
            ]),
      ];
  }
}
