/**
 * The combinations of variables with which the official entrypoint refuses to start; the texts say what to do
 * instead. An empty list means that all is well.
 */
export function environmentProblems(env: Readonly<Record<string, string | undefined>>): string[] {
  return [
    ...logFileProblems(env),
    ...vethPrefixProblems(env),
    ...podEniProblems(env),
    ...cooldownProblems(env),
    ...mtuProblems(env),
    ...prefixTargetProblems(env),
  ];
}

type Env = Readonly<Record<string, string | undefined>>;

function logFileProblems(env: Env): string[] {
  if (env.AWS_VPC_K8S_PLUGIN_LOG_FILE !== "stdout") return [];
  return [
    "AWS_VPC_K8S_PLUGIN_LOG_FILE cannot be set to stdout: what a CNI plugin prints there is its result. " +
      "Use stderr or a path",
  ];
}

function vethPrefixProblems(env: Env): string[] {
  const prefix = env.AWS_VPC_K8S_CNI_VETHPREFIX ?? "eni";
  if (prefix.length > 4)
    return [
      `AWS_VPC_K8S_CNI_VETHPREFIX cannot be longer than 4 characters, but is ${JSON.stringify(prefix)}`,
    ];
  if (["eth", "lo", "vlan"].includes(prefix))
    return [`AWS_VPC_K8S_CNI_VETHPREFIX cannot be one of the reserved prefixes eth, lo and vlan`];
  return [];
}

function podEniProblems(env: Env): string[] {
  const mode = env.POD_SECURITY_GROUP_ENFORCING_MODE ?? "strict";
  if (!isTrue(env.ENABLE_POD_ENI) || mode === "strict" || mode === "standard") return [];
  return [`POD_SECURITY_GROUP_ENFORCING_MODE must be strict or standard, but is ${JSON.stringify(mode)}`];
}

function cooldownProblems(env: Env): string[] {
  const text = env.IP_COOLDOWN_PERIOD;
  if (text === undefined || (isInteger(text) && Number(text) >= 0)) return [];
  return [`IP_COOLDOWN_PERIOD must be a whole number of 0 or more (seconds), but is ${JSON.stringify(text)}`];
}

const mostMtu = 9001;

function mtuProblems(env: Env): string[] {
  // Every IPv6 link carries packets of 1280 bytes (RFC 8200 §5).
  const least = isTrue(env.ENABLE_IPv6) ? 1280 : 576;
  return ["AWS_VPC_ENI_MTU", "POD_MTU"].flatMap((name) => {
    const text = env[name];
    if (text === undefined || (isInteger(text) && Number(text) >= least && Number(text) <= mostMtu))
      return [];
    return [`${name} must be a whole number of ${least} to ${mostMtu}, but is ${JSON.stringify(text)}`];
  });
}

/**
 * Prefix delegation needs a target. The official entrypoint compares texts with "0", so that an empty one or
 * "-1" counts as none, and "00" or "abc" as one; what it lets start must start here too.
 */
function prefixTargetProblems(env: Env): string[] {
  if (!isTrue(env.ENABLE_PREFIX_DELEGATION)) return [];
  const targets = ["WARM_IP_TARGET", "WARM_PREFIX_TARGET", "MINIMUM_IP_TARGET"];
  if (targets.some((name) => (env[name] ?? "0") > "0")) return [];
  return [
    `Setting WARM_PREFIX_TARGET = 0 is not supported while WARM_IP_TARGET/MINIMUM_IP_TARGET is not set`,
  ];
}

/** As ParseBool of Go; anything else is not true. */
function isTrue(text: string | undefined): boolean {
  return text !== undefined && ["1", "t", "T", "TRUE", "true", "True"].includes(text);
}

/** As Atoi of Go. */
function isInteger(text: string): boolean {
  return /^[+-]?\d+$/.test(text);
}
