import { Ec2Fault } from "./fault.ts";
import type { CloudState, Context } from "./state.ts";
import { newTags, type Tags } from "./tags.ts";

export interface EksAddon {
  readonly clusterName: string;
  readonly name: string;
  readonly version: string;
  readonly arn: string;
  readonly createdAt: number;
  status: "CREATING" | "ACTIVE" | "UPDATING" | "DELETING" | "DEGRADED";
  /** JSON or YAML text, as the user gave it. */
  configurationValues: string | undefined;
  readonly tags: Tags;
}

export interface EksAddonRequest {
  readonly name: string;
  readonly version: string;
  readonly configurationValues?: string;
}

/** Records an add-on that is part of the cluster from its start. */
export function createEksAddon(ctx: Context, clusterName: string, request: EksAddonRequest): EksAddon {
  const { account, random } = ctx;
  const { name, version } = request;
  const uuid = [8, 4, 4, 4, 12].map((digits) => random.hex(digits)).join("-");
  const addon: EksAddon = {
    clusterName,
    name,
    version,
    arn: `arn:aws:eks:${account.region}:${account.accountId}:addon/${clusterName}/${name}/${uuid}`,
    createdAt: ctx.now,
    status: "ACTIVE",
    configurationValues: request.configurationValues,
    tags: newTags(),
  };
  ctx.state.put("addon", `${clusterName}/${name}`, addon);
  return addon;
}

export function findAddon(state: CloudState, clusterName: string, name: string): EksAddon {
  const addon = state.addons.get(`${clusterName}/${name}`);
  if (addon === undefined) {
    throw new Ec2Fault(
      "ResourceNotFoundException",
      `No addon: ${name} found in cluster: ${clusterName}`,
      404,
    );
  }
  return addon;
}
