import { ec2CodeOf, insufficientCodes } from "../../aws/ec2-errors.ts";
import { hasCode, messageOf } from "../../base/error.ts";
import type { Action, AssignAction, Outcome, UnassignAction } from "../../ipam/types.ts";
import { addCniNodeFeature } from "./cninode.ts";
import type { Context } from "./context.ts";
import { createEni } from "./create-eni.ts";
import { freeEni } from "./free-eni.ts";
import { tellWhy } from "./growth-failure.ts";

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
  try {
    return await assignCount(ctx, action, action.count);
  } catch (first) {
    if (ec2CodeOf(first) === "PrivateIpAddressLimitExceeded") return whatEc2Has(ctx, action, held, first);
    // Perhaps there is room for one; asking again is of no use when EC2 would not even look.
    const mayFit = hasCode(first, "exhausted", "invalid_argument");
    if (action.count > 1 && mayFit && action.what !== "ipv6-prefixes") {
      try {
        return await assignCount(ctx, action, 1);
      } catch (second) {
        return assignFailed(ctx, action, second);
      }
    }
    return assignFailed(ctx, action, first);
  }
}

async function assignCount(ctx: Context, action: AssignAction, count: number): Promise<Outcome> {
  if (action.what === "ipv6-prefixes") {
    return { kind: "assigned", addresses: [], prefixes: await ctx.ec2.assignIpv6Prefix(action.eniId) };
  }
  const want = action.what === "addresses" ? { addressCount: count } : { prefixCount: count };
  return { kind: "assigned", ...(await ctx.ec2.assignPrivateIpAddresses(action.eniId, want)) };
}

function assignFailed(ctx: Context, action: AssignAction, thrown: unknown): Outcome {
  ctx.metrics.ipamdError("increaseIPPoolAllocIPAddressesFailed");
  tellWhy(ctx, thrown);
  const insufficient = insufficientCodes.includes(ec2CodeOf(thrown) ?? "");
  return {
    kind: "failed",
    error: messageOf(thrown),
    insufficientSubnets: insufficient ? [action.subnetId] : [],
  };
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
    return { kind: "failed", error, insufficientSubnets: [] };
  }
}

async function unassign(ctx: Context, action: UnassignAction): Promise<Outcome> {
  const errors: string[] = [];
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (thrown) {
      // An ENI that is gone has no addresses left to give back.
      if (!hasCode(thrown, "not_found")) errors.push(messageOf(thrown));
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
  return { kind: "failed", error: errors.join("; "), insufficientSubnets: [] };
}

async function free(ctx: Context, eniId: string): Promise<Outcome> {
  try {
    await freeEni(ctx, eniId);
    return { kind: "done" };
  } catch (thrown) {
    ctx.metrics.ipamdError("decreaseIPPoolFreeENIFailed");
    return { kind: "failed", error: messageOf(thrown), insufficientSubnets: [] };
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
    return { kind: "failed", error: messageOf(thrown), insufficientSubnets: [] };
  }
}
