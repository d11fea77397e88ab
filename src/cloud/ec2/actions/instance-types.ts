import { allInstanceTypes, type InstanceLimits, instanceLimits } from "../../../limits/instance-types.ts";
import { Ec2Fault } from "../../model/fault.ts";
import { action, type Call, listing } from "../action.ts";
import type { XmlObject } from "../encode-xml.ts";
import { type FilterTable, readFilters } from "../filter.ts";
import { pageOf, refusePagingOfIds } from "../page.ts";

/** "arm64" for Graviton families, which have a "g" after the generation, and for a1. */
export function architectureOf(instanceType: string): "arm64" | "x86_64" {
  const family = instanceType.split(".")[0] ?? "";
  return family === "a1" || /^[a-z]+\d+[a-z]*g[a-z]*(-|$)/.test(family) ? "arm64" : "x86_64";
}

const sizes: Readonly<Record<string, number>> = {
  nano: 2,
  micro: 2,
  small: 2,
  medium: 2,
  large: 2,
  xlarge: 4,
};

/** Types whose smallest sizes have a single vCPU: everything but the burstable x86 and t4g families. */
const singleVcpu = /^(t1|t2|a1|m[13]|m\d+g[a-z]*|c\d+g[a-z]*|r\d+g[a-z]*|x\dg[a-z]*|m1)$/;

/**
 * vCPUs by size: 2 for "large", 4 for "xlarge", 4 times N for "Nxlarge". Bare metal and single-vCPU sizes follow
 * EC2's naming where it tells, and "metal" alone counts as the family's usual 96.
 */
export function vcpusOf(instanceType: string): number {
  const [family = "", size = ""] = instanceType.split(".");
  const times = /^(?:metal-)?(\d+)xl(?:arge)?$/.exec(size)?.[1];
  if (times !== undefined) return 4 * Number(times);
  if (size.startsWith("metal")) return 96;
  if (
    /^(nano|micro|small|medium)$/.test(size) &&
    singleVcpu.test(family) &&
    !(family === "t2" && size === "medium")
  ) {
    return 1;
  }
  return sizes[size] ?? 2;
}

/** GiB of memory per vCPU, by the letter of the family. */
const memoryPerVcpu: Readonly<Record<string, number>> = {
  c: 2,
  m: 4,
  r: 8,
  x: 16,
  i: 8,
  d: 8,
  z: 8,
  g: 4,
  p: 8,
  t: 2,
};

function memoryMiB(instanceType: string): number {
  return Math.round(vcpusOf(instanceType) * (memoryPerVcpu[instanceType[0] ?? ""] ?? 4) * 1024);
}

function typeXml(limits: InstanceLimits): XmlObject {
  const { instanceType, hypervisor, bareMetal, cards } = limits;
  const vcpus = vcpusOf(instanceType);
  const nitro = hypervisor === "nitro" || bareMetal;
  return {
    instanceType,
    currentGeneration: nitro,
    freeTierEligible: instanceType === "t2.micro" || instanceType === "t3.micro",
    supportedUsageClasses: ["on-demand", "spot"],
    supportedRootDeviceTypes: ["ebs"],
    supportedVirtualizationTypes: ["hvm"],
    bareMetal,
    // EC2 names no hypervisor for bare metal.
    hypervisor: hypervisor === "unknown" ? undefined : hypervisor,
    processorInfo: { supportedArchitectures: [architectureOf(instanceType)] },
    vCpuInfo: { defaultVCpus: vcpus },
    memoryInfo: { sizeInMiB: memoryMiB(instanceType) },
    instanceStorageSupported: false,
    networkInfo: {
      networkPerformance: "Up to 10 Gigabit",
      maximumNetworkInterfaces: cards.reduce((sum, count) => sum + count, 0),
      maximumNetworkCards: cards.length,
      defaultNetworkCardIndex: limits.defaultCard,
      networkCards: cards.map((maximumNetworkInterfaces, networkCardIndex) => ({
        networkCardIndex,
        networkPerformance: "Up to 10 Gigabit",
        maximumNetworkInterfaces,
      })),
      ipv4AddressesPerInterface: limits.ipv4PerEni,
      ipv6AddressesPerInterface: limits.ipv4PerEni,
      ipv6Supported: true,
      enaSupport: nitro ? "required" : "supported",
      efaSupported: false,
      encryptionInTransitSupported: nitro,
      enaSrdSupported: false,
    },
    placementGroupInfo: { supportedStrategies: ["cluster", "partition", "spread"] },
    hibernationSupported: false,
    burstablePerformanceSupported: /^t\d/.test(instanceType),
    dedicatedHostsSupported: true,
    autoRecoverySupported: true,
    supportedBootModes: ["legacy-bios", "uefi"],
    nitroEnclavesSupport: "unsupported",
  };
}

