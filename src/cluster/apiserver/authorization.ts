// Who may do what: the administrators everything, nodes what a kubelet needs, everybody else what the cluster's own
// Roles and ClusterRoles grant.
import type { ClusterRole, ClusterRoleBinding, Pod, RoleRule } from "../../kube/resources.ts";
import type { Engine } from "./engine.ts";
import { type Identity, isAdmin, nodeOf } from "./identity.ts";
import {
  clusterRoleBindingType,
  clusterRoleType,
  roleBindingType,
  roleType,
} from "./types/policy-objects.ts";

/** What is asked for: an action on a resource, or on a plain path. */
export interface Action {
  /** "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection". */
  readonly verb: string;
  readonly group: string;
  /** Plural; "pods/log" for a subresource. */
  readonly resource: string;
  /** "" at cluster scope. */
  readonly namespace: string;
  /** "" for the whole collection. */
  readonly name: string;
}

export function mayDo(engine: Engine, identity: Identity, action: Action): boolean {
  if (isAdmin(identity)) return true;
  const node = nodeOf(identity);
  if (node !== undefined) return nodeMay(engine, node, action);
  return rulesOf(engine, identity, action.namespace).some((rule) => grants(rule, action));
}

/** Paths that are no resources: discovery and health are open to everybody who has a name. */
export function mayReadPath(engine: Engine, identity: Identity, path: string): boolean {
  if (isAdmin(identity) || /^\/(version|healthz|livez|readyz|api|apis|openapi)(\/|$)/.test(path)) return true;
  return rulesOf(engine, identity, "").some((rule) =>
    (rule.nonResourceURLs ?? []).some(
      (url) => url === "*" || url === path || (url.endsWith("*") && path.startsWith(url.slice(0, -1))),
    ),
  );
}

/** `pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "default"`. */
export function refusalText(identity: Identity, { verb, group, resource, namespace }: Action): string {
  const where = namespace === "" ? "at the cluster scope" : `in the namespace "${namespace}"`;
  return `User "${identity.user}" cannot ${verb} resource "${resource}" in API group "${group}" ${where}`;
}

function rulesOf(engine: Engine, identity: Identity, namespace: string): RoleRule[] {
  const { store } = engine;
  const clusterWide = store
    .list(clusterRoleBindingType.collection)
    .map(({ object }) => object as ClusterRoleBinding);
  const local =
    namespace === ""
      ? []
      : store.list(roleBindingType.collection, namespace).map(({ object }) => object as ClusterRoleBinding);
  return [...clusterWide, ...local]
    .filter((binding) => (binding.subjects ?? []).some((subject) => isSubject(identity, subject)))
    .flatMap(({ roleRef, metadata }) => {
      const stored =
        roleRef.kind === "ClusterRole"
          ? store.get(clusterRoleType.collection, "", roleRef.name)
          : store.get(roleType.collection, metadata.namespace ?? "", roleRef.name);
      return (stored?.object as ClusterRole | undefined)?.rules ?? [];
    });
}

function isSubject(
  { user, groups }: Identity,
  subject: { kind: string; name: string; namespace?: string },
): boolean {
  if (subject.kind === "ServiceAccount")
    return user === `system:serviceaccount:${subject.namespace}:${subject.name}`;
  return subject.kind === "Group" ? groups.includes(subject.name) : user === subject.name;
}

function grants(rule: RoleRule, { verb, group, resource, name }: Action): boolean {
  const has = (list: readonly string[] | undefined, wanted: string): boolean =>
    list !== undefined && (list.includes("*") || list.includes(wanted));
  const subresource = resource.includes("/") ? `*/${resource.split("/")[1]}` : resource;
  const names = rule.resourceNames ?? [];
  return (
    has(rule.verbs, verb) &&
    has(rule.apiGroups, group) &&
    (has(rule.resources, resource) || has(rule.resources, subresource)) &&
    (names.length === 0 || names.includes(name))
  );
}

const readVerbs = ["get", "list", "watch"];
const writeVerbs = ["create", "update", "patch"];

/** What a kubelet may: read; write its own node, its lease, its pods' status, events; delete its pods. */
function nodeMay(engine: Engine, node: string, { verb, group, resource, namespace, name }: Action): boolean {
  if (readVerbs.includes(verb)) return true;
  const what = group === "" ? resource : `${resource}.${group}`;
  switch (what) {
    case "nodes":
    case "nodes/status":
      return writeVerbs.includes(verb) && (name === "" || name === node);
    case "leases.coordination.k8s.io":
      return namespace === "kube-node-lease" && (name === "" || name === node);
    case "events":
    case "events.events.k8s.io":
    case "serviceaccounts/token":
      return writeVerbs.includes(verb);
    case "cninodes.vpcresources.k8s.aws":
      return name === "" || name === node;
    case "pods":
      return verb === "delete" && podNode(engine, namespace, name) === node;
    case "pods/status":
      return ["update", "patch"].includes(verb) && podNode(engine, namespace, name) === node;
    default:
      return false;
  }
}

function podNode(engine: Engine, namespace: string, name: string): string | undefined {
  return (engine.store.get("pods", namespace, name)?.object as Pod | undefined)?.spec.nodeName;
}
