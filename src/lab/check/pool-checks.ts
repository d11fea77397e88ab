import type { PoolEntry } from "../../node/ipamd/pool-page.ts";
import type { Finding } from "./broken.ts";
import { assignedIn, blockOf, missingFrom, nodeWord } from "./node-facts.ts";
import type { CloudEni, LabPicture, NodePicture } from "./picture.ts";

const restartIpamd =
  "Restart the node's aws-node pod: at its start ipamd reads EC2, the kernel and the checkpoint";

/** Every address that ipamd gave away is a sandbox's of its node. */
export function* assignmentsHaveOwners({ nodes }: LabPicture): Generator<Finding> {
  for (const node of nodes) {
    for (const { address, containerId = "?", pod } of assignedIn(node)) {
      if (node.sandboxes.some(({ id }) => id === containerId)) continue;
      const who = pod === undefined ? "a pod" : `${pod.namespace}/${pod.name}`;
      yield {
        subject: `${address} on ${nodeWord(node)}`,
        evidence: `ipamd holds it for ${who}, sandbox ${containerId.slice(0, 12)}, which the kubelet does not have`,
        fix: restartIpamd,
      };
    }
  }
}

/** The numbers that ipamd tells are those of the addresses that it tells. */
export function* countsAddUp({ nodes }: LabPicture): Generator<Finding> {
  for (const node of nodes) {
    for (const card of node.pool?.cards ?? []) {
      const entries = (node.pool?.addresses ?? []).filter((entry) => entry.card === card.card);
      const count = (...states: PoolEntry["state"][]): number =>
        entries.filter(({ state }) => states.includes(state)).reduce((sum, entry) => sum + entry.count, 0);
      const tell = (what: string, says: number, has: number): Finding[] =>
        says === has
          ? []
          : [
              {
                subject: `${what} of card ${card.card} on ${nodeWord(node)}`,
                evidence: `ipamd says ${says}, and its list has ${has}`,
                fix: "This is an error in ipamd: please report it",
              },
            ];
      // Of blocks of the other mode and of excluded ENIs the totals know nothing, the list does.
      if (entries.some(({ state, cidr }) => state === "excluded" || isOtherMode(card.mode, cidr, state)))
        continue;
      yield* tell("assigned addresses", card.assigned, count("assigned"));
      yield* tell("cooling addresses", card.cooling, count("cooling"));
      yield* tell("addresses", card.total, count("assigned", "cooling", "warm"));
    }
  }
}

const isOtherMode = (mode: string, cidr: string, state: PoolEntry["state"]): boolean =>
  state !== "primary" && (mode === "secondary-ip") !== cidr.endsWith("/32");

/** What ipamd has is EC2's, and what EC2 has on ipamd's ENIs ipamd knows. */
export function* poolEqualsEc2({ cloud, nodes }: LabPicture): Generator<Finding> {
  const enis = new Map(cloud.enis.map((eni) => [eni.eniId, eni]));
  for (const node of nodes) {
    const byEni = Map.groupBy(node.pool?.addresses ?? [], ({ eni }) => eni);
    for (const [eniId, entries] of byEni) {
      const eni = enis.get(eniId);
      const subject = (what: string): string => `${what} of ${eniId} on ${nodeWord(node)}`;
      if (eni?.instanceId !== node.instanceId) {
        const where = eni === undefined ? "does not know it" : `has it at ${eni.instanceId ?? "no instance"}`;
        yield {
          subject: subject("device"),
          evidence: `ipamd has the ENI, and EC2 ${where}`,
          fix: restartIpamd,
        };
        continue;
      }
      const pooled = new Set(entries.map(({ cidr }) => cidr));
      const owned = blocksOf(
        eni,
        [...pooled].some((cidr) => cidr.includes(":")),
      );
      for (const cidr of missingFrom(pooled, owned)) {
        yield {
          subject: subject(cidr),
          evidence: `ipamd has ${cidr}, and EC2 does not have it on ${eniId}`,
          fix: restartIpamd,
        };
      }
      for (const cidr of missingFrom(owned, pooled)) {
        yield {
          subject: subject(cidr),
          evidence: `EC2 has ${cidr} on ${eniId}, and ipamd does not know it`,
          fix: "Wait for ipamd's reconciliation (a minute), or restart the node's aws-node pod",
        };
      }
    }
  }
}

/** IPv6 nodes keep their ENIs' IPv4 address, and the others take no notice of IPv6. */
function blocksOf(eni: CloudEni, ipv6: boolean): string[] {
  const v4 = [...eni.addresses.map(blockOf), ...eni.prefixes];
  return ipv6 ? [...v4.slice(0, 1), ...eni.ipv6Prefixes] : v4;
}

/** A killed ipamd would find exactly what it has. */
export function* checkpointEqualsPool({ nodes }: LabPicture): Generator<Finding> {
  for (const node of nodes) {
    if (node.pool === undefined || node.checkpoint === undefined) continue;
    const words = (containerId: string, address: string): string => `${address} ${containerId.slice(0, 12)}`;
    const pooled = assignedIn(node).map(({ containerId = "", address }) => words(containerId, address));
    const kept = node.checkpoint.map(({ containerId, address }) => words(containerId, address));
    const subject = (what: string): string => `${what} on ${nodeWord(node)}`;
    const fix =
      "Delete a pod of the node: the next change writes the whole file; if it stays so, please report it";
    for (const entry of missingFrom(pooled, kept))
      yield { subject: subject(entry), evidence: "it is in the pool and not in the checkpoint", fix };
    for (const entry of missingFrom(kept, pooled))
      yield { subject: subject(entry), evidence: "it is in the checkpoint and not in the pool", fix };
  }
}

/** Every view of every node can be had. */
export function* nothingIsBlind({ nodes }: LabPicture): Generator<Finding> {
  for (const node of nodes)
    for (const { view, why } of node.blind)
      yield { subject: `${view} of ${nodeWord(node)}`, evidence: why, fix: fixes[view] };
}

const fixes: Readonly<Record<NodePicture["blind"][number]["view"], string>> = {
  node: "See eniverse get nodes",
  pool: "ipamd does not answer: see /var/log/aws-routed-eni/ipamd.log on the node and eniverse break --list",
  checkpoint: "See /run/aws-node on the node",
  metadata: "The node does not reach 169.254.169.254: see eniverse break --list",
  kernel: "The node's network namespace cannot be read: is it being replaced?",
};
