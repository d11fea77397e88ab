import { EniverseError, messageOf } from "../../base/error.ts";
import { parseQuantity } from "../scheduler/quantity.ts";

/** What the capability "bandwidth" gives to a plugin, in bits per second and bits. */
export interface Bandwidth {
  readonly ingressRate?: number;
  readonly ingressBurst?: number;
  readonly egressRate?: number;
  readonly egressBurst?: number;
}

const annotation = (direction: "ingress" | "egress"): string => `kubernetes.io/${direction}-bandwidth`;
/** As the kubelet has always had it: from 1 kbit to 1 Pbit. */
const smallest = 1e3;
const largest = 1e15;
/** containerd's: math.MaxUint32. A pod may send so much before its rate is felt. */
const burst = 2 ** 32 - 1;

/**
 * The limits of a pod by its annotations kubernetes.io/ingress-bandwidth and kubernetes.io/egress-bandwidth; undefined
 * when it has none. Throws `invalid_argument` for what is no quantity or makes no sense.
 */
export function bandwidthOf(annotations: Readonly<Record<string, string>>): Bandwidth | undefined {
  const ingress = rate(annotations, "ingress");
  const egress = rate(annotations, "egress");
  if (ingress === undefined && egress === undefined) return undefined;
  return {
    ...(ingress !== undefined && { ingressRate: ingress, ingressBurst: burst }),
    ...(egress !== undefined && { egressRate: egress, egressBurst: burst }),
  };
}

function rate(
  annotations: Readonly<Record<string, string>>,
  direction: "ingress" | "egress",
): number | undefined {
  const key = annotation(direction);
  const value = annotations[key];
  if (value === undefined) return undefined;
  let bits: number;
  try {
    bits = Math.ceil(parseQuantity(value));
  } catch (error) {
    throw refused(key, value, messageOf(error));
  }
  if (bits < smallest) throw refused(key, value, "resource is unreasonably small (< 1kbit)");
  if (bits > largest) throw refused(key, value, "resource is unreasonably large (> 1Pbit)");
  return bits;
}

function refused(key: string, value: string, why: string): EniverseError {
  return new EniverseError("invalid_argument", {
    attempted: `read the annotation ${key}`,
    found: value,
    wanted: 'bits per second from 1k to 1P, as in "10M"',
    facts: {
      cniText: `get cni namespace options: reading pod bandwidth annotations: ${key}=${value}: ${why}`,
    },
  });
}