const filters: FilterTable<InstanceLimits> = {
  "instance-type": (one) => one.instanceType,
  hypervisor: (one) => (one.hypervisor === "unknown" ? undefined : one.hypervisor),
  "bare-metal": (one) => one.bareMetal,
  "current-generation": (one) => one.hypervisor === "nitro" || one.bareMetal,
  "processor-info.supported-architecture": (one) => architectureOf(one.instanceType),
  "supported-usage-class": () => ["on-demand", "spot"],
  "supported-virtualization-type": () => "hvm",
  "vcpu-info.default-vcpus": (one) => vcpusOf(one.instanceType),
  "network-info.maximum-network-interfaces": (one) => one.cards.reduce((sum, count) => sum + count, 0),
  "network-info.maximum-network-cards": (one) => one.cards.length,
  "network-info.ipv4-addresses-per-interface": (one) => one.ipv4PerEni,
  "network-info.ipv6-supported": () => true,
  "burstable-performance-supported": (one) => /^t\d/.test(one.instanceType),
};

function describeInstanceTypes({ params }: Call): XmlObject {
  const names = params.list("InstanceType");
  refusePagingOfIds(params, "instanceTypes", names);
  const unknown = (names ?? []).filter((name) => instanceLimits(name) === undefined);
  if (unknown.length > 0) {
    throw new Ec2Fault(
      "InvalidInstanceType",
      `The following supplied instance types do not exist: [${unknown.join(", ")}]`,
    );
  }
  const matches = readFilters(params, filters as FilterTable<InstanceLimits & { readonly tags?: never }>);
  const found = (names ?? allInstanceTypes()).flatMap((name) => instanceLimits(name) ?? []).filter(matches);
  // Without MaxResults EC2 pages by itself, a hundred types at a time.
  const page = pageOf(
    params,
    found,
    (one) => one.instanceType,
    { least: 5, most: 100 },
    names === undefined ? 100 : undefined,
  );
  return { instanceTypeSet: page.items.map(typeXml), nextToken: page.nextToken };
}

interface Offering {
  readonly instanceType: string;
  readonly location: string;
  readonly locationType: string;
}

function describeInstanceTypeOfferings({ ctx, params }: Call): XmlObject {
  const { zones, region } = ctx.account;
  const locationType =
    params.word("LocationType", ["region", "availability-zone", "availability-zone-id"]) ?? "region";
  const locations =
    locationType === "region"
      ? [region]
      : zones.map((zone) => (locationType === "availability-zone" ? zone.name : zone.id));
  const matches = readFilters<Offering & { readonly tags?: never }>(params, {
    "instance-type": (one) => one.instanceType,
    location: (one) => one.location,
  });
  const all = locations.flatMap((location) =>
    allInstanceTypes().map((instanceType): Offering => ({ instanceType, location, locationType })),
  );
  const page = pageOf(params, all.filter(matches), (one) => `${one.location} ${one.instanceType}`);
  return {
    instanceTypeOfferingSet: page.items.map((one) => ({ ...one })),
    nextToken: page.nextToken,
  };
}

export const instanceTypeActions = [
  action("DescribeInstanceTypes", ["InstanceType", ...listing], describeInstanceTypes),
  action("DescribeInstanceTypeOfferings", ["LocationType", ...listing], describeInstanceTypeOfferings),
];
