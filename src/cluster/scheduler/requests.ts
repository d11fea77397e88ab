import type { Pod, ResourceList } from "../../kube/resources.ts";
import { parseQuantity } from "./quantity.ts";

export type Amounts = ReadonlyMap<string, number>;

/** What the pod asks of its node: the sum of its containers or the largest init container, whichever is more. */
export function requestsOf(pod: Pod): Amounts {
  const total = new Map<string, number>();
  for (const container of pod.spec.containers) addTo(total, amountsOf(container.resources));
  for (const container of pod.spec.initContainers ?? []) {
    for (const [name, amount] of amountsOf(container.resources)) {
      total.set(name, Math.max(total.get(name) ?? 0, amount));
    }
  }
  return total;
}

/** A limit stands for the request where there is none. */
function amountsOf(resources: { requests?: ResourceList; limits?: ResourceList } | undefined): Amounts {
  return amounts({ ...resources?.limits, ...resources?.requests });
}

export function amounts(list: ResourceList | undefined): Amounts {
  return new Map(Object.entries(list ?? {}).map(([name, quantity]) => [name, parseQuantity(quantity)]));
}

export function addTo(total: Map<string, number>, more: Amounts): void {
  for (const [name, amount] of more) total.set(name, (total.get(name) ?? 0) + amount);
}
