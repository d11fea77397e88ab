import type { DecisionEntry } from "../../node/ipamd/decision-log.ts";
import type { PoolPage } from "../../node/ipamd/pool-page.ts";
import type { ChainEnd, Link } from "./chain.ts";
import type { EniSeen, NodeSeen, Observation } from "./observation.ts";
import { shortName } from "./words.ts";

/** Blocks of one ENI that one witness has and another has not. */
export interface Missing {
  readonly eniId: string;
  /** Addresses and prefixes, without the ENI's own address. */
  readonly blocks: readonly string[];
}

/** A step that waits for instance metadata is no longer simply under way after this time. */
const usualLagMs = 5_000;

/** ENIs that ipamd may not touch: it is right not to know them. */
const isForeign = ({ tags }: EniSeen): boolean => tags["node.k8s.amazonaws.com/no_manage"] === "true";

/** Single IPv6 addresses are the ENI's own: pods have theirs from prefixes. */
const blocksOf = ({ addresses, prefixes }: Pick<EniSeen, "addresses" | "prefixes">): string[] => [
  ...addresses.slice(1).filter((address) => !address.includes(":")),
  ...prefixes,
];

/** What EC2 has on the ENIs of an instance and ipamd's pool has not. */
export function unknownToPool(enis: readonly EniSeen[], instanceId: string, pool: PoolPage): Missing[] {
  const known = new Set(pool.addresses.flatMap(({ address, cidr }) => [address, cidr]));
  const knownEnis = new Set(pool.addresses.map(({ eni }) => eni));
  return enis
    .filter((eni) => eni.instanceId === instanceId && !isForeign(eni))
    .map((eni) => ({ eniId: eni.eniId, blocks: blocksOf(eni).filter((block) => !known.has(block)) }))
    .filter(({ eniId, blocks }) => blocks.length > 0 || !knownEnis.has(eniId));
}

/** What EC2 has on a node's ENIs and its instance metadata does not show; empty when that was not asked. */
export function notInMetadata({ enis }: Observation, { instanceId, metadata }: NodeSeen): Missing[] {
  if (metadata?.answers !== true) return [];
  const shown = new Map(metadata.enis.map((eni) => [eni.eniId, [...eni.addresses, ...eni.prefixes]]));
  return enis
    .filter((eni) => eni.instanceId === instanceId && !isForeign(eni))
    .map((eni) => {
      const seen = new Set(shown.get(eni.eniId));
      return { eniId: eni.eniId, blocks: blocksOf(eni).filter((block) => !seen.has(block)) };
    })
    .filter(({ eniId, blocks }) => blocks.length > 0 || !shown.has(eniId));
}

/**
 * The end at a metadata service that is behind EC2, when that keeps addresses from pods: ipamd may take none itself
 * and learns from there what others gave the node, or a step of its own has waited for it.
 */
export function staleEnd(
  seen: Observation,
  node: NodeSeen,
  decisions: readonly DecisionEntry[],
  links: readonly Link[],
): ChainEnd | undefined {
  const missing = notInMetadata(seen, node);
  if (missing.length === 0 || !dependsOnMetadata(seen, node, decisions)) return undefined;
  const name = shortName(node.name);
  return {
    cause: "stale-imds",
    summary: `the instance metadata of ${name} is behind EC2: it does not show ${describe(missing)}`,
    links: [...links, ...staleLinks(node, missing)],
    change: [
      "Wait: instance metadata follows EC2 within seconds as a rule, and ipamd looks again every minute",
      "eniverse break --list: does it stand still on purpose?",
      "On EC2: when it stays behind for minutes, detach and attach the ENI again, or replace the node",
    ],
  };
}

export function staleLinks(node: NodeSeen, missing: readonly Missing[]): Link[] {
  return [
    {
      what: `EC2 has ${describe(missing)} on ${node.instanceId}`,
      evidence: "EC2 DescribeNetworkInterfaces",
      rule: "EC2 is the truth; instance metadata is brought up to date some time after it",
    },
    {
      what: "the node's instance metadata does not show it",
      evidence: `http://169.254.169.254/latest/meta-data/network/interfaces/macs/ asked on ${node.instanceId}`,
      rule: "ipamd learns from instance metadata which ENIs and addresses the node has been given by others",
      setting: `ENABLE_IMDS_ONLY_MODE=${node.env.ENABLE_IMDS_ONLY_MODE ?? "false"}, DISABLE_NETWORK_RESOURCE_PROVISIONING=${node.env.DISABLE_NETWORK_RESOURCE_PROVISIONING ?? "false"}`,
    },
  ];
}

export const describe = (missing: readonly Missing[]): string =>
  missing
    .map(({ eniId, blocks }) => (blocks.length === 0 ? eniId : `${blocks.join(", ")} of ${eniId}`))
    .join("; ");

/** ipamd asks EC2 for nothing on this node: it has what others attach. */
export const mayNotProvision = ({ env }: Pick<NodeSeen, "env">): boolean =>
  env.DISABLE_NETWORK_RESOURCE_PROVISIONING === "true" || env.ENABLE_IMDS_ONLY_MODE === "true";

function dependsOnMetadata(
  { takenAt }: Observation,
  node: NodeSeen,
  decisions: readonly DecisionEntry[],
): boolean {
  const { ipamd } = node;
  if (mayNotProvision(node) || !ipamd.answers) return true;
  return decisions.some(
    ({ action, outcome, time }) =>
      action?.kind === "create-eni" &&
      (outcome === undefined
        ? takenAt - Date.parse(time) > usualLagMs
        : outcome.kind === "failed" && outcome.error.includes("instance metadata")),
  );
}
