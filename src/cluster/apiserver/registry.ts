// Which types the server knows: the built-in ones, and those that the stored CustomResourceDefinitions define.
import type { CustomResourceDefinition } from "../../kube/resources.ts";
import type { ResourceType } from "./resource-type.ts";
import type { ObjectStore } from "./store.ts";
import { leaseType, namespaceType, nodeType, priorityClassType } from "./types/cluster-objects.ts";
import { configMapType, secretType, serviceAccountType } from "./types/config-objects.ts";
import { crdType, typesOf } from "./types/custom-resources.ts";
import { eventType, eventV1Type } from "./types/events.ts";
import { podType } from "./types/pods.ts";
import {
  clusterRoleBindingType,
  clusterRoleType,
  podDisruptionBudgetType,
  roleBindingType,
  roleType,
} from "./types/policy-objects.ts";
import { endpointsType, serviceType } from "./types/service-objects.ts";
import { controllerRevisionType, daemonSetType, deploymentType, replicaSetType } from "./types/workloads.ts";

export const builtinTypes: readonly ResourceType[] = [
  configMapType,
  endpointsType,
  eventType,
  namespaceType,
  nodeType,
  podType,
  secretType,
  serviceAccountType,
  serviceType,
  controllerRevisionType,
  daemonSetType,
  deploymentType,
  replicaSetType,
  crdType,
  leaseType,
  eventV1Type,
  podDisruptionBudgetType,
  clusterRoleBindingType,
  clusterRoleType,
  roleBindingType,
  roleType,
  priorityClassType,
];

export class Registry {
  readonly #store: ObjectStore;
  #types: ReadonlyMap<string, ResourceType> = new Map();

  constructor(store: ObjectStore) {
    this.#store = store;
    this.#rebuild();
    store.subscribe(crdType.collection, () => this.#rebuild());
  }

  find(group: string, version: string, plural: string): ResourceType | undefined {
    return this.#types.get(keyOf(group, version, plural));
  }

  /** The built-in types first. */
  types(): ResourceType[] {
    return [...this.#types.values()];
  }

  /** A type that the collection's objects can be deleted and changed through. */
  ofCollection(collection: string): ResourceType | undefined {
    return this.types().find((type) => type.collection === collection);
  }

  #rebuild(): void {
    const custom = this.#store
      .list(crdType.collection)
      .flatMap(({ object }) => typesOf(object as CustomResourceDefinition));
    this.#types = new Map(
      // A definition cannot take the place of a built-in type.
      [...custom, ...builtinTypes].map((type) => [keyOf(type.group, type.version, type.plural), type]),
    );
  }
}

function keyOf(group: string, version: string, plural: string): string {
  return `${group}/${version}/${plural}`;
}
