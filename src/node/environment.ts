import {
  absentOr,
  type Complaint,
  cidrList,
  connmark,
  flag,
  integerFrom,
  type Parsed,
  policyMode,
  randomFlag,
  stringMap,
  text,
} from "./environment-values.ts";

/**
 * The programs of a node: `init/` prepares it, `entrypoint/` installs the plugins and starts `ipamd/`, `plugin/`
 * is aws-cni (a relay that carries each call to ipamd, and what ipamd does with it), `egress/` is egress-cni,
 * `health-probe/` asks ipamd's health, `rpc/` has the gRPC messages between them.
 *
 * This file has every variable of the aws-node DaemonSet, once: names, defaults and meanings are the official CNI's. Programs
 * call {@link readEnvironment}; the reference table of the docs and the DaemonSet object are made from the same
 * definition.
 */

/** Who reads a variable; "conflist" means that the entrypoint writes it into the plugins' configuration. */
export type Reader = "init" | "entrypoint" | "ipamd" | "conflist";

export interface Variable<T> {
  readonly name: string;
  /** What holds when the variable is not set, as text; undefined where absence has a meaning of its own. */
  readonly codeDefault: string | undefined;
  /** The value in the DaemonSet's manifest; undefined when it does not name the variable. */
  readonly manifest?: string;
  readonly readers: readonly Reader[];
  /** The values that are taken, for people. */
  readonly values: string;
  readonly meaning: string;
  /** Why setting it has no effect here; absent when it is honoured. */
  readonly refused?: string;
  readonly parse: (text: string | undefined) => Parsed<T>;
}

const ID: readonly Reader[] = ["init", "ipamd"];
const D: readonly Reader[] = ["ipamd"];
const E: readonly Reader[] = ["entrypoint"];
const ED: readonly Reader[] = ["entrypoint", "ipamd"];
const EP: readonly Reader[] = ["entrypoint", "conflist"];
const EDP: readonly Reader[] = ["entrypoint", "ipamd", "conflist"];
const IEDP: readonly Reader[] = ["init", "entrypoint", "ipamd", "conflist"];

const logFolder = "/var/log/aws-routed-eni";

