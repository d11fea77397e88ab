import { ec2CodeOf } from "../../aws/ec2-errors.ts";
import { readEnis } from "../../aws/instance-metadata.ts";
import type { Eni } from "../../aws/shapes.ts";
import { EniverseError, messageOf } from "../../base/error.ts";
import type { CreateEniAction, Outcome } from "../../ipam/types.ts";
import type { Context } from "./context.ts";
import { type EniPlace, eniPlaces } from "./eni-places.ts";
import { eniDescriptionPrefix, eniTags } from "./eni-tags.ts";
import { deleteEni, freeEni } from "./free-eni.ts";
import { failed, saysNoRoom, tellWhy } from "./growth-failure.ts";
import { waitForLink } from "./link-wait.ts";
import { despiteThrottling } from "./throttle-wait.ts";
import { attachPatience, tryPatiently, waitFor } from "./tries.ts";

/** The official CNI's wait for a new ENI to show in instance metadata ends after about three minutes. */
const longestImdsWaitMs = 180_000;

/**
 * Creates an ENI in the first subnet that has room, attaches it at the lowest free device index, waits until the
 * kernel has its link and sets up its host network. Addresses are taken from EC2's answer, so that the metadata
 * service's lag costs nothing. A failure leaves nothing behind but an attached ENI whose link did not come: that
 * one is taken in by the next reconcile.
 */
export async function createEni(ctx: Context, action: CreateEniAction): Promise<Outcome> {
  const insufficientSubnets: string[] = [];
  try {
    const indexTaken = ctx.devices.take(action.card);
    // Its failure is looked at when the ENI is there; until then it must not count as unhandled.
    indexTaken.catch(() => {});
    const release = async (): Promise<void> => {
      const index = await indexTaken.catch(() => undefined);
      if (index !== undefined) ctx.devices.giveBack(action.card, index);
    };
    try {
      const { eni, place } = await createSomewhere(ctx, action, insufficientSubnets);
      const deviceNumber = await attach(ctx, action, eni, indexTaken);
      return await takeIn(ctx, action, eni, place, deviceNumber);
    } finally {
      await release();
    }
  } catch (thrown) {
    ctx.metrics.ipamdError("increaseIPPoolAllocENI");
    tellWhy(ctx, thrown);
    if (insufficientSubnets.length > 0) ctx.metrics.ipamdError("increaseIPPoolAllocIPAddressesFailed");
    return failed(thrown, insufficientSubnets);
  }
}

async function createSomewhere(
  ctx: Context,
  action: CreateEniAction,
  insufficientSubnets: string[],
): Promise<{ readonly eni: Eni; readonly place: EniPlace }> {
  const places = await eniPlaces(ctx, action.avoidSubnets);
  // There is no other subnet than those without room for so much.
  if (places.length === 0) insufficientSubnets.push(...action.avoidSubnets);
  let last: unknown;
  for (const place of places) {
    try {
      const eni = await ctx.ec2.createNetworkInterface({
        subnetId: place.subnetId,
        groups: place.groups,
        description: `${eniDescriptionPrefix}${ctx.facts.instanceId}`,
        tags: eniTags(
          {
            instanceId: ctx.facts.instanceId,
            clusterName: ctx.env.clusterName,
            additional: ctx.env.additionalEniTags,
          },
          ctx.clock.now(),
        ),
        ...countField(action),
        ...(ctx.known.connectionTracking === undefined
          ? {}
          : { connectionTracking: ctx.known.connectionTracking }),
      });
      return { eni, place };
    } catch (thrown) {
      ctx.log("warn", "ENI not created", { subnet: place.subnetId, error: messageOf(thrown) });
      if (saysNoRoom(thrown)) insufficientSubnets.push(place.subnetId);
      last = thrown;
    }
  }
  throw (
    last ?? new EniverseError("exhausted", { attempted: "create an ENI", found: "no subnet to create it in" })
  );
}

function countField(action: CreateEniAction): {
  secondaryPrivateIpAddressCount?: number;
  ipv4PrefixCount?: number;
  ipv6AddressCount?: number;
} {
  switch (action.what) {
    case "addresses":
      return { secondaryPrivateIpAddressCount: action.count };
    case "ipv4-prefixes":
      return { ipv4PrefixCount: action.count };
    case "ipv6-addresses":
      return { ipv6AddressCount: action.count };
  }
}

