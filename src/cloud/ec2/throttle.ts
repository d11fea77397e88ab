import type { ThrottlingSettings } from "../config.ts";

export interface BucketSize {
  /** Calls that may come at once. */
  readonly size: number;
  /** Calls a second that it fills up by. */
  readonly refill: number;
}

const nonMutating: BucketSize = { size: 100, refill: 20 };
const unfiltered: BucketSize = { size: 50, refill: 10 };
const mutating: BucketSize = { size: 50, refill: 5 };

/** Buckets of single actions ("Request throttling for the Amazon EC2 API", Amazon EC2 Developer Guide). */
const ofAction: Readonly<Record<string, BucketSize>> = {
  AssignPrivateIpAddresses: { size: 100, refill: 5 },
  UnassignPrivateIpAddresses: { size: 100, refill: 5 },
  AssignIpv6Addresses: { size: 100, refill: 5 },
  CreateNetworkInterface: { size: 100, refill: 5 },
  DeleteNetworkInterface: { size: 100, refill: 5 },
  ModifyNetworkInterfaceAttribute: { size: 100, refill: 5 },
  ModifyInstanceMetadataOptions: { size: 100, refill: 5 },
  TerminateInstances: { size: 100, refill: 5 },
  CreateTags: { size: 100, refill: 10 },
  DeleteTags: { size: 100, refill: 10 },
  RunInstances: { size: 5, refill: 2 },
  StartInstances: { size: 5, refill: 2 },
  CreateSubnetCidrReservation: { size: 5, refill: 1 },
  DeleteSubnetCidrReservation: { size: 5, refill: 1 },
  CreateNatGateway: { size: 10, refill: 1 },
  DeleteNatGateway: { size: 10, refill: 1 },
  CreateVpcEndpoint: { size: 4, refill: 0.3 },
  ModifyVpcEndpoint: { size: 4, refill: 0.3 },
  DeleteVpcEndpoints: { size: 4, refill: 0.3 },
  CreateDefaultVpc: { size: 1, refill: 1 },
  CreateDefaultSubnet: { size: 1, refill: 1 },
};

/** Actions with a smaller bucket of their own for calls that neither filter nor page. */
const costlyWhole = new Set([
  "DescribeInstances",
  "DescribeInstanceStatus",
  "DescribeNetworkInterfaces",
  "DescribeSecurityGroups",
]);

/** Which bucket a call draws from, by name and size. */
export function bucketFor(
  action: string,
  narrowed: boolean,
  settings: ThrottlingSettings,
): { readonly name: string; readonly bucket: BucketSize } {
  const own = settings.buckets[action];
  if (own !== undefined) return { name: action, bucket: own };
  const listed = ofAction[action];
  if (listed !== undefined) return { name: action, bucket: listed };
  if (!/^(Describe|Get|List)/.test(action)) return { name: action, bucket: mutating };
  if (costlyWhole.has(action) && !narrowed) return { name: `${action} (unfiltered)`, bucket: unfiltered };
  return { name: action, bucket: nonMutating };
}

interface Level {
  tokens: number;
  at: number;
}

/** Token buckets per action; each starts full. */
export class Throttle {
  readonly #levels = new Map<string, Level>();

  /** Takes a token; false when the bucket is empty. `now` in milliseconds. */
  take(name: string, bucket: BucketSize, now: number): boolean {
    const level = this.#levels.get(name) ?? { tokens: bucket.size, at: now };
    const filled = level.tokens + (Math.max(0, now - level.at) * bucket.refill) / 1000;
    const tokens = Math.min(bucket.size, filled);
    const ok = tokens >= 1;
    this.#levels.set(name, { tokens: ok ? tokens - 1 : tokens, at: now });
    return ok;
  }

  /** Fills every bucket up. */
  reset(): void {
    this.#levels.clear();
  }
}
