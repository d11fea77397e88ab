import { allInstanceTypes, type InstanceLimits, supportsPrefixDelegation } from "../limits/instance-types.ts";
import {
  calculatorMaxPodsUncapped,
  eniMaxPods,
  type MaxPodsOptions,
  podAddresses,
  recommendedCap,
} from "../limits/max-pods.ts";
import { badField, limitsOf, wholeNumber } from "./field.ts";
import { vcpusOf } from "./vcpus.ts";

/** The settings that max-pods depends on. */
export interface MaxPodsSettings {
  /** Version of the VPC CNI, "1.10.0"; default the current one. Before 1.9 there are no prefixes. */
  readonly cniVersion?: string;
  /** ENABLE_PREFIX_DELEGATION. */
  readonly prefixDelegation?: boolean;
  /** AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: the primary ENI carries no pods. */
  readonly customNetworking?: boolean;
  /** MAX_ENI. */
  readonly maxEni?: number;
  /** An IPv6 cluster. */
  readonly ipv6?: boolean;
  /** ENABLE_POD_ENI: on types that can have one, a trunk takes an ENI's place. */
  readonly securityGroupsForPods?: boolean;
  /** ENABLE_MULTI_NIC: ordinary pods may use the other network cards as well. */
  readonly multiNic?: boolean;
  /** Without the cap of 110 or 250 pods. */
  readonly showMaxAllowed?: boolean;
  /** Default vCPUs of types for which they are not known, by type. */
  readonly vcpus?: Readonly<Record<string, number>>;
}

export interface MaxPodsInput extends MaxPodsSettings {
  /** One type, or all types of a mixed node group: the lowest number holds for all of them. */
  readonly instanceTypes: string | readonly string[];
}

/** What one type can have. */
export interface MaxPodsRow {
  readonly instanceType: string;
  /** Undefined when the cap depends on vCPUs that are not known, or the type cannot run in this mode. */
  readonly maxPods: number | undefined;
  /** The number before the cap. */
  readonly maxAllowed: number | undefined;
  /** The cap that Kubernetes' scalability advice sets; undefined when the vCPUs are not known. */
  readonly cap: 110 | 250 | undefined;
  readonly vcpus: number | undefined;
  readonly enis: number;
  readonly ipv4PerEni: number;
  readonly networkCards: number;
  /** Addresses for pods that the CNI can hold with these settings; undefined for IPv6, where they do not end. */
  readonly podAddresses: number | undefined;
  /** Pods with security groups of their own, which the trunk carries beside the others. */
  readonly branchEnis: number;
  /** The published number of the default mode, uncapped (eni-max-pods.txt, nodeadm). */
  readonly eniMaxPods: number;
  readonly notes: readonly string[];
}

export interface MaxPodsAnswer {
  readonly maxPods: number;
  /** The type that decided: the one with the lowest number. */
  readonly decidedBy: string;
  readonly rows: readonly MaxPodsRow[];
  /** The working, with the numbers put in. */
  readonly explain: readonly string[];
}

export interface MaxPodsFilter extends MaxPodsSettings {
  /** Only types with so many vCPUs; types whose vCPUs are not known are left out then. */
  readonly minVcpus?: number;
  readonly maxVcpus?: number;
  /** Only types that reach so many pods. */
  readonly minPods?: number;
}

const currentCniVersion = "1.23.1";

/**
 * How many pods the kubelet should allow, by the formula of the EKS AMI's old `max-pods-calculator.sh` and beyond
 * it: trunk slot, network cards, IPv6. Throws `invalid_argument` for unknown types, impossible settings, and for a
 * cap that depends on vCPUs nobody told.
 */
export function maxPods(input: MaxPodsInput): MaxPodsAnswer {
  const types = typeof input.instanceTypes === "string" ? [input.instanceTypes] : input.instanceTypes;
  if (types.length === 0)
    throw badField("instanceTypes", "no type", "one instance type or more, as m5.large");
  checkSettings(input);
  const worked = types.map((type) => workOut(limitsOf("instanceTypes", type), input));
  const numbers = worked.map(({ row, limits }) => {
    if (row.maxPods !== undefined) return { type: row.instanceType, pods: row.maxPods };
    if (input.ipv6 && !supportsPrefixDelegation(limits)) {
      throw badField(
        "ipv6",
        `${row.instanceType}, a ${limits.hypervisor} type`,
        "a Nitro or bare-metal type",
      );
    }
    throw badField(
      "vcpus",
      `the default vCPUs of ${row.instanceType} are not known, and its ${row.maxAllowed} pods lie above a cap that depends on them`,
      `vcpus: { "${row.instanceType}": N }, or showMaxAllowed`,
      `On the command line: --vcpus-of ${row.instanceType}=N (aws ec2 describe-instance-types tells N)`,
    );
  });
  const lowest = numbers.reduce((low, each) => (each.pods < low.pods ? each : low));
  const explain = worked.flatMap(({ explain: lines }) => lines);
  if (types.length > 1) {
    const list = numbers.map(({ type, pods }) => `${type} ${pods}`).join(", ");
    explain.push(
      `node group of mixed types: the lowest of ${list} is ${lowest.pods}, because one max-pods holds for all`,
    );
  }
  return {
    maxPods: lowest.pods,
    decidedBy: lowest.type,
    rows: worked.map(({ row }) => row),
    explain,
  };
}

