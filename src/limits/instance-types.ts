/**
 * `limits/` knows what each EC2 instance type can hold (ENIs, addresses, network cards, branch ENIs) and how many
 * pods follow from that. The numbers are in `instance-types.json`, one line a type, their sources named in it.
 */
import data from "./instance-types.json" with { type: "json" };

export type Hypervisor = "nitro" | "xen" | "unknown";

export type Architecture = "amd64" | "arm64";

export interface InstanceLimits {
  readonly instanceType: string;
  /** ENIs on the default network card, the primary one included. */
  readonly enis: number;
  /** IPv4 addresses per ENI, the primary one included; a prefix takes the place of one address. */
  readonly ipv4PerEni: number;
  /** ENIs per network card, by card index. Every known type has the same number on all of its cards. */
  readonly cards: readonly number[];
  readonly defaultCard: number;
  /** As `DescribeInstanceTypes` says it; bare metal has none, which is "unknown". */
  readonly hypervisor: Hypervisor;
  readonly bareMetal: boolean;
  /** Branch ENIs that a trunk ENI can carry; undefined where the VPC resource controller does not list the type. */
  readonly branchEnis: number | undefined;
  /** Types that the controller does not list count as capable, as in the official CNI. */
  readonly trunkCapable: boolean;
  /** Default vCPUs, memory in MiB, and processor; undefined for the few types whose source does not list them. */
  readonly vcpus: number | undefined;
  readonly memoryMib: number | undefined;
  readonly architecture: Architecture | undefined;
}

type Row = readonly [
  enis: number,
  ipv4PerEni: number,
  cards: number,
  hypervisor: Hypervisor,
  bareMetal: boolean,
  branchEnis: number | null,
  trunkCapable: boolean | null,
  vcpus: number | null,
  memoryMib: number | null,
  architecture: Architecture | null,
];

const rows = new Map(Object.entries(data.types as unknown as Readonly<Record<string, Row>>));

/** The limits of a type ("m5.large"); undefined for a type that is not in the table. */
export function instanceLimits(instanceType: string): InstanceLimits | undefined {
  const row = rows.get(instanceType);
  if (row === undefined) return undefined;
  const [enis, ipv4PerEni, cards, hypervisor, bareMetal, branchEnis, trunkCapable, ...machine] = row;
  return {
    instanceType,
    enis,
    ipv4PerEni,
    cards: new Array<number>(cards).fill(enis),
    defaultCard: 0,
    hypervisor,
    bareMetal,
    branchEnis: branchEnis ?? undefined,
    trunkCapable: trunkCapable ?? true,
    vcpus: machine[0] ?? undefined,
    memoryMib: machine[1] ?? undefined,
    architecture: machine[2] ?? undefined,
  };
}

/** Every known type, sorted by name. */
export function allInstanceTypes(): string[] {
  return [...rows.keys()];
}

/** Prefixes can be had on Nitro and on bare metal only. */
export function supportsPrefixDelegation(limits: Pick<InstanceLimits, "hypervisor" | "bareMetal">): boolean {
  return limits.hypervisor === "nitro" || limits.bareMetal;
}

/** Up to `count` known types that someone who wrote `instanceType` may have meant, nearest first. */
export function similarInstanceTypes(instanceType: string, count = 3): string[] {
  const wanted = instanceType.toLowerCase();
  return allInstanceTypes()
    .map((known) => ({ known, distance: editDistance(wanted, known) }))
    .filter(({ distance }) => distance <= Math.max(2, Math.floor(wanted.length / 3)))
    .sort((a, b) => a.distance - b.distance || compareText(a.known, b.known))
    .slice(0, count)
    .map(({ known }) => known);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let best = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (same ? 0 : 1),
      );
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (row > 1 && column > 1 && swapped) best = Math.min(best, at(beforeLast, column - 2) + 1);
      current.push(best);
    }
    beforeLast = last;
    last = current;
  }
  return at(last, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
