import { isOn, type NodeInput, type SubnetInput } from "./rule.ts";

/** Wins over everything else that names an ENIConfig. */
const externalLabel = "vpc.amazonaws.com/externalEniConfig";
/** What the two variables are when they are not set, or empty. */
const usualKey = "k8s.amazonaws.com/eniConfig";
export const roleTag = "kubernetes.io/role/cni";
export const customNetworking = "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG";

type Env = Readonly<Record<string, string>>;

/** The name of the ENIConfig that a node's labels and annotations choose, in the order in which ipamd looks. */
export function chosenEniConfig({ labels = {}, annotations = {}, zone }: NodeInput, env: Env): string {
  const labelKey = env.ENI_CONFIG_LABEL_DEF || usualKey;
  const annotationKey = env.ENI_CONFIG_ANNOTATION_DEF || usualKey;
  // A plan's nodes have no labels yet; the zone's is the one that every node will have.
  const byZone = labelKey === "topology.kubernetes.io/zone" ? zone : undefined;
  return labels[externalLabel] || annotations[annotationKey] || labels[labelKey] || byZone || "default";
}

/** True when ENIs of pods are looked for in a subnet by its tag. */
export function isTaggedForPods({ tags }: SubnetInput): boolean {
  return !["", "0"].includes(tags[roleTag] ?? "");
}

export const isSubnet = (subnet: SubnetInput, nameOrId: string): boolean =>
  subnet.id === nameOrId || subnet.name === nameOrId;

interface Known {
  readonly subnets: readonly SubnetInput[];
  readonly nodes?: readonly NodeInput[] | undefined;
  readonly env?: Env | undefined;
  readonly eniConfigs?: readonly { readonly name: string; readonly subnetId: string }[] | undefined;
}

/** How many nodes of which kind take the addresses of their pods from a subnet; fractions where they may choose. */
export function nodesWithPodsIn(
  subnet: SubnetInput,
  { subnets, nodes = [], env = {}, eniConfigs = [] }: Known,
): readonly { readonly node: NodeInput; readonly count: number }[] {
  return nodes.flatMap((node) => {
    const homes = (node.subnets ?? []).flatMap((name) => subnets.find((each) => isSubnet(each, name)) ?? []);
    const share = (node.count ?? 1) / Math.max(1, homes.length);
    const count = homes.reduce((sum, home) => {
      const podHomes = podHomesOf({ ...node, zone: home.zone }, home);
      return sum + (podHomes.includes(subnet) ? share / podHomes.length : 0);
    }, 0);
    return count > 0 ? [{ node, count }] : [];
  });

  function podHomesOf(node: NodeInput, home: SubnetInput): readonly SubnetInput[] {
    if (isOn(env, customNetworking)) {
      const config = eniConfigs.find(({ name }) => name === chosenEniConfig(node, env));
      return subnets.filter((each) => config !== undefined && isSubnet(each, config.subnetId));
    }
    const tagged = subnets.filter((each) => each.zone === home.zone && isTaggedForPods(each));
    return tagged.length > 0 ? tagged : [home];
  }
}