/** Every known type, or those that the filter keeps, sorted by name. */
export function maxPodsTable(filter: MaxPodsFilter = {}): MaxPodsRow[] {
  return worksOf(filter).map(({ row }) => row);
}

/** The working of each row of {@link maxPodsTable}, with the numbers put in. */
export function explainMaxPodsTable(filter: MaxPodsFilter = {}): string[] {
  return worksOf(filter).flatMap(({ explain }) => explain);
}

function worksOf(filter: MaxPodsFilter): ReturnType<typeof workOut>[] {
  checkSettings(filter);
  const { minVcpus = 0, maxVcpus = Number.POSITIVE_INFINITY, minPods = 0 } = filter;
  if (minVcpus > maxVcpus) {
    throw badField("minVcpus", `${minVcpus}, above maxVcpus ${maxVcpus}`, "a range from low to high");
  }
  const byVcpus = filter.minVcpus !== undefined || filter.maxVcpus !== undefined;
  return allInstanceTypes()
    .map((type) => workOut(limitsOf("instanceTypes", type), filter))
    .filter(({ row: { vcpus, maxPods: pods } }) => {
      if (byVcpus && (vcpus === undefined || vcpus < minVcpus || vcpus > maxVcpus)) return false;
      return minPods === 0 || (pods !== undefined && pods >= minPods);
    });
}

function checkSettings(input: MaxPodsSettings): void {
  if (input.maxEni !== undefined) wholeNumber("maxEni", input.maxEni, 1, 1000);
  if (input.cniVersion !== undefined && !/^v?\d+\.\d+(\.|-|$)/.test(input.cniVersion)) {
    throw badField("cniVersion", JSON.stringify(input.cniVersion), "a version as 1.9.0");
  }
  for (const [type, vcpus] of Object.entries(input.vcpus ?? {})) {
    limitsOf("vcpus", type);
    wholeNumber(`vcpus of ${type}`, vcpus, 1, 10_000);
  }
  if (input.ipv6 && input.customNetworking) {
    throw badField("customNetworking", "true on an IPv6 cluster", "custom networking on IPv4 clusters only");
  }
}

