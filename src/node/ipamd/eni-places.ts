import type { Subnet } from "../../aws/shapes.ts";
import { EniverseError, hasCode, messageOf } from "../../base/error.ts";
import { primarySubnetOnly, rankSubnets } from "../../ipam/subnet-choice.ts";
import type { Context } from "./context.ts";
import { eniConfigName, readEniConfig } from "./eniconfig.ts";
import { lookPatience, tryPatiently } from "./tries.ts";

/** Where a new ENI may be created, and with which security groups. */
export interface EniPlace {
  readonly subnetId: string;
  /** Block of the mode's family, when it is known. */
  readonly cidr: string | undefined;
  readonly groups: readonly string[];
}

/**
 * The places for a new ENI, best first. Custom networking has one, by the node's ENIConfig; subnet discovery goes
 * by tags and free addresses; otherwise it is the node's own subnet. When the subnets may not be read, the node's
 * own is used (as the official documentation says, but not its code).
 */
export async function eniPlaces(ctx: Context, avoid: readonly string[]): Promise<EniPlace[]> {
  const groups = ctx.known.securityGroups;
  if (ctx.settings.customNetworking) return [await customPlace(ctx)];
  const listed = await subnetsAtOnce(ctx);
  const rules = { primarySubnetId: ctx.facts.subnetId, clusterName: ctx.env.clusterName };
  if (listed === undefined || !ctx.settings.subnetDiscovery) {
    const subnetId = primarySubnetOnly(listed, rules);
    ctx.known.newEniSubnets = [subnetId];
    return [{ subnetId, cidr: ctx.known.subnetCidrs.get(subnetId), groups }];
  }
  const ranked = rankSubnets(listed, rules);
  ctx.known.newEniSubnets = ranked.map(({ subnetId }) => subnetId);
  return ranked
    .filter(({ subnetId }) => !avoid.includes(subnetId))
    .map((subnet) => ({ subnetId: subnet.subnetId, cidr: blockOf(ctx, subnet), groups }));
}

async function customPlace(ctx: Context): Promise<EniPlace> {
  const kube = ctx.kube();
  if (kube === undefined) {
    throw new EniverseError("unavailable", {
      attempted: "read the node's ENIConfig",
      found: "the API server is not reachable",
    });
  }
  const name = eniConfigName(ctx.node(), {
    annotation: ctx.env.eniConfigAnnotation,
    label: ctx.env.eniConfigLabel,
  });
  const config = await readEniConfig(kube, name);
  ctx.known.newEniSubnets = [config.subnetId];
  return {
    subnetId: config.subnetId,
    cidr: ctx.known.subnetCidrs.get(config.subnetId),
    groups: config.securityGroups.length > 0 ? config.securityGroups : ctx.known.securityGroups,
  };
}

const looks = new WeakMap<Context, ReturnType<typeof subnetsOfZone>>();

/** ENIs that are created at the same time look together. */
function subnetsAtOnce(ctx: Context): ReturnType<typeof subnetsOfZone> {
  const under = looks.get(ctx);
  if (under !== undefined) return under;
  const look = subnetsOfZone(ctx).finally(() => looks.delete(ctx));
  looks.set(ctx, look);
  return look;
}

/** The subnets of the node's VPC and zone; undefined when they cannot be read. Their blocks are remembered. */
export async function subnetsOfZone(ctx: Context): Promise<Subnet[] | undefined> {
  try {
    const filters = [
      { name: "vpc-id", values: [ctx.facts.vpcId] },
      { name: "availability-zone", values: [ctx.facts.availabilityZone] },
    ];
    const listed = await tryPatiently(
      ctx.clock,
      lookPatience,
      () => ctx.ec2.describeSubnets(filters),
      (error) => hasCode(error, "permission_denied"),
    );
    for (const subnet of listed) {
      const block = blockOf(ctx, subnet);
      if (block !== undefined) ctx.known.subnetCidrs.set(subnet.subnetId, block);
    }
    return listed;
  } catch (thrown) {
    ctx.log("warn", "subnets not readable, tags are not looked at", { error: messageOf(thrown) });
    return undefined;
  }
}

function blockOf(ctx: Context, subnet: Subnet): string | undefined {
  return ctx.settings.mode === "ipv6" ? subnet.ipv6CidrBlocks[0] : subnet.cidrBlock || undefined;
}
