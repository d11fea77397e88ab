import type { Node, Pod, PodAffinityTerm } from "../../kube/resources.ts";
import { selects } from "../../kube/selectors.ts";
import { matchesNodeChoice, matchesTerm, tolerates, untolerated } from "../controllers/node-fit.ts";
import { controllerOf } from "../controllers/pods.ts";
import { addTo, amounts, requestsOf } from "./requests.ts";

/**
 * The scheduler: `choose` says on which node a pod goes, or for what reasons it goes on none; `run.ts` feeds it
 * and binds.
 */

/** A node and the pods that count against it: all that are bound to it and not finished. */
export interface NodeLoad {
  readonly node: Node;
  readonly pods: readonly Pod[];
}

export type Choice =
  | { readonly kind: "node"; readonly name: string }
  /** `message` is what the FailedScheduling event says. */
  | { readonly kind: "none"; readonly message: string };

export const zoneLabel = "topology.kubernetes.io/zone";

/** Pure: the same pods and nodes give the same choice. */
export function choose(pod: Pod, loads: readonly NodeLoad[]): Choice {
  if (loads.length === 0) return { kind: "none", message: "no nodes available to schedule pods" };
  const reasons = new Map<string, number>();
  const fitting: NodeLoad[] = [];
  for (const load of loads) {
    const against = reasonsAgainst(pod, load, loads);
    if (against.length === 0) fitting.push(load);
    for (const reason of against) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const best = fitting
    .map((load) => ({ name: load.node.metadata.name, score: scoreOf(pod, load, loads) }))
    .sort((a, b) => compareScores(a.score, b.score) || (a.name < b.name ? -1 : 1))[0];
  if (best !== undefined) return { kind: "node", name: best.name };
  const listed = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort();
  return { kind: "none", message: `0/${loads.length} nodes are available: ${listed.join(", ")}.` };
}

/** The texts are the default scheduler's; the first check that fails speaks, as its filter plugins do. */
export function reasonsAgainst(pod: Pod, load: NodeLoad, loads: readonly NodeLoad[]): string[] {
  const { node } = load;
  const tolerations = pod.spec.tolerations ?? [];
  if (
    node.spec?.unschedulable === true &&
    !tolerates(tolerations, { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" })
  ) {
    return ["node(s) were unschedulable"];
  }
  const taint = untolerated(node, tolerations, ["NoSchedule", "NoExecute"]);
  if (taint !== undefined) return [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}`];
  if (!matchesNodeChoice(pod.spec, node)) return ["node(s) didn't match Pod's node affinity/selector"];
  if (portsClash(pod, load)) return ["node(s) didn't have free ports for the requested pod ports"];
  const scarce = scarceResources(pod, load);
  if (scarce.length > 0) return scarce;
  if (brokenSpread(pod, node, loads)) return ["node(s) didn't match pod topology spread constraints"];
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
  const alone = podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  if (alone.some((term) => matching(pod, term, node, loads) > 0)) {
    return ["node(s) didn't match pod anti-affinity rules"];
  }
  const together = podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const lonely = together.filter((term) => matching(pod, term, node, loads) === 0);
  // The first of a group that wants to be with itself may go anywhere.
  const first = lonely.every(
    (term) =>
      selectsPod(pod, term, pod) && loads.every((each) => matching(pod, term, each.node, loads) === 0),
  );
  if (lonely.length > 0 && !first) return ["node(s) didn't match pod affinity rules"];
  return [];
}

function scarceResources(pod: Pod, { node, pods }: NodeLoad): string[] {
  const allocatable = amounts(node.status?.allocatable ?? node.status?.capacity);
  const reasons: string[] = [];
  if (pods.length + 1 > (allocatable.get("pods") ?? 0)) reasons.push("Too many pods");
  const wanted = requestsOf(pod);
  if (wanted.size === 0) return reasons;
  const used = new Map<string, number>();
  for (const other of pods) addTo(used, requestsOf(other));
  for (const [name, amount] of wanted) {
    if (amount > 0 && (used.get(name) ?? 0) + amount > (allocatable.get(name) ?? 0))
      reasons.push(`Insufficient ${name}`);
  }
  return reasons;
}

function hostPorts(pod: Pod): string[] {
  return pod.spec.containers
    .flatMap((container) => container.ports ?? [])
    .map((port) => ({
      ...port,
      hostPort: port.hostPort ?? (pod.spec.hostNetwork === true ? port.containerPort : 0),
    }))
    .filter(({ hostPort }) => hostPort > 0)
    .map(({ hostPort, protocol }) => `${protocol ?? "TCP"}/${hostPort}`);
}

function portsClash(pod: Pod, { pods }: NodeLoad): boolean {
  const wanted = new Set(hostPorts(pod));
  return wanted.size > 0 && pods.some((other) => hostPorts(other).some((port) => wanted.has(port)));
}

/** How many pods the term selects in the topology domain of the node. */
function matching(pod: Pod, term: PodAffinityTerm, node: Node, loads: readonly NodeLoad[]): number {
  const domain = node.metadata.labels?.[term.topologyKey];
  if (domain === undefined) return 0;
  return loads
    .filter((load) => load.node.metadata.labels?.[term.topologyKey] === domain)
    .flatMap((load) => load.pods)
    .filter((other) => selectsPod(pod, term, other)).length;
}

function selectsPod(pod: Pod, term: PodAffinityTerm, other: Pod): boolean {
  const namespaces = term.namespaces ?? [pod.metadata.namespace ?? "default"];
  const inNamespace =
    term.namespaceSelector !== undefined || namespaces.includes(other.metadata.namespace ?? "default");
  return inNamespace && selects(term.labelSelector, other.metadata.labels);
}

function brokenSpread(pod: Pod, node: Node, loads: readonly NodeLoad[]): boolean {
  return (pod.spec.topologySpreadConstraints ?? [])
    .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === "DoNotSchedule")
    .some(({ maxSkew, topologyKey, labelSelector }) => {
      const here = node.metadata.labels?.[topologyKey];
      if (here === undefined) return true;
      const counts = domainCounts(pod, topologyKey, loads, (other) =>
        selects(labelSelector, other.metadata.labels),
      );
      return (counts.get(here) ?? 0) + 1 - Math.min(...counts.values()) > maxSkew;
    });
}

/** Pods per topology domain, of the nodes that the pod may choose. */
function domainCounts(
  pod: Pod,
  key: string,
  loads: readonly NodeLoad[],
  counts: (other: Pod) => boolean,
): Map<string, number> {
  const domains = new Map<string, number>();
  for (const { node, pods } of loads) {
    const domain = node.metadata.labels?.[key];
    if (domain === undefined || !matchesNodeChoice(pod.spec, node)) continue;
    const sameNamespace = pods.filter((other) => other.metadata.namespace === pod.metadata.namespace);
    domains.set(domain, (domains.get(domain) ?? 0) + sameNamespace.filter(counts).length);
  }
  return domains;
}

/** Parts of a score, the weightiest first; the smaller wins. */
type Score = readonly number[];

function scoreOf(pod: Pod, load: NodeLoad, loads: readonly NodeLoad[]): Score {
  const { node, pods } = load;
  const siblings = (other: Pod): boolean => isSibling(pod, other);
  const zone = node.metadata.labels?.[zoneLabel];
  const inZone = zone === undefined ? 0 : (domainCounts(pod, zoneLabel, loads, siblings).get(zone) ?? 0);
  const capacity = amounts(node.status?.allocatable).get("pods") ?? 1;
  return [
    avoidedTaints(pod, node),
    -preference(pod, node, loads),
    softSkew(pod, node, loads),
    pods.filter(siblings).length,
    inZone,
    pods.length / Math.max(1, capacity),
  ];
}

function compareScores(a: Score, b: Score): number {
  for (const [index, part] of a.entries()) {
    const difference = part - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function avoidedTaints(pod: Pod, node: Node): number {
  const taints = node.spec?.taints ?? [];
  return taints.filter(
    (taint) => taint.effect === "PreferNoSchedule" && !tolerates(pod.spec.tolerations ?? [], taint),
  ).length;
}

function preference(pod: Pod, node: Node, loads: readonly NodeLoad[]): number {
  const { nodeAffinity, podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
  let weight = 0;
  for (const each of nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
    if (matchesTerm(each.preference, node)) weight += each.weight;
  }
  for (const each of podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
    weight += each.weight * matching(pod, each.podAffinityTerm, node, loads);
  }
  for (const each of podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
    weight -= each.weight * matching(pod, each.podAffinityTerm, node, loads);
  }
  return weight;
}

function softSkew(pod: Pod, node: Node, loads: readonly NodeLoad[]): number {
  return (pod.spec.topologySpreadConstraints ?? [])
    .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === "ScheduleAnyway")
    .map(({ topologyKey, labelSelector }) => {
      const counts = domainCounts(pod, topologyKey, loads, (other) =>
        selects(labelSelector, other.metadata.labels),
      );
      return counts.get(node.metadata.labels?.[topologyKey] ?? "") ?? 0;
    })
    .reduce((sum, count) => sum + count, 0);
}

/** Pods of one owner are spread; pods without an owner by their labels. */
function isSibling(pod: Pod, other: Pod): boolean {
  if (pod.metadata.namespace !== other.metadata.namespace) return false;
  const owner = controllerOf(pod);
  if (owner !== undefined) return controllerOf(other)?.uid === owner.uid;
  const labels = Object.entries(pod.metadata.labels ?? {});
  return labels.length > 0 && labels.every(([key, value]) => other.metadata.labels?.[key] === value);
}
