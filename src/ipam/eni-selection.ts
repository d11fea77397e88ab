import type { AttachedEni } from "./facts.ts";
import type { Settings } from "./settings.ts";

const noManageTag = "node.k8s.amazonaws.com/no_manage";
const instanceIdTag = "node.k8s.amazonaws.com/instance_id";

export interface SelectionRules {
  readonly instanceId: string;
  /** MANAGE_UNTAGGED_ENI. */
  readonly manageUntagged: boolean;
}

/**
 * True when somebody else looks after the ENI: `no_manage=true`, or no tag of this node where untagged ENIs are
 * not to be managed. The primary ENI is always ours, and so is every ENI whose tags are not known.
 */
export function isUnmanaged(
  eni: Pick<AttachedEni, "primary" | "tags">,
  { instanceId, manageUntagged }: SelectionRules,
): boolean {
  if (eni.primary || eni.tags === undefined) return false;
  const noManage = eni.tags[noManageTag];
  if (noManage !== undefined) return noManage === "true";
  return eni.tags[instanceIdTag] !== instanceId && !manageUntagged;
}

/** An interface for RDMA traffic only: it has no addresses, and so none for pods. */
export function isEfaOnly(eni: Pick<AttachedEni, "interfaceType">): boolean {
  return eni.interfaceType === "efa-only";
}

export interface Selection {
  /** On managed cards, and to be managed. */
  readonly managed: readonly AttachedEni[];
  /** Ids of ENIs that are to be left alone. */
  readonly unmanaged: ReadonlySet<string>;
  /** Managed cards in order, with the device slots that are taken on them by ENIs that are left alone. */
  readonly cards: readonly { readonly card: number; readonly unmanagedEnis: number }[];
}

/**
 * Sorts out a node's ENIs and network cards. Without multi-NIC only card 0 is managed; with it a card is left out
 * when it has an EFA-only interface and nothing that we manage.
 */
export function selectEnis(
  enis: readonly AttachedEni[],
  cardCount: number,
  rules: SelectionRules & Pick<Settings, "multiNic">,
): Selection {
  const isLeftAlone = (eni: AttachedEni): boolean => isEfaOnly(eni) || isUnmanaged(eni, rules);
  const numbers = Array.from({ length: rules.multiNic ? cardCount : 1 }, (_, card) => card);
  const cards = numbers
    .map((card) => ({ card, enis: enis.filter((eni) => eni.card === card) }))
    .filter(({ enis }) => !enis.some(isEfaOnly) || enis.some((eni) => !isLeftAlone(eni)))
    .map(({ card, enis }) => ({ card, unmanagedEnis: enis.filter(isLeftAlone).length }));
  const isOnManagedCard = (eni: AttachedEni): boolean => cards.some(({ card }) => card === eni.card);
  return {
    managed: enis.filter((eni) => isOnManagedCard(eni) && !isLeftAlone(eni)),
    unmanaged: new Set(enis.filter((eni) => !isOnManagedCard(eni) || isLeftAlone(eni)).map(({ id }) => id)),
    cards,
  };
}

/**
 * True when the ENI may not serve new pods: it lies in a subnet that is excluded by tag, or it is the primary one
 * under custom networking.
 */
export function isExcludedForPods(
  eni: Pick<AttachedEni, "primary">,
  settings: Pick<Settings, "customNetworking">,
  isSubnetExcluded: boolean,
): boolean {
  return isSubnetExcluded || (eni.primary && settings.customNetworking);
}
