import { ec2CodeOf } from "../../aws/ec2-errors.ts";
import { hasCode, messageOf } from "../../base/error.ts";
import type { Action, AssignAction, Outcome, UnassignAction } from "../../ipam/types.ts";
import { addCniNodeFeature } from "./cninode.ts";
import type { Context } from "./context.ts";
import { createEni } from "./create-eni.ts";
import { freeEni } from "./free-eni.ts";
import { failed, saysNoRoom, tellWhy } from "./growth-failure.ts";

/** What the pool holds of an ENI, for an answer that must name only what is new. */
export type HeldBlocks = (card: number, eniId: string) => ReadonlySet<string>;

/** Carries one action of the decision core out in EC2. Never rejects: a failure is an outcome. */
export async function carryOut(ctx: Context, action: Action, held: HeldBlocks): Promise<Outcome> {
  switch (action.kind) {
    case "assign":
      return assign(ctx, action, held);
    case "create-eni":
      return createEni(ctx, action);
    case "unassign":
      return unassign(ctx, action);
    case "free-eni":
      return free(ctx, action.eniId);
    case "request-trunk":
      return requestTrunk(ctx);
  }
}

async function assign(ctx: Context, action: AssignAction, held: HeldBlocks): Promise<Outcome> {
  const { eniId, what, count } = action;
  try {
    if (what === "ipv6-prefixes")
      return { kind: "assigned", addresses: [], prefixes: await ctx.ec2.assignIpv6Prefix(eniId) };
    const want = what === "addresses" ? { addressCount: count } : { prefixCount: count };
    return { kind: "assigned", ...(await ctx.ec2.assignPrivateIpAddresses(eniId, want)) };
  } catch (thrown) {
    if (ec2CodeOf(thrown) === "PrivateIpAddressLimitExceeded") return whatEc2Has(ctx, action, held, thrown);
    return assignFailed(ctx, action, thrown);
  }
}

function assignFailed(ctx: Context, action: AssignAction, thrown: unknown): Outcome {
  ctx.metrics.ipamdError("increaseIPPoolAllocIPAddressesFailed");
  tellWhy(ctx, thrown);
  return failed(thrown, saysNoRoom(thrown) ? [action.subnetId] : []);
}

/** EC2 says that the ENI is full where the pool believed in room: EC2 is right. */
async function whatEc2Has(
  ctx: Context,
  action: AssignAction,
  held: HeldBlocks,
  cause: unknown,
): Promise<Outcome> {
  try {
    const [eni] = await ctx.ec2.describeNetworkInterfaces({ ids: [action.eniId] });
    const blocks = held(action.card, action.eniId);
    return {
      kind: "assigned",
      addresses: (eni?.privateIpAddresses ?? [])
        .filter((entry) => !entry.primary && !blocks.has(`${entry.address}/32`))
        .map((entry) => entry.address),
      prefixes: (eni?.ipv4Prefixes ?? []).filter((prefix) => !blocks.has(prefix)),
    };
  } catch (thrown) {
    ctx.metrics.ipamdError(
      action.what === "addresses"
        ? "increaseIPPoolGetENIaddressesFailed"
        : "increaseIPPoolGetENIprefixedFailed",
    );
    const error = `${messageOf(cause)}; then ${messageOf(thrown)}`;
    return { ...failed(thrown), error };
  }
}

async function unassign(ctx: Context, action: UnassignAction): Promise<Outcome> {
  const errors: unknown[] = [];
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (thrown) {
      // An ENI that is gone has no addresses left to give back.
      if (!hasCode(thrown, "not_found")) errors.push(thrown);
    }
  };
  const ipv6 = action.prefixes.filter((prefix) => prefix.includes(":"));
  const ipv4 = action.prefixes.filter((prefix) => !prefix.includes(":"));
  const addresses = action.addresses.map((cidr) => cidr.replace(/\/32$/, ""));
  await Promise.all([
    ...(ipv6.length > 0 ? [attempt(() => ctx.ec2.unassignIpv6Prefixes(action.eniId, ipv6))] : []),
    ...(ipv4.length > 0
      ? [attempt(() => ctx.ec2.unassignPrivateIpAddresses(action.eniId, { prefixes: ipv4 }))]
      : []),
    ...(addresses.length > 0
      ? [attempt(() => ctx.ec2.unassignPrivateIpAddresses(action.eniId, { addresses }))]
      : []),
  ]);
  if (errors.length === 0) return { kind: "done" };
  ctx.metrics.ipamdError("decreaseIPPool");
  return {
    kind: "failed",
    error: errors.map(messageOf).join("; "),
    insufficientSubnets: [],
    throttled: errors.some((error) => hasCode(error, "throttled")),
  };
}

async function free(ctx: Context, eniId: string): Promise<Outcome> {
  try {
    await freeEni(ctx, eniId);
    return { kind: "done" };
  } catch (thrown) {
    ctx.metrics.ipamdError("decreaseIPPoolFreeENIFailed");
    return failed(thrown);
  }
}

async function requestTrunk(ctx: Context): Promise<Outcome> {
  const kube = ctx.kube();
  try {
    if (kube !== undefined) {
      await addCniNodeFeature(kube, ctx.env.nodeName ?? "", { name: "SecurityGroupsForPods", value: "" });
    }
    return { kind: "done" };
  } catch (thrown) {
    ctx.metrics.podEniError("tryEnableSecurityGroupsForPods");
    return failed(thrown);
  }
}
