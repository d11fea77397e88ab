// Who is asking.
export interface Identity {
  /** "kubernetes-admin", "system:node:NAME", "system:serviceaccount:NAMESPACE:NAME". */
  readonly user: string;
  readonly groups: readonly string[];
}

export const adminIdentity: Identity = {
  user: "kubernetes-admin",
  groups: ["system:masters", "system:authenticated"],
};

/** The controllers and the scheduler, which run beside the server. */
export const controlPlaneIdentity: Identity = {
  user: "system:control-plane",
  groups: ["system:masters", "system:authenticated"],
};

export function nodeIdentity(node: string): Identity {
  return { user: `system:node:${node}`, groups: ["system:nodes", "system:authenticated"] };
}

export function serviceAccountIdentity(namespace: string, name: string): Identity {
  return {
    user: `system:serviceaccount:${namespace}:${name}`,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
  };
}

export function isAdmin({ groups }: Identity): boolean {
  return groups.includes("system:masters");
}

/** The node that the identity is of. */
export function nodeOf({ user, groups }: Identity): string | undefined {
  const prefix = "system:node:";
  return groups.includes("system:nodes") && user.startsWith(prefix) ? user.slice(prefix.length) : undefined;
}
