import type { Eni, Tag } from "../../aws/shapes.ts";

export const instanceIdTag = "node.k8s.amazonaws.com/instance_id";
export const createdAtTag = "node.k8s.amazonaws.com/createdAt";
export const clusterNameTag = "cluster.k8s.amazonaws.com/name";
const ownerTag = "eks:eni:owner";
const reservedWord = "k8s.amazonaws.com";

export interface EniTagSource {
  readonly instanceId: string;
  /** CLUSTER_NAME. */
  readonly clusterName?: string | undefined;
  /** ADDITIONAL_ENI_TAGS; keys with `k8s.amazonaws.com` in them are left out, the owner may be overridden. */
  readonly additional: Readonly<Record<string, string>>;
}

/** The tags that every ENI of a node bears, sorted by key; a new one also gets its time of creation. */
export function eniTags(source: EniTagSource, createdAt?: number): Tag[] {
  const tags = new Map([[instanceIdTag, source.instanceId]]);
  if (createdAt !== undefined)
    tags.set(createdAtTag, new Date(createdAt).toISOString().replace(/\.\d+Z$/, "Z"));
  if (source.clusterName !== undefined && source.clusterName !== "") {
    tags.set(clusterNameTag, source.clusterName);
    tags.set(ownerTag, "amazon-vpc-cni");
  }
  for (const [key, value] of Object.entries(source.additional))
    if (!key.includes(reservedWord)) tags.set(key, value);
  return [...tags]
    .map(([key, value]) => ({ key, value }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

/** The wanted tags that an ENI lacks or has with another value. */
export function missingTags(wanted: readonly Tag[], have: readonly Tag[]): Tag[] {
  return wanted.filter((tag) => !have.some((held) => held.key === tag.key && held.value === tag.value));
}

export function tagOf(eni: Pick<Eni, "tags">, key: string): string | undefined {
  return eni.tags.find((tag) => tag.key === key)?.value;
}

/** How the ENIs that an ipamd creates are described; the leak search goes by it. */
export const eniDescriptionPrefix = "aws-K8S-";