/** One property per variable, in the order of their names. */
// biome-ignore format: a table reads best with a row per variable
export const variables = {
  additionalEniTags: v("ADDITIONAL_ENI_TAGS", "", "{}", D, "JSON map of strings", "further tags of new ENIs", stringMap),
  annotatePodIp: v("ANNOTATE_POD_IP", "false", "false", D, "boolean", "annotate pods with their address; waits for the API server", flag(false)),
  ec2Endpoint: v("AWS_EC2_ENDPOINT", undefined, undefined, D, "URL", "EC2 endpoint instead of the region's own", absentOr),
  externalServiceCidrs: v("AWS_EXTERNAL_SERVICE_CIDRS", "", undefined, D, "IPv4 CIDR blocks, commas between", "destinations that are always routed by the main table (rule 1535)", cidrList),
  manageEnisNonSchedulable: v("AWS_MANAGE_ENIS_NON_SCHEDULABLE", "false", undefined, D, "boolean", "grow and shrink the pool of a cordoned node too", flag(false)),
  nodePortSupport: v("AWS_VPC_CNI_NODE_PORT_SUPPORT", "true", "true", D, "boolean", "connection marks and the fwmark rule that NodePort services need", flag(true)),
  eniMtu: v("AWS_VPC_ENI_MTU", "9001", "9001", EDP, "576 … 9001 (IPv6: 1280 … 9001)", "MTU of ENIs", integerFrom(9001, 1)),
  backingStore: v("AWS_VPC_K8S_CNI_BACKING_STORE", "/var/run/aws-node/ipam.json", undefined, D, "path", "the checkpoint file", text("/var/run/aws-node/ipam.json")),
  configureRpfilter: v("AWS_VPC_K8S_CNI_CONFIGURE_RPFILTER", undefined, undefined, [], "any", "nothing", absentOr, "the official CNI no longer reads it; rp_filter of the primary interface is always 2"),
  connmark: v("AWS_VPC_K8S_CNI_CONNMARK", "0x80", undefined, D, "Go integer, 1 … 2^32−1", "the connection mark", connmark(0x80)),
  customNetworkCfg: v("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "false", "false", D, "boolean", "ENIs by ENIConfig; waits for the API server", flag(false)),
  excludeSnatCidrs: v("AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS", "", undefined, D, "IPv4 CIDR blocks, commas between", "destinations that see the pod's own address", cidrList),
  externalSnat: v("AWS_VPC_K8S_CNI_EXTERNALSNAT", "false", "false", D, "boolean", "no source translation on the node", flag(false)),
  logLevel: v("AWS_VPC_K8S_CNI_LOGLEVEL", "Debug", "DEBUG", D, "debug, info, warn, error, fatal", "log level of ipamd", text("Debug")),
  logFile: v("AWS_VPC_K8S_CNI_LOG_FILE", `/host${logFolder}/ipamd.log`, `/host${logFolder}/ipamd.log`, D, "path, stdout or stderr", "log of ipamd", text(`/host${logFolder}/ipamd.log`)),
  randomizeSnat: v("AWS_VPC_K8S_CNI_RANDOMIZESNAT", "prng", "prng", EDP, "prng, hashrandom, none", "how source ports are chosen", randomFlag),
  vethPrefix: v("AWS_VPC_K8S_CNI_VETHPREFIX", "eni", "eni", EDP, "at most 4 characters; not eth, lo, vlan", "prefix of host-side veth names", text("eni")),
  egressV4LogFile: v("AWS_VPC_K8S_EGRESS_V4_PLUGIN_LOG_FILE", `${logFolder}/egress-v4-plugin.log`, undefined, EP, "path", "log of egress-cni in IPv6 clusters", text(`${logFolder}/egress-v4-plugin.log`)),
  egressV6LogFile: v("AWS_VPC_K8S_EGRESS_V6_PLUGIN_LOG_FILE", `${logFolder}/egress-v6-plugin.log`, undefined, EP, "path", "log of egress-cni in IPv4 clusters", text(`${logFolder}/egress-v6-plugin.log`)),
  pluginLogFile: v("AWS_VPC_K8S_PLUGIN_LOG_FILE", `${logFolder}/plugin.log`, `${logFolder}/plugin.log`, EP, "path or stderr", "log of aws-cni", text(`${logFolder}/plugin.log`)),
  pluginLogLevel: v("AWS_VPC_K8S_PLUGIN_LOG_LEVEL", "Debug", "DEBUG", EP, "debug, info, warn, error, fatal", "log level of the plugins", text("Debug")),
  clusterEndpoint: v("CLUSTER_ENDPOINT", undefined, "", D, "URL", "API server instead of the service account's", absentOr),
  clusterName: v("CLUSTER_NAME", undefined, "", D, "text", "tag of ENIs, filter of leaked ENIs, cluster tag of subnets", absentOr),
  disableIntrospection: v("DISABLE_INTROSPECTION", "false", "false", D, "boolean", "no introspection server", flag(false)),
  disableLeakedEniCleanup: v("DISABLE_LEAKED_ENI_CLEANUP", "false", undefined, D, "boolean", "no hourly search for leaked ENIs", flag(false)),
  disableMetrics: v("DISABLE_METRICS", "false", "false", D, "boolean", "no Prometheus server", flag(false)),
  disableProvisioning: v("DISABLE_NETWORK_RESOURCE_PROVISIONING", "false", "false", D, "boolean", "never assign or release ENIs and addresses", flag(false)),
  disablePodV6: v("DISABLE_POD_V6", "false", undefined, EP, "boolean", "chain the tuning plugin, which turns IPv6 off in pods", flag(false)),
  disableTcpEarlyDemux: v("DISABLE_TCP_EARLY_DEMUX", "false", "false", ["init"], "boolean", "tcp_early_demux 0 instead of 1", flag(false)),
  enableBandwidthPlugin: v("ENABLE_BANDWIDTH_PLUGIN", "false", "false", EP, "boolean", "chain the bandwidth plugin", flag(false)),
  enableImdsOnlyMode: v("ENABLE_IMDS_ONLY_MODE", "false", "false", D, "boolean", "find ENIs by IMDS alone", flag(false)),
  enableIpv4: v("ENABLE_IPv4", "false", "true", D, "boolean", "pods have IPv4 addresses", flag(false)),
  enableIpv6: v("ENABLE_IPv6", "false", "false", IEDP, "boolean", "pods have IPv6 addresses", flag(false)),
  enableMultiNic: v("ENABLE_MULTI_NIC", "false", "false", D, "boolean", "manage network cards above 0", flag(false)),
  enableNftables: v("ENABLE_NFTABLES", undefined, undefined, [], "any", "nothing", absentOr, "the official CNI no longer reads it; the backend is what `iptables --version` names"),
  enablePodEni: v("ENABLE_POD_ENI", "false", "false", ED, "boolean", "security groups for pods; waits for the API server", flag(false)),
  enablePrefixDelegation: v("ENABLE_PREFIX_DELEGATION", "false", "false", ED, "boolean", "/28 (IPv6: /80) prefixes instead of single addresses", flag(false)),
  enableSubnetDiscovery: v("ENABLE_SUBNET_DISCOVERY", "true", "true", D, "boolean", "choose subnets of new ENIs by tags", flag(true)),
  enableV4Egress: v("ENABLE_V4_EGRESS", "true", undefined, EP, "boolean", "IPv4 egress for pods of IPv6 clusters", flag(true)),
  enableV6Egress: v("ENABLE_V6_EGRESS", "false", undefined, IEDP, "boolean", "IPv6 egress for pods of IPv4 clusters", flag(false)),
  leakedEniSearchSeconds: v("ENIVERSE_LEAKED_ENI_SEARCH_SECONDS", undefined, undefined, D, "1 or more", "time before each search for leaked ENIs; the official CNI has no such variable: up to 5 minutes at the start, then an hour", integerFrom(undefined, 1)),
  eniConfigAnnotation: v("ENI_CONFIG_ANNOTATION_DEF", "k8s.amazonaws.com/eniConfig", undefined, D, "annotation key", "where a node names its ENIConfig", text("k8s.amazonaws.com/eniConfig")),
  eniConfigLabel: v("ENI_CONFIG_LABEL_DEF", "k8s.amazonaws.com/eniConfig", undefined, D, "label key", "where a node names its ENIConfig, after the annotation", text("k8s.amazonaws.com/eniConfig")),
  hostCniBinPath: v("HOST_CNI_BIN_PATH", "/host/opt/cni/bin", undefined, ["init", "entrypoint"], "folder", "where plugins are installed", text("/host/opt/cni/bin")),
  hostCniConfdirPath: v("HOST_CNI_CONFDIR_PATH", "/host/etc/cni/net.d", undefined, E, "folder", "where 10-aws.conflist is written", text("/host/etc/cni/net.d")),
  httpTimeoutSeconds: v("HTTP_TIMEOUT", "10", undefined, ID, "seconds, 10 or more", "time-out of AWS calls", integerFrom(10, 10)),
  introspectionBindAddress: v("INTROSPECTION_BIND_ADDRESS", "127.0.0.1:61679", undefined, D, "host:port or unix:path", "where introspection listens", text("127.0.0.1:61679")),
  ipCooldownSeconds: v("IP_COOLDOWN_PERIOD", "30", undefined, ED, "seconds, 0 or more", "time before a freed address is used again", integerFrom(30, 0)),
  manageUntaggedEni: v("MANAGE_UNTAGGED_ENI", "true", undefined, D, "boolean", "manage ENIs that do not bear our tags", flag(true)),
  maxEni: v("MAX_ENI", undefined, undefined, D, "1 or more", "most ENIs of the node", integerFrom(undefined, 1)),
  minimumIpTarget: v("MINIMUM_IP_TARGET", "0", undefined, ED, "0 or more", "addresses that the node holds at least", integerFrom(0, 0)),
  nodeName: v("MY_NODE_NAME", undefined, undefined, D, "text (downward API)", "name of the Node", absentOr),
  podName: v("MY_POD_NAME", undefined, undefined, D, "text (downward API)", "name of the aws-node pod, for events", absentOr),
  networkPolicyMode: v("NETWORK_POLICY_ENFORCING_MODE", undefined, "standard", D, "none, strict, standard", "sent to the policy agent for each pod; unset: no agent is called", policyMode),
  podMtu: v("POD_MTU", undefined, undefined, EP, "as AWS_VPC_ENI_MTU", "MTU of pods; AWS_VPC_ENI_MTU when unset", integerFrom(undefined, 1)),
  podSecurityGroupMode: v("POD_SECURITY_GROUP_ENFORCING_MODE", "strict", undefined, EDP, "strict, standard", "how branch ENIs are wired", text("strict")),
  vpcCniVersion: v("VPC_CNI_VERSION", "", "", D, "text", "last part of the user agent", text("")),
  warmEniTarget: v("WARM_ENI_TARGET", "1", "1", D, "0 or more", "spare ENIs", integerFrom(1, 0)),
  warmIpTarget: v("WARM_IP_TARGET", "0", undefined, ED, "0 or more", "spare addresses; overrides WARM_ENI_TARGET and WARM_PREFIX_TARGET", integerFrom(0, 0)),
  warmPrefixTarget: v("WARM_PREFIX_TARGET", "0", "1", ED, "0 or more", "spare prefixes", integerFrom(0, 0)),
} as const satisfies Readonly<Record<string, Variable<unknown>>>;

type Variables = typeof variables;

/** The settings of a node program. Units are in the names; MTUs are in bytes. */
export type NodeEnvironment = {
  readonly [K in keyof Variables]: Variables[K] extends Variable<infer T> ? T : never;
};

/**
 * Reads the settings. A bad value never throws: the default holds in its place and a complaint says so; the
 * reader that a complaint's `fatal` names must not start with it.
 */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): {
  readonly settings: NodeEnvironment;
  readonly complaints: readonly Complaint[];
} {
  const complaints: Complaint[] = [];
  const settings: Record<string, unknown> = {};
  for (const [property, variable] of Object.entries(variables) as [string, Variable<unknown>][]) {
    const found = env[variable.name];
    const { value, problem, fatal } = variable.parse(found);
    settings[property] = value;
    if (problem !== undefined) {
      complaints.push({
        variable: variable.name,
        found: found ?? "",
        wanted: problem,
        used: JSON.stringify(value) ?? "nothing",
        fatal: fatal ?? false,
      });
    }
    if (variable.refused !== undefined && found !== undefined) {
      complaints.push({
        variable: variable.name,
        found,
        wanted: `not to be set: ${variable.refused}`,
        used: "nothing",
        fatal: false,
      });
    }
  }
  return { settings: settings as NodeEnvironment, complaints };
}

/** The environment of the aws-node container as the manifest has it, without the downward API's variables. */
export function manifestEnvironment(reader: "aws-node" | "init"): Record<string, string> {
  const wanted = (variable: Variable<unknown>): boolean =>
    reader === "init"
      ? variable.readers.includes("init")
      : variable.readers.some((name) => name !== "init") || variable.readers.length === 0;
  return Object.fromEntries(
    (Object.values(variables) as Variable<unknown>[])
      .filter((variable) => variable.manifest !== undefined && wanted(variable))
      .map((variable) => [variable.name, variable.manifest ?? ""]),
  );
}

function v<T>(
  name: string,
  codeDefault: string | undefined,
  manifest: string | undefined,
  readers: readonly Reader[],
  values: string,
  meaning: string,
  parse: (text: string | undefined) => Parsed<T>,
  refused?: string,
): Variable<T> {
  return {
    name,
    codeDefault,
    ...(manifest === undefined ? {} : { manifest }),
    readers,
    values,
    meaning,
    ...(refused === undefined ? {} : { refused }),
    parse,
  };
}