function workOut(
  limits: InstanceLimits,
  input: MaxPodsSettings,
): { readonly row: MaxPodsRow; readonly limits: InstanceLimits; readonly explain: string[] } {
  const { instanceType, enis, ipv4PerEni } = limits;
  const notes: string[] = [];
  const lines: string[] = [];
  const say = (line: string): void => {
    lines.push(`${instanceType}: ${line}`);
  };
  say(`${enis} ENIs on network card 0, ${ipv4PerEni} IPv4 addresses each, the first of them the ENI's own`);
  const allowed = Math.min(input.maxEni ?? enis, enis);
  if (allowed < enis) say(`MAX_ENI ${input.maxEni} leaves ${allowed} of ${enis} ENIs`);
  const trunk = takesTrunkSlot(limits, input, allowed);
  if (trunk) {
    say(`security groups for pods: the trunk takes 1 ENI, ${allowed} − 1 = ${allowed - 1} are left`);
  }
  const prefixDelegation = (input.prefixDelegation ?? false) || (input.ipv6 ?? false);
  const options: MaxPodsOptions = {
    prefixDelegation,
    customNetworking: input.customNetworking ?? false,
    maxEni: allowed - (trunk ? 1 : 0),
  };
  const cniVersion = (input.cniVersion ?? currentCniVersion).replace(/^v/, "");
  const otherCards = input.multiNic ? limits.cards.length - 1 : 0;
  const onOtherCards = otherCards * podAddresses(limits, { ...options, customNetworking: false });
  // IPv6 needs Nitro or metal, and ipamd gives metal its prefixes; the old script knew neither.
  const counted = input.ipv6 ? { ...limits, hypervisor: "nitro" as const } : limits;
  const card0 = calculatorMaxPodsUncapped(counted, { ...options, cniVersion });
  const maxAllowed = card0 + onOtherCards;
  sayFormula(say, limits, input, options, card0, otherCards, onOtherCards);

  const holds = podAddresses(limits, options) + onOtherCards;
  if (holds + 2 !== maxAllowed && limits.bareMetal && prefixDelegation && !input.ipv6) {
    notes.push(
      `bare metal is counted without prefixes, as the calculator did; the CNI can hold ${holds} addresses`,
    );
  }
  if (prefixDelegation && !supportsPrefixDelegation(limits)) {
    notes.push(input.ipv6 ? "IPv6 needs a Nitro or bare-metal type" : "no prefixes on a Xen type");
  }
  if (trunk && limits.branchEnis === undefined) notes.push("the number of branch ENIs is not published");
  if (input.securityGroupsForPods && !limits.trunkCapable) notes.push("cannot have a trunk ENI");
  if (otherCards > 0) notes.push(`counts ${limits.cards.length} network cards`);

  const branchEnis = trunk ? (limits.branchEnis ?? 0) : 0;
  if (branchEnis > 0) {
    notes.push(`${branchEnis} more pods with their own security groups; they count against max-pods too`);
  }
  const isImpossible = (input.ipv6 ?? false) && !supportsPrefixDelegation(limits);
  const vcpus = vcpusOf(limits, input.vcpus);
  const cap = vcpus === undefined ? undefined : recommendedCap(vcpus);
  const number = isImpossible
    ? undefined
    : sayCap(say, maxAllowed, vcpus, cap, input.showMaxAllowed ?? false);
  if (number === undefined && !isImpossible) notes.push("vCPUs not known: the cap is 110 or 250");
  for (const note of notes) say(note);
  const row: MaxPodsRow = {
    instanceType,
    maxPods: number,
    maxAllowed: isImpossible ? undefined : maxAllowed,
    cap,
    vcpus,
    enis,
    ipv4PerEni,
    networkCards: limits.cards.length,
    podAddresses: input.ipv6 ? undefined : holds,
    branchEnis,
    eniMaxPods: eniMaxPods(limits),
    notes,
  };
  return { row, limits, explain: lines };
}

/** As ipamd reserves it: on types that can trunk, on IPv4, when there is more than the primary ENI. */
function takesTrunkSlot(limits: InstanceLimits, input: MaxPodsSettings, allowed: number): boolean {
  return (input.securityGroupsForPods ?? false) && !input.ipv6 && limits.trunkCapable && allowed > 1;
}

function sayFormula(
  say: (line: string) => void,
  limits: InstanceLimits,
  input: MaxPodsSettings,
  options: MaxPodsOptions,
  card0: number,
  otherCards: number,
  onOtherCards: number,
): void {
  const before = options.maxEni ?? limits.enis;
  const serving = Math.max(before - (options.customNetworking ? 1 : 0), 0);
  if (options.customNetworking) {
    say(`custom networking: the primary ENI carries no pods, ${before} − 1 = ${serving} ENIs`);
  }
  const slots = serving * (limits.ipv4PerEni - 1);
  const perSlot = slots > 0 && card0 - 2 === slots * 16 ? 16 : 1;
  const times = perSlot === 16 ? " × 16 (a /28 in each slot)" : "";
  say(`${serving} × (${limits.ipv4PerEni} − 1)${times} = ${card0 - 2} addresses for pods`);
  say(`+ 2 for aws-node and kube-proxy, which use the node's own address = ${card0}`);
  if (otherCards > 0) say(`+ ${onOtherCards} on ${otherCards} more network cards = ${card0 + onOtherCards}`);
  if (input.ipv6) {
    say(
      "IPv6: the node's one /80 has 2^48 addresses; EKS keeps to the number that IPv4 prefixes would give all the same",
    );
  }
}

function sayCap(
  say: (line: string) => void,
  maxAllowed: number,
  vcpus: number | undefined,
  cap: 110 | 250 | undefined,
  uncapped: boolean,
): number | undefined {
  if (uncapped) {
    say(`no cap was asked for: ${maxAllowed}`);
    return maxAllowed;
  }
  if (cap === undefined) {
    // Below the lower cap it does not matter which one holds.
    if (maxAllowed > 110) return undefined;
    say(`${maxAllowed} is below both caps (110 and 250)`);
    return maxAllowed;
  }
  const capped = Math.min(maxAllowed, cap);
  say(
    `${vcpus} vCPUs ${cap === 250 ? "> 30: at most 250" : "≤ 30: at most 110"}, min(${maxAllowed}, ${cap}) = ${capped}`,
  );
  return capped;
}
