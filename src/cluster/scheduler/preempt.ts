import type { Pod } from "../../kube/resources.ts";
import { type NodeLoad, reasonsAgainst } from "./choose.ts";

/** Where a pod that fits nowhere would fit without some less important pods. */
export interface Preemption {
  readonly node: string;
  /** Never empty. */
  readonly victims: readonly Pod[];
}

/**
 * The default scheduler's preemption: on each node the fewest and least important pods that must go, then the node
 * whose most important victim matters least. Disruption budgets are not looked at, as they only order its choices.
 */
export function preempt(pod: Pod, loads: readonly NodeLoad[]): Preemption | undefined {
  if (pod.spec.preemptionPolicy === "Never" || isPreempting(pod, loads)) return undefined;
  return loads
    .flatMap((load) => {
      const victims = victimsOn(pod, load, loads);
      return victims.length === 0 ? [] : [{ node: load.node.metadata.name, victims }];
    })
    .sort(byHarm)[0];
}

/** Somebody makes room for it already: it must wait until they have gone. */
function isPreempting(pod: Pod, loads: readonly NodeLoad[]): boolean {
  const nominated = loads.find(({ node }) => node.metadata.name === pod.status?.nominatedNodeName);
  return (
    nominated?.pods.some(
      (other) => other.metadata.deletionTimestamp !== undefined && priorityOf(other) < priorityOf(pod),
    ) ?? false
  );
}

/** Empty when the pod does not fit even without all pods that matter less. */
function victimsOn(pod: Pod, load: NodeLoad, loads: readonly NodeLoad[]): Pod[] {
  const lesser = load.pods.filter((other) => priorityOf(other) < priorityOf(pod));
  if (lesser.length === 0) return [];
  let kept = load.pods.filter((other) => priorityOf(other) >= priorityOf(pod));
  const fits = (pods: readonly Pod[]): boolean => {
    const without = { node: load.node, pods };
    return (
      reasonsAgainst(
        pod,
        without,
        loads.map((each) => (each === load ? without : each)),
      ).length === 0
    );
  };
  if (!fits(kept)) return [];
  const victims: Pod[] = [];
  for (const other of lesser.toSorted(byImportance)) {
    if (fits([...kept, other])) kept = [...kept, other];
    else victims.push(other);
  }
  return victims;
}

const priorityOf = (pod: Pod): number => pod.spec.priority ?? 0;
const startOf = (pod: Pod): string => pod.status?.startTime ?? "~";

/** More important first; of equals the one that runs longer. */
function byImportance(a: Pod, b: Pod): number {
  return priorityOf(b) - priorityOf(a) || compare(startOf(a), startOf(b));
}

/** Least harm first: the most important victim, all of them together, their number, how long they run. */
function byHarm(a: Preemption, b: Preemption): number {
  const most = ({ victims }: Preemption): number => Math.max(...victims.map(priorityOf));
  const sum = ({ victims }: Preemption): number =>
    victims.reduce((total, victim) => total + priorityOf(victim), 0);
  const youngest = ({ victims }: Preemption): string => victims.map(startOf).sort().at(0) ?? "";
  return (
    most(a) - most(b) ||
    sum(a) - sum(b) ||
    a.victims.length - b.victims.length ||
    compare(youngest(b), youngest(a)) ||
    compare(a.node, b.node)
  );
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
