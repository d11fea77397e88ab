import { givenSubnets, type Observed } from "./observed.ts";
import { type PlanMode, type WarmSettings, warmVariables } from "./warm-settings.ts";

const isOn = (text: string | undefined): boolean => /^(1|t|true)$/i.test(text ?? "");

/** The mode that a cluster runs in, by the environment of its aws-node and the tags of its subnets. */
export function observedMode(observed: Observed): PlanMode | undefined {
  const env = observed.awsNodeEnv;
  if (env === undefined) return undefined;
  if (isOn(env.ENABLE_IPv6)) return "ipv6";
  const prefixes = isOn(env.ENABLE_PREFIX_DELEGATION);
  if (isOn(env.AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG)) return prefixes ? "custom-prefix" : "custom";
  const discovers = env.ENABLE_SUBNET_DISCOVERY === undefined || isOn(env.ENABLE_SUBNET_DISCOVERY);
  const kinds = givenSubnets(observed);
  const hasPodSubnets = discovers && kinds.some(({ kind }) => kind === "pods");
  if (!hasPodSubnets) return prefixes ? "prefix" : "secondary-ip";
  if (!prefixes) return "discovery";
  // With prefixes the primary ENI takes nearly all pods, unless its subnet is excluded.
  const nodes = observed.subnets.filter((_, index) => kinds[index]?.kind === "private");
  const areExcluded = nodes.every(({ tags }) => tags["kubernetes.io/role/cni"] === "0");
  return areExcluded ? "discovery-prefix" : "prefix";
}

/** The warm settings of a cluster's aws-node; variables that are no numbers are left out, as ipamd does. */
export function observedWarm({ awsNodeEnv = {} }: Observed): WarmSettings {
  return Object.fromEntries(
    warmVariables.flatMap(([key, variable]) => {
      const value = awsNodeEnv[variable] ?? "";
      // MAX_ENI below 1 is none.
      return /^\d+$/.test(value) && (key !== "maxEni" || Number(value) > 0) ? [[key, Number(value)]] : [];
    }),
  );
}
