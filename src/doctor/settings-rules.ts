import { instanceLimits, supportsPrefixDelegation } from "../limits/instance-types.ts";
import { podAddresses, recommendedCap } from "../limits/max-pods.ts";
import { chosenEniConfig, customNetworking, isSubnet } from "./pod-homes.ts";
import { isOn, type Rule, rule, type Sight, sources, targetOf } from "./rule.ts";

const aboutAwsNode = "aws-node";
/** Pods on the host network (aws-node, kube-proxy) need no address of the pool. */
const hostPods = 2;

const named = (env: Readonly<Record<string, string>>, ...names: readonly string[]): string =>
  names
    .filter((name) => env[name] !== undefined)
    .map((name) => `${name}=${env[name]}`)
    .join(", ");

export const settingsRules: readonly Rule[] = [
  rule(
    ["env"],
    {
      id: "warm-targets-stall",
      severity: "error",
      title: "Something tells ipamd to hold addresses",
      why: "With every target at 0 nothing is held in reserve: in prefix mode the official aws-node refuses to start, and else each pod waits for EC2.",
      fix: "Set WARM_PREFIX_TARGET=1 in prefix mode, else WARM_IP_TARGET and MINIMUM_IP_TARGET, or WARM_ENI_TARGET=1.",
      source: sources.targets,
    },
    ({ env }) => {
      if (targetOf(env, "WARM_IP_TARGET") ?? targetOf(env, "MINIMUM_IP_TARGET")) return [];
      const prefixes = isOn(env, "ENABLE_PREFIX_DELEGATION");
      const variable = prefixes ? "WARM_PREFIX_TARGET" : "WARM_ENI_TARGET";
      if (Number(env[variable] ?? 1) > 0) return [];
      return [
        {
          about: aboutAwsNode,
          seen: `${variable}=${env[variable]}, and neither WARM_IP_TARGET nor MINIMUM_IP_TARGET is set`,
          ...(prefixes ? {} : { severity: "warning" as const }),
        },
      ];
    },
  ),
  rule(
    ["env"],
    {
      id: "warm-targets-contradict",
      severity: "warning",
      title: "Warm targets do not override each other",
      why: "WARM_IP_TARGET and MINIMUM_IP_TARGET switch WARM_ENI_TARGET and WARM_PREFIX_TARGET off; whoever set the latter does not get what they asked for.",
      fix: "Keep one family: remove WARM_IP_TARGET and MINIMUM_IP_TARGET, or set WARM_ENI_TARGET=0 (prefix mode: leave WARM_PREFIX_TARGET at 1).",
      source: sources.targets,
    },
    ({ env }) => {
      if ((targetOf(env, "WARM_IP_TARGET") ?? targetOf(env, "MINIMUM_IP_TARGET")) === undefined) return [];
      // 1 is in the manifest, so that nobody need have asked for it.
      const idle = ["WARM_ENI_TARGET", "WARM_PREFIX_TARGET"].filter((name) => (targetOf(env, name) ?? 0) > 1);
      if (idle.length === 0) return [];
      const seen = `${named(env, ...idle, "WARM_IP_TARGET", "MINIMUM_IP_TARGET")}: ${idle.join(" and ")} without effect`;
      return [{ about: aboutAwsNode, seen }];
    },
  ),
  rule(
    ["env"],
    {
      id: "minimum-without-warm",
      severity: "error",
      title: "MINIMUM_IP_TARGET comes with WARM_IP_TARGET",
      why: "The official aws-node is short of max(WARM_IP_TARGET − free, MINIMUM_IP_TARGET − held) addresses. With WARM_IP_TARGET at 0 that is never above 0 once the minimum is held: the pool stops there, and further pods stay in ContainerCreating. (eniverse's own ipamd calls EC2 for each of them.)",
      fix: "Set WARM_IP_TARGET too, 2 to 5 for most nodes.",
      source: "amazon-vpc-cni-k8s issue 3685; docs/eni-and-ip-target.md",
    },
    ({ env }) => {
      const minimum = targetOf(env, "MINIMUM_IP_TARGET");
      if (minimum === undefined || targetOf(env, "WARM_IP_TARGET") !== undefined) return [];
      const blocks = Math.ceil(minimum / 16);
      const stop = isOn(env, "ENABLE_PREFIX_DELEGATION")
        ? `${blocks * 16} addresses (${blocks} × /28)`
        : `${minimum} addresses`;
      return [
        {
          about: aboutAwsNode,
          seen: `MINIMUM_IP_TARGET=${minimum}, ${env.WARM_IP_TARGET === undefined ? "WARM_IP_TARGET not set" : `WARM_IP_TARGET=${env.WARM_IP_TARGET}`}: a node's pool stops at ${stop}`,
        },
      ];
    },
  ),
  rule(
    ["env", "nodes"],
    {
      id: "warm-ip-calls",
      severity: "warning",
      title: "A small WARM_IP_TARGET on many nodes has a MINIMUM_IP_TARGET beside it",
      why: "ipamd then calls EC2 for nearly every pod that comes or goes; on many nodes the account's request bucket empties, also for others.",
      fix: "Set MINIMUM_IP_TARGET to the number of pods that a node usually runs.",
      source: sources.targets,
    },
    ({ env, nodes }) => {
      const count = nodes.reduce((sum, node) => sum + (node.count ?? 1), 0);
      const target = targetOf(env, "WARM_IP_TARGET");
      if (target === undefined || target > 5 || count <= 20 || targetOf(env, "MINIMUM_IP_TARGET")) return [];
      return [
        {
          about: aboutAwsNode,
          seen: `WARM_IP_TARGET=${target} on ${count} nodes, MINIMUM_IP_TARGET not set`,
        },
      ];
    },
  ),
  rule(
    ["env", "nodes"],
    {
      id: "max-pods-mode",
      severity: "warning",
      title: "max-pods goes with the address mode",
      why: "Above what the ENIs give, pods are bound to a node that has no address for them; in prefix mode below it, the addresses that prefixes give stay unused.",
      fix: "Set --max-pods to what `eniverse max-pods` answers for the type and the mode, and replace the nodes.",
      source: sources.prefixes,
    },
    ({ env, nodes }) => {
      if (isOn(env, "ENABLE_IPv6")) return [];
      return nodes.flatMap(({ name, instanceType, maxPods }): Sight[] => {
        const limits = instanceLimits(instanceType);
        if (limits === undefined || maxPods === undefined) return [];
        const prefixDelegation = isOn(env, "ENABLE_PREFIX_DELEGATION") && supportsPrefixDelegation(limits);
        const maxEni = targetOf(env, "MAX_ENI");
        const most =
          podAddresses(limits, {
            prefixDelegation,
            customNetworking: isOn(env, customNetworking),
            ...(maxEni === undefined ? {} : { maxEni }),
          }) + hostPods;
        const about = `node ${name}`;
        if (maxPods > most) {
          return [
            {
              about,
              severity: "error",
              seen: `max-pods ${maxPods}, but ${instanceType} gives addresses to ${most} pods with these settings`,
            },
          ];
        }
        const wanted = Math.min(most, recommendedCap(limits.vcpus ?? 0));
        if (!prefixDelegation || maxPods >= wanted) return [];
        return [{ about, seen: `max-pods ${maxPods} in prefix mode, where ${instanceType} takes ${wanted}` }];
      });
    },
  ),
  rule(
    ["env", "nodes"],
    {
      id: "prefix-needs-nitro",
      severity: "warning",
      title: "Prefix mode and IPv6 are on for types that can hold prefixes",
      why: "Xen types take no prefixes: ipamd falls back to single addresses there, so that the cluster has nodes of two modes, and in an IPv6 cluster it does not start.",
      fix: "Use Nitro types, or leave ENABLE_PREFIX_DELEGATION off.",
      source: sources.prefixes,
    },
    ({ env, nodes }) => {
      if (!isOn(env, "ENABLE_PREFIX_DELEGATION")) return [];
      const types = [...new Set(nodes.map(({ instanceType }) => instanceType))];
      return types.flatMap((type) => {
        const limits = instanceLimits(type);
        if (limits === undefined || supportsPrefixDelegation(limits)) return [];
        return [
          {
            about: `instance type ${type}`,
            seen: `hypervisor ${limits.hypervisor}: no prefixes`,
            ...(isOn(env, "ENABLE_IPv6") ? { severity: "error" as const } : {}),
          },
        ];
      });
    },
  ),
  rule(
    ["env"],
    {
      id: "ipv6-settings",
      severity: "error",
      title: "An IPv6 cluster has prefixes, and nothing that is for IPv4 alone",
      why: "aws-node refuses to start with ENABLE_IPv6=true when ENABLE_IPv4 is true too, when ENABLE_PREFIX_DELEGATION is not, or with custom networking.",
      fix: "Set ENABLE_IPv4=false and ENABLE_PREFIX_DELEGATION=true, and take AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG away.",
      source: sources.ipv6,
    },
    ({ env }) => {
      if (!isOn(env, "ENABLE_IPv6")) return [];
      const seen = [
        // Not set means on.
        ...(env.ENABLE_IPv4 === undefined || isOn(env, "ENABLE_IPv4") ? ["ENABLE_IPv4 is not false"] : []),
        ...(isOn(env, "ENABLE_PREFIX_DELEGATION") ? [] : ["ENABLE_PREFIX_DELEGATION is not true"]),
        ...(isOn(env, customNetworking) ? [`${customNetworking} is true`] : []),
      ];
      return seen.map((each) => ({ about: aboutAwsNode, seen: each }));
    },
  ),
  rule(
    ["enis"],
    {
      id: "mixed-modes",
      severity: "warning",
      title: "All nodes use the same address mode",
      why: "Single addresses scatter over the subnet and break up the blocks that prefixes need; and what a node can hold differs from node to node.",
      fix: "Make new node groups for the new mode, drain the old ones and delete them; no rolling replacement in place.",
      source: sources.prefixes,
    },
    ({ enis }) => {
      const ofNodes = enis.filter(({ instanceId }) => instanceId !== undefined);
      const withPrefixes = new Set(ofNodes.flatMap((eni) => (eni.prefixes > 0 ? [eni.instanceId] : [])));
      const withSingles = new Set(ofNodes.flatMap((eni) => (eni.addresses > 1 ? [eni.instanceId] : [])));
      if (withPrefixes.size === 0 || withSingles.size === 0) return [];
      return [
        {
          about: "the nodes",
          seen: `${withPrefixes.size} hold prefixes, ${withSingles.size} hold single secondary addresses`,
        },
      ];
    },
  ),
  rule(
    ["env"],
    {
      id: "cooldown-short",
      severity: "warning",
      title: "A released address rests for ten seconds at least",
      why: "Until every kube-proxy has dropped the old pod from its rules, its traffic goes to whoever has the address next.",
      fix: "Leave IP_COOLDOWN_PERIOD at 30.",
      source: sources.readme,
    },
    ({ env }) => {
      const seconds = Number(env.IP_COOLDOWN_PERIOD ?? 30);
      return seconds < 10
        ? [{ about: aboutAwsNode, seen: `IP_COOLDOWN_PERIOD=${env.IP_COOLDOWN_PERIOD}` }]
        : [];
    },
  ),
  rule(
    ["env", "nodes", "eniConfigs"],
    {
      id: "eniconfig-missing",
      severity: "error",
      title: "With custom networking every node finds its ENIConfig",
      why: "Without it ipamd attaches no ENI, and the node never becomes Ready.",
      fix: "Create one ENIConfig a zone, named after it, and set ENI_CONFIG_LABEL_DEF=topology.kubernetes.io/zone; or give every node the label or annotation that ENI_CONFIG_LABEL_DEF and ENI_CONFIG_ANNOTATION_DEF name.",
      source: sources.custom,
    },
    ({ env, nodes, eniConfigs }) => {
      if (!isOn(env, customNetworking)) return [];
      const there = eniConfigs.map(({ name }) => name).join(", ") || "none";
      return nodes.flatMap((node) => {
        const wanted = chosenEniConfig(node, env);
        if (eniConfigs.some(({ name }) => name === wanted)) return [];
        return [{ about: `node ${node.name}`, seen: `wants the ENIConfig ${wanted}; there are ${there}` }];
      });
    },
  ),
  rule(
    ["env", "eniConfigs", "subnets"],
    {
      id: "eniconfig-subnet",
      severity: "error",
      title: "Each ENIConfig names a subnet that is there, in its own zone",
      why: "An ENI can be attached only in the zone of its instance; with a subnet of another zone, or none, pods of the zone get no address.",
      fix: "Correct spec.subnet of the ENIConfig.",
      source: sources.custom,
    },
    ({ env, eniConfigs, subnets, nodes = [] }) => {
      if (!isOn(env, customNetworking)) return [];
      const zones = new Set(subnets.map(({ zone }) => zone));
      return eniConfigs.flatMap(({ name, subnetId }) => {
        const subnet = subnets.find((each) => isSubnet(each, subnetId));
        const about = `ENIConfig ${name}`;
        if (subnet === undefined) return [{ about, seen: `its subnet ${subnetId} is not among the VPC's` }];
        const where = `its subnet ${subnet.name} is in ${subnet.zone}`;
        if (zones.has(name) && subnet.zone !== name) return [{ about, seen: where }];
        // Whatever it is called: the nodes that choose it tell the zone that it must be in.
        const strangers = nodes.filter(
          (node) => node.zone !== subnet.zone && chosenEniConfig(node, env) === name,
        );
        const [first] = strangers;
        if (first === undefined || zones.has(name)) return [];
        return [{ about, seen: `${where}; node ${first.name} in ${first.zone} chooses it` }];
      });
    },
  ),
];