/** Attaches and marks for deletion with the instance; on a failure the ENI is deleted again. */
async function attach(
  ctx: Context,
  action: CreateEniAction,
  eni: Eni,
  indexTaken: Promise<number>,
): Promise<number> {
  const networkInterfaceId = eni.networkInterfaceId;
  let deviceIndex: number;
  let attachmentId: string;
  try {
    deviceIndex = await indexTaken;
    const request = {
      networkInterfaceId,
      instanceId: ctx.facts.instanceId,
      deviceIndex,
      networkCardIndex: action.card,
    };
    const answer = await despiteThrottling(ctx, () =>
      // EC2 may not know the ENI everywhere at once.
      tryPatiently(
        ctx.clock,
        attachPatience,
        () => ctx.ec2.attachNetworkInterface(request),
        (error) => ec2CodeOf(error) !== "InvalidNetworkInterfaceID.NotFound",
      ),
    );
    attachmentId = answer.attachmentId;
  } catch (thrown) {
    await deleteEni(ctx, networkInterfaceId).catch((error: unknown) => {
      ctx.log("error", "ENI not deleted", { eni: networkInterfaceId, error: messageOf(error) });
    });
    throw thrown;
  }
  ctx.known.attachmentIds.set(networkInterfaceId, attachmentId);
  ctx.known.macs.set(networkInterfaceId, eni.macAddress.toLowerCase());
  return deviceIndex;
}

async function takeIn(
  ctx: Context,
  action: CreateEniAction,
  eni: Eni,
  place: EniPlace,
  deviceNumber: number,
): Promise<Outcome> {
  const id = eni.networkInterfaceId;
  const mac = eni.macAddress.toLowerCase();
  const attachmentId = ctx.known.attachmentIds.get(id) ?? "";
  const marked = despiteThrottling(ctx, () => ctx.ec2.setDeleteOnTermination(id, attachmentId));
  const [mark, link] = await Promise.allSettled([marked, waitForLink(ctx.clock, ctx.host.hasLink, mac)]);
  if (mark.status === "rejected") {
    await freeEni(ctx, id);
    throw mark.reason;
  }
  if (link.status === "rejected") throw link.reason;
  const primaryAddress =
    ctx.settings.mode === "ipv6" ? eni.ipv6Addresses[0] : eni.privateIpAddresses[0]?.address;
  if (primaryAddress === undefined) {
    throw new EniverseError("corrupted", { attempted: `set up ${id}`, found: "an ENI without an address" });
  }
  ctx.known.primaryAddresses.set(id, primaryAddress);
  ctx.known.groupsOf.set(id, eni.groups.toSorted().join());
  const host = {
    mac,
    card: action.card,
    deviceNumber,
    trunk: false,
    primaryAddress,
    subnetCidr: await subnetCidr(ctx, eni.subnetId, mac, place),
  };
  try {
    await ctx.host.setUpEni(host);
  } catch (thrown) {
    ctx.metrics.ipamdError("increaseIPPoolsetupENIFailed");
    throw thrown;
  }
  const ownIpv4 = eni.privateIpAddresses[0]?.address;
  return {
    kind: "created",
    eni: {
      id,
      deviceNumber,
      routeTable: ctx.host.routeTableOf(host),
      subnetId: eni.subnetId,
      ...(ownIpv4 === undefined ? {} : { primaryAddress: ownIpv4 }),
      primary: false,
      trunk: false,
      efa: false,
      excluded: false,
    },
    addresses: eni.privateIpAddresses.filter((entry) => !entry.primary).map((entry) => entry.address),
    prefixes: ctx.settings.mode === "ipv6" ? eni.ipv6Prefixes : eni.ipv4Prefixes,
  };
}

/** Known from the choice of the subnet as a rule; else from instance metadata, once it shows the ENI. */
async function subnetCidr(ctx: Context, subnetId: string, mac: string, place: EniPlace): Promise<string> {
  const known = place.cidr ?? ctx.known.subnetCidrs.get(subnetId);
  if (known !== undefined) return known;
  const found = await waitFor(ctx.clock, longestImdsWaitMs, async () => {
    const enis = await readEnis(ctx.imds, ctx.facts.primaryMac).catch(() => []);
    const eni = enis.find((entry) => entry.mac === mac);
    return ctx.settings.mode === "ipv6" ? eni?.subnetIpv6Cidrs[0] : eni?.subnetIpv4Cidr;
  });
  if (found === undefined) {
    ctx.metrics.ipamdError("increaseIPPoolwaitENIAttachedFailed");
    throw new EniverseError("timeout", {
      attempted: `learn the block of subnet ${subnetId}`,
      found: `instance metadata does not show the interface ${mac}`,
    });
  }
  ctx.known.subnetCidrs.set(subnetId, found);
  return found;
}
