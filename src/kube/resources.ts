// Which collections there are: one `Resource` value per kind, typed by the objects that it holds.
import type {
  CniNode,
  ControllerRevision,
  CustomResourceDefinition,
  DaemonSet,
  Deployment,
  EniConfig,
  PodDisruptionBudget,
  ReplicaSet,
} from "./apps-types.ts";
import type {
  ClusterRole,
  ClusterRoleBinding,
  ConfigMap,
  Endpoints,
  Event,
  EventV1,
  Lease,
  Namespace,
  Node,
  PriorityClass,
  Secret,
  Service,
  ServiceAccount,
} from "./core-types.ts";
import type { KubeObject, Resource } from "./objects.ts";
import type { Pod } from "./pod-types.ts";

export type * from "./apps-types.ts";
export type * from "./core-types.ts";
export type * from "./pod-types.ts";

export const namespaces: Resource<Namespace> = core("namespaces", "Namespace", false);
export const nodes: Resource<Node> = core("nodes", "Node", false);
export const pods: Resource<Pod> = core("pods", "Pod");
export const configMaps: Resource<ConfigMap> = core("configmaps", "ConfigMap");
export const secrets: Resource<Secret> = core("secrets", "Secret");
export const serviceAccounts: Resource<ServiceAccount> = core("serviceaccounts", "ServiceAccount");
export const services: Resource<Service> = core("services", "Service");
export const endpoints: Resource<Endpoints> = core("endpoints", "Endpoints");
export const events: Resource<Event> = core("events", "Event");

/** The same events in their events.k8s.io/v1 form. */
export const eventsV1: Resource<EventV1> = resource("events.k8s.io", "v1", "events", "Event");
export const leases: Resource<Lease> = resource("coordination.k8s.io", "v1", "leases", "Lease");
export const priorityClasses: Resource<PriorityClass> = resource(
  "scheduling.k8s.io",
  "v1",
  "priorityclasses",
  "PriorityClass",
  false,
);

export const deployments: Resource<Deployment> = resource("apps", "v1", "deployments", "Deployment");
export const replicaSets: Resource<ReplicaSet> = resource("apps", "v1", "replicasets", "ReplicaSet");
export const daemonSets: Resource<DaemonSet> = resource("apps", "v1", "daemonsets", "DaemonSet");
export const controllerRevisions: Resource<ControllerRevision> = resource(
  "apps",
  "v1",
  "controllerrevisions",
  "ControllerRevision",
);
export const podDisruptionBudgets: Resource<PodDisruptionBudget> = resource(
  "policy",
  "v1",
  "poddisruptionbudgets",
  "PodDisruptionBudget",
);

export const clusterRoles: Resource<ClusterRole> = resource(
  "rbac.authorization.k8s.io",
  "v1",
  "clusterroles",
  "ClusterRole",
  false,
);
export const clusterRoleBindings: Resource<ClusterRoleBinding> = resource(
  "rbac.authorization.k8s.io",
  "v1",
  "clusterrolebindings",
  "ClusterRoleBinding",
  false,
);

export const customResourceDefinitions: Resource<CustomResourceDefinition> = resource(
  "apiextensions.k8s.io",
  "v1",
  "customresourcedefinitions",
  "CustomResourceDefinition",
  false,
);
export const eniConfigs: Resource<EniConfig> = resource(
  "crd.k8s.amazonaws.com",
  "v1alpha1",
  "eniconfigs",
  "ENIConfig",
  false,
);
export const cniNodes: Resource<CniNode> = resource(
  "vpcresources.k8s.aws",
  "v1alpha1",
  "cninodes",
  "CNINode",
  false,
);

/** "v1" or "apps/v1": what objects of the resource carry as `apiVersion`. */
export function apiVersionOf(resource: Pick<Resource, "group" | "version">): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

/** The path of a collection, or of one object in it; `/apis/apps/v1/namespaces/default/deployments/web`. */
export function pathOf(resource: Resource, namespace?: string, name?: string, subresource?: string): string {
  let path =
    resource.group === "" ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  if (resource.namespaced && namespace !== undefined) path += `/namespaces/${encodeURIComponent(namespace)}`;
  path += `/${resource.plural}`;
  if (name !== undefined) path += `/${encodeURIComponent(name)}`;
  if (subresource !== undefined) path += `/${subresource}`;
  return path;
}

function core<T extends KubeObject>(plural: string, kind: string, namespaced = true): Resource<T> {
  return { group: "", version: "v1", plural, kind, namespaced };
}

function resource<T extends KubeObject>(
  group: string,
  version: string,
  plural: string,
  kind: string,
  namespaced = true,
): Resource<T> {
  return { group, version, plural, kind, namespaced };
}
