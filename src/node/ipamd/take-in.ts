import { EniverseError } from "../../base/error.ts";
import { isExcludedForPods } from "../../ipam/eni-selection.ts";
import { poolFacts } from "../../ipam/facts.ts";
import type { NodeLedger } from "../../ipam/node.ts";
import { blocksOf } from "../../ipam/reconcile.ts";
import { isSubnetExcluded } from "../../ipam/subnet-choice.ts";
import type { NodeEni } from "./attached-enis.ts";
import { type Context, learn } from "./context.ts";
import { subnetsOfZone } from "./eni-places.ts";
import { eniTags, missingTags } from "./eni-tags.ts";
import type { HostEni } from "./host-port.ts";
import { tagPatience, tryPatiently } from "./tries.ts";

/** Writes the tags that an attached ENI lacks; the trunk's are the controller's business. */
export async function tagEni(ctx: Context, eni: NodeEni): Promise<void> {
  if (!ctx.settings.provisioning || eni.interfaceType === "trunk" || eni.ec2 === undefined) return;
  const missing = missingTags(
    eniTags({
      instanceId: ctx.facts.instanceId,
      clusterName: ctx.env.clusterName,
      additional: ctx.env.additionalEniTags,
    }),
    eni.ec2.tags,
  );
  if (missing.length === 0) return;
  await tryPatiently(ctx.clock, tagPatience, () => ctx.ec2.createTags(eni.id, missing));
}

/** Makes the kernel use an attached ENI; the primary one needs nothing. Throws when its link does not come. */
export async function setUpHostEni(ctx: Context, eni: NodeEni): Promise<void> {
  if (!eni.primary) await ctx.host.setUpEni(hostEni(ctx, eni));
}

function hostEni(ctx: Context, eni: NodeEni): HostEni {
  const ipv6 = ctx.settings.mode === "ipv6";
  const primaryAddress = ipv6 ? eni.primaryIpv6 : eni.primaryAddress;
  const shown = ipv6 ? eni.subnetIpv6Cidr : eni.subnetIpv4Cidr;
  const subnetCidr = shown ?? ctx.known.subnetCidrs.get(eni.subnetId);
  if (primaryAddress === undefined || subnetCidr === undefined) {
    throw new EniverseError("unavailable", {
      attempted: `set up the network of ${eni.id}`,
      found: `no IPv${ipv6 ? 6 : 4} address or subnet block in instance metadata`,
    });
  }
  const { mac, card, deviceNumber } = eni;
  return { mac, card, deviceNumber, trunk: eni.interfaceType === "trunk", primaryAddress, subnetCidr };
}

/** The tags of the zone's subnets, for exclusion; undefined when tags do not count or cannot be read. */
export async function subnetTags(ctx: Context): Promise<Awaited<ReturnType<typeof subnetsOfZone>>> {
  // The official ipamd asks in IMDS-only mode too, where it must not.
  if (!ctx.settings.subnetDiscovery || ctx.settings.imdsOnly) return undefined;
  return subnetsOfZone(ctx);
}

/** Adds an attached ENI with its blocks to its pool; one that is there already is left as it is. */
export function addToPool(
  ctx: Context,
  ledger: NodeLedger,
  eni: NodeEni,
  subnets: Awaited<ReturnType<typeof subnetsOfZone>>,
): void {
  const pool = ledger.pool(eni.card);
  learn(ctx.known, eni, ctx.settings.mode === "ipv6" ? 6 : 4);
  if (pool.eni(eni.id) !== undefined) return;
  const inExcluded =
    subnets !== undefined &&
    ctx.settings.mode !== "ipv6" &&
    isSubnetExcluded(eni.subnetId, subnets, ctx.env.clusterName);
  const routeTable = eni.primary ? undefined : ctx.host.routeTableOf(hostEni(ctx, eni));
  const excluded = isExcludedForPods(eni, ctx.settings, inExcluded);
  pool.addEni(
    poolFacts(eni, { excluded, ...(routeTable === undefined ? {} : { routeTable }) }),
    ctx.clock.now(),
  );
  for (const block of blocksOf(eni)) pool.addCidr(eni.id, block);
}

/** For an ENI that appears while ipamd runs. */
export async function takeIn(ctx: Context, ledger: NodeLedger, eni: NodeEni): Promise<void> {
  await tagEni(ctx, eni);
  const subnets = await subnetTags(ctx);
  await setUpHostEni(ctx, eni);
  addToPool(ctx, ledger, eni, subnets);
}
