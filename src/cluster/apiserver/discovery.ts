// Which groups, versions and resources there are, as clients ask for them first.
import type { Registry } from "./registry.ts";
import type { ResourceType, Subresource } from "./resource-type.ts";

/** What the server calls itself. */
export const serverVersion = {
  major: "1",
  minor: "33",
  gitVersion: "v1.33.0-eks-eniverse",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "2025-01-01T00:00:00Z",
  goVersion: "none",
  compiler: "bun",
  platform: "linux/amd64",
} as const;

const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

const subresourceForms: Readonly<
  Record<Subresource, { kind?: string; group?: string; version?: string; verbs: readonly string[] }>
> = {
  status: { verbs: ["get", "patch", "update"] },
  scale: { kind: "Scale", group: "autoscaling", version: "v1", verbs: ["get", "patch", "update"] },
  log: { verbs: ["get"] },
  exec: { kind: "PodExecOptions", verbs: ["create", "get"] },
  attach: { kind: "PodAttachOptions", verbs: ["create", "get"] },
  portforward: { kind: "PodPortForwardOptions", verbs: ["create", "get"] },
  binding: { kind: "Binding", verbs: ["create"] },
  eviction: { kind: "Eviction", group: "policy", version: "v1", verbs: ["create"] },
  token: { kind: "TokenRequest", group: "authentication.k8s.io", version: "v1", verbs: ["create"] },
};

/** GET /api */
export function coreVersions(): unknown {
  return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
}

/** GET /apis */
export function groupList(registry: Registry): unknown {
  return {
    kind: "APIGroupList",
    apiVersion: "v1",
    groups: groupNames(registry).map((name) => groupEntry(registry, name)),
  };
}

/** GET /apis/GROUP; undefined when there is no such group. */
export function groupDocument(registry: Registry, group: string): unknown {
  if (!groupNames(registry).includes(group)) return undefined;
  return { kind: "APIGroup", apiVersion: "v1", ...groupEntry(registry, group) };
}

/** GET /api/v1 or /apis/GROUP/VERSION; undefined when there is none. */
export function resourceList(registry: Registry, group: string, version: string): unknown {
  const types = registry.types().filter((type) => type.group === group && type.version === version);
  if (types.length === 0 && virtual[`${group}/${version}`] === undefined) return undefined;
  const groupVersion = group === "" ? version : `${group}/${version}`;
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion,
    resources: [...types.flatMap(resourceEntries), ...(virtual[groupVersion] ?? [])],
  };
}

/** Resources that are asked but not stored. */
const virtual: Readonly<Record<string, readonly unknown[]>> = {
  v1: [{ name: "bindings", singularName: "binding", namespaced: true, kind: "Binding", verbs: ["create"] }],
  "authorization.k8s.io/v1": [
    {
      name: "selfsubjectaccessreviews",
      singularName: "selfsubjectaccessreview",
      namespaced: false,
      kind: "SelfSubjectAccessReview",
      verbs: ["create"],
    },
  ],
  "authentication.k8s.io/v1": [
    {
      name: "selfsubjectreviews",
      singularName: "selfsubjectreview",
      namespaced: false,
      kind: "SelfSubjectReview",
      verbs: ["create"],
    },
  ],
};

function groupNames(registry: Registry): string[] {
  const stored = registry.types().map((type) => type.group);
  const asked = Object.keys(virtual).map((groupVersion) => groupVersion.split("/")[0] ?? "");
  return [...new Set([...stored, ...asked])].filter((group) => group !== "" && group !== "v1");
}

function groupEntry(registry: Registry, group: string): Record<string, unknown> {
  const stored = registry.types().filter((type) => type.group === group);
  const versions = [...new Set(stored.map((type) => type.version))];
  const all = (versions.length === 0 ? ["v1"] : versions).map((version) => ({
    groupVersion: `${group}/${version}`,
    version,
  }));
  return { name: group, versions: all, preferredVersion: all[0] };
}

function resourceEntries(type: ResourceType): unknown[] {
  const { plural, singular, namespaced, kind, shortNames, categories } = type;
  return [
    {
      name: plural,
      singularName: singular,
      namespaced,
      kind,
      verbs,
      ...(shortNames.length > 0 && { shortNames }),
      ...(categories.length > 0 && { categories }),
    },
    ...type.subresources.map((subresource) => {
      const form = subresourceForms[subresource];
      return {
        name: `${plural}/${subresource}`,
        singularName: "",
        namespaced,
        ...(form.group !== undefined && { group: form.group, version: form.version }),
        kind: form.kind ?? kind,
        verbs: form.verbs,
      };
    }),
  ];
}
