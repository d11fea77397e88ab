import type { KubeObject, Resource } from "../../kube/objects.ts";
import { nothing, type Plan, type Write } from "./plan.ts";

const orphanFinalizer = "orphan";
const foregroundFinalizer = "foregroundDeletion";

/**
 * What happens to an object whose owners are gone: it goes too, unless one of them is still there.
 * `isGone` answers whether an owner of that uid exists no more.
 */
export function planDependent(
  resource: Resource,
  object: KubeObject,
  isGone: (uid: string) => boolean,
): Plan {
  const owners = object.metadata.ownerReferences ?? [];
  if (owners.length === 0 || object.metadata.deletionTimestamp !== undefined) return nothing;
  if (!owners.every(({ uid }) => isGone(uid))) return nothing;
  return { writes: [removal(resource, object)] };
}

/**
 * What an owner that is being deleted waits for: with `orphan` its dependents are let go, with
 * `foregroundDeletion` they are deleted first; then the finalizer is taken away.
 */
export function planOwner(
  resource: Resource,
  owner: KubeObject,
  dependents: readonly { readonly resource: Resource; readonly object: KubeObject }[],
): Plan {
  const finalizers = owner.metadata.finalizers ?? [];
  if (owner.metadata.deletionTimestamp === undefined) return nothing;
  const done: Write = {
    kind: "patch",
    resource,
    name: owner.metadata.name,
    ...(owner.metadata.namespace !== undefined && { namespace: owner.metadata.namespace }),
    patch: {
      metadata: {
        resourceVersion: owner.metadata.resourceVersion,
        finalizers: finalizers.filter((each) => each !== orphanFinalizer && each !== foregroundFinalizer),
      },
    },
  };
  if (finalizers.includes(orphanFinalizer)) {
    if (dependents.length === 0) return { writes: [done] };
    return { writes: dependents.map((each) => release(each.resource, each.object, owner)) };
  }
  if (finalizers.includes(foregroundFinalizer)) {
    if (dependents.length === 0) return { writes: [done] };
    const left = dependents.filter(({ object }) => object.metadata.deletionTimestamp === undefined);
    return { writes: left.map((each) => removal(each.resource, each.object)) };
  }
  return nothing;
}

function release(resource: Resource, object: KubeObject, owner: KubeObject): Write {
  const { name, namespace, resourceVersion, ownerReferences = [] } = object.metadata;
  const left = ownerReferences.filter(({ uid }) => uid !== owner.metadata.uid);
  return {
    kind: "patch",
    resource,
    name,
    ...(namespace !== undefined && { namespace }),
    patch: { metadata: { resourceVersion, ownerReferences: left.length === 0 ? null : left } },
  };
}

function removal(resource: Resource, object: KubeObject): Write {
  const { name, namespace, uid } = object.metadata;
  return {
    kind: "delete",
    resource,
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
  };
}
