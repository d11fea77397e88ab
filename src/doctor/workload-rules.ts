import { instanceLimits } from "../limits/instance-types.ts";
import { isOn, type Rule, rule, sources } from "./rule.ts";

const isStrict = (env: Readonly<Record<string, string>>): boolean =>
  isOn(env, "ENABLE_POD_ENI") && (env.POD_SECURITY_GROUP_ENFORCING_MODE ?? "strict") !== "standard";

/** Time-outs below this end a busy node's aws-node, in seconds. */
const shortestProbe = 10;

export const workloadRules: readonly Rule[] = [
  rule(
    ["serviceAccount"],
    {
      id: "cni-own-role",
      severity: "warning",
      title: "aws-node has an IAM role of its own",
      why: "Else it uses the node's role, and every pod that reaches the metadata service may move ENIs and addresses as the CNI does.",
      fix: "Bind a role with AmazonEKS_CNI_Policy to the service account aws-node (IRSA or Pod Identity), and take the policy off the node's role.",
      source: sources.vpcCni,
    },
    ({ serviceAccount, podCredentials }) =>
      serviceAccount["eks.amazonaws.com/role-arn"] === undefined && (podCredentials ?? []).length === 0
        ? [
            {
              about: "service account kube-system/aws-node",
              seen: `no annotation eks.amazonaws.com/role-arn, and ${podCredentials === undefined ? "its pods, which may have Pod Identity, were not shown" : "no Pod Identity in its pods"}`,
            },
          ]
        : [],
  ),
  rule(
    ["forwardPolicies"],
    {
      id: "forward-policy",
      severity: "error",
      title: "Nodes forward packets",
      why: "Pods' packets pass the node's FORWARD chain; a policy of DROP, which some own images set, cuts pods off.",
      fix: "iptables -P FORWARD ACCEPT when the node starts (kubelet.service of the EKS images does so).",
      source: sources.vpcCni,
    },
    ({ forwardPolicies }) =>
      Object.entries(forwardPolicies)
        .filter(([, policy]) => policy !== "ACCEPT")
        .map(([node, policy]) => ({ about: `node ${node}`, seen: `the policy of FORWARD is ${policy}` })),
  ),
  rule(
    ["probeTimeouts"],
    {
      id: "probe-timeouts",
      severity: "warning",
      title: "The probes of aws-node may take ten seconds",
      why: "On a busy node the health check is late; the kubelet then ends aws-node, and new pods stay in ContainerCreating.",
      fix: "Set timeoutSeconds of its liveness and readiness probes to 10 or more (30 on data-heavy nodes), and give it more CPU.",
      source: sources.vpcCni,
    },
    ({ probeTimeouts }) => {
      const short = probeTimeouts.filter((seconds) => seconds < shortestProbe);
      return short.length === 0 ? [] : [{ about: "aws-node", seen: `timeoutSeconds ${short.join(" and ")}` }];
    },
  ),
  rule(
    ["env", "daemonSets"],
    {
      id: "pod-groups-node-local-dns",
      severity: "error",
      title: "NodeLocal DNS runs with the standard mode of security groups for pods",
      why: "In strict mode all packets of such a pod leave the node over its branch ENI, so that it never reaches the cache on its own node: no names resolve.",
      fix: "Set POD_SECURITY_GROUP_ENFORCING_MODE=standard on aws-node and start the pods anew.",
      source: sources.podGroups,
    },
    ({ env, daemonSets }) =>
      isStrict(env)
        ? daemonSets
            .filter(
              ({ name, images }) =>
                /node-?local-?dns/.test(name) || images.some((image) => image.includes("k8s-dns-node-cache")),
            )
            .map(({ namespace, name }) => ({
              about: `DaemonSet ${namespace}/${name}`,
              seen: "ENABLE_POD_ENI=true in strict mode",
            }))
        : [],
  ),
  rule(
    ["env", "initEnv"],
    {
      id: "pod-groups-early-demux",
      severity: "error",
      title: "TCP early demux is off in the strict mode of security groups for pods",
      why: "The kubelet's TCP and HTTP probes of such pods fail otherwise, and the pods are ended again and again.",
      fix: "Set DISABLE_TCP_EARLY_DEMUX=true on the init container of aws-node, or use the standard mode.",
      source: sources.podGroups,
    },
    ({ env, initEnv }) =>
      isStrict(env) && !isOn(initEnv, "DISABLE_TCP_EARLY_DEMUX")
        ? [
            {
              about: "aws-vpc-cni-init",
              seen: `DISABLE_TCP_EARLY_DEMUX=${initEnv.DISABLE_TCP_EARLY_DEMUX ?? "not set"}`,
            },
          ]
        : [],
  ),
  rule(
    ["env"],
    {
      id: "pod-groups-snat",
      severity: "warning",
      title: "Security groups for pods go with external translation",
      why: "In strict mode the node does not translate for such pods; without a NAT gateway that does so they reach no internet.",
      fix: "Run them in private subnets with a NAT gateway and set AWS_VPC_K8S_CNI_EXTERNALSNAT=true.",
      source: sources.podGroups,
    },
    ({ env }) =>
      isStrict(env) && !isOn(env, "AWS_VPC_K8S_CNI_EXTERNALSNAT")
        ? [
            {
              about: "aws-node",
              seen: "ENABLE_POD_ENI=true in strict mode, AWS_VPC_K8S_CNI_EXTERNALSNAT is not true",
            },
          ]
        : [],
  ),
  rule(
    ["env", "nodes"],
    {
      id: "pod-groups-trunk",
      severity: "error",
      title: "Security groups for pods run on types that take a trunk ENI",
      why: "A node of another type offers no vpc.amazonaws.com/pod-eni, so that pods with groups of their own never get a node.",
      fix: "Use types with branch ENIs (m5, c5, r5 and later; none of the t family).",
      source: sources.podGroups,
    },
    ({ env, nodes }) => {
      if (!isOn(env, "ENABLE_POD_ENI")) return [];
      const types = [...new Set(nodes.map(({ instanceType }) => instanceType))];
      return types
        .filter((type) => instanceLimits(type)?.trunkCapable === false)
        .map((type) => ({ about: `instance type ${type}`, seen: "takes no trunk ENI" }));
    },
  ),
  rule(
    ["pods"],
    {
      id: "grace-period-zero",
      severity: "warning",
      title: "Pods have a grace period",
      why: "With terminationGracePeriodSeconds 0 a pod is gone from the API before its network is taken down: branch ENIs leak, and the address may be given out while rules still point to it.",
      fix: "Leave terminationGracePeriodSeconds at 30, or set it to 1 at least.",
      source: sources.podGroups,
    },
    ({ pods }) => {
      const zero = pods.filter(({ graceSeconds, hostNetwork }) => graceSeconds === 0 && !hostNetwork);
      const names = zero.slice(0, 3).map(({ namespace, name }) => `${namespace}/${name}`);
      return zero.length === 0
        ? []
        : [
            {
              about: `${zero.length} pods`,
              seen: `terminationGracePeriodSeconds is 0: ${names.join(", ")}${zero.length > 3 ? ", …" : ""}`,
            },
          ];
    },
  ),
  rule(
    ["daemonSets"],
    {
      id: "multus-version",
      severity: "error",
      title: "Multus is the thin plugin, or thick from 4.1.1 on",
      why: "Older thick plugins look a pod up before their cache has it: then no pod at all starts on the node.",
      fix: "Use an image v4.1.1-thick or later, or a -thin one.",
      source: "EKS Best Practices, Networking: Multus; multus-cni issue 1312",
    },
    ({ daemonSets }) =>
      daemonSets.flatMap(({ namespace, name, images }) =>
        images
          .filter(isRacyMultus)
          .map((image) => ({ about: `DaemonSet ${namespace}/${name}`, seen: `image ${image}` })),
      ),
  ),
];

function isRacyMultus(image: string): boolean {
  const [, major, minor, patch] = /multus-cni:v?(\d+)\.(\d+)\.(\d+)-thick/.exec(image) ?? [];
  if (major === undefined) return false;
  const version = [major, minor, patch].map(Number);
  const fixed = [4, 1, 1];
  const at = version.findIndex((part, index) => part !== fixed[index]);
  return at >= 0 && (version[at] ?? 0) < (fixed[at] ?? 0);
}
