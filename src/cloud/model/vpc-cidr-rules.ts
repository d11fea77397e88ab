import { type Cidr4, cidrContains, cidrsOverlap, formatCidr, parseCidr4 } from "../../addr/cidr.ts";
import { Ec2Fault } from "./fault.ts";
import type { Route } from "./route-table.ts";

const block = (text: string): Cidr4 => parseCidr4(text);

const ten = block("10.0.0.0/8");
const tenLegacy = block("10.0.0.0/15");
const tenZero = block("10.0.0.0/16");
const oneSevenTwo = block("172.16.0.0/12");
const oneSevenTwo31 = block("172.31.0.0/16");
const oneNineTwo = block("192.168.0.0/16");
const oneNineEight = block("198.19.0.0/16");
const linkLocal = block("169.254.0.0/16");
const loopback = block("127.0.0.0/8");
const multicast = block("224.0.0.0/4");
const zero = block("0.0.0.0/8");

/** Ranges that no VPC may use: AWS answers that they are invalid. */
const neverAllowed = [linkLocal, loopback, multicast, zero];

/**
 * Which blocks may not join a VPC whose primary block lies in `family` (VPC user guide, "IPv4 CIDR block
 * association restrictions").
 */
const restrictions: readonly { readonly family: Cidr4; readonly restricted: readonly Cidr4[] }[] = [
  { family: ten, restricted: [oneSevenTwo, oneNineTwo, oneNineEight] },
  { family: oneSevenTwo, restricted: [ten, oneNineTwo, oneNineEight, oneSevenTwo31] },
  { family: oneNineTwo, restricted: [ten, oneSevenTwo, oneNineEight] },
  { family: oneNineEight, restricted: [ten, oneSevenTwo, oneNineTwo] },
];
/** For primary blocks of public addresses and of 100.64.0.0/10. */
const otherwiseRestricted = [ten, oneSevenTwo, oneNineTwo, oneNineEight];

/** Throws InvalidVpcRange unless the block can be a block of a VPC at all. */
export function checkVpcBlock(cidr: Cidr4): void {
  if (cidr.bits < 16 || cidr.bits > 28 || neverAllowed.some((other) => cidrsOverlap(other, cidr))) {
    throw new Ec2Fault("InvalidVpcRange", `The CIDR '${formatCidr(cidr)}' is invalid.`);
  }
}

/** Throws unless `added` may join a VPC that has `present` (the primary block first) and these routes. */
export function checkSecondaryBlock(added: Cidr4, present: readonly Cidr4[], routes: Iterable<Route>): void {
  checkVpcBlock(added);
  const text = formatCidr(added);
  for (const other of present) {
    if (cidrsOverlap(other, added)) {
      throw new Ec2Fault(
        "InvalidVpc.Conflict",
        `The CIDR '${text}' conflicts with the VPC's CIDR '${formatCidr(other)}'`,
      );
    }
  }
  const primary = present[0];
  if (primary !== undefined && isRestricted(added, primary, present)) {
    throw new Ec2Fault(
      "InvalidVpcRange",
      `The CIDR '${text}' is restricted. Use a CIDR from the same private address range as the current VPC CIDR, or use a publicly-routable CIDR.`,
    );
  }
  for (const route of routes) {
    if (cidrContains(added, route.destination)) {
      throw new Ec2Fault(
        "InvalidVpcRange",
        `The CIDR '${text}' is as large as or larger than the destination '${formatCidr(route.destination)}' of a route in this VPC`,
      );
    }
  }
}

function isRestricted(added: Cidr4, primary: Cidr4, present: readonly Cidr4[]): boolean {
  // Blocks of 10.0.0.0/15 once belonged to EC2-Classic links; with one present, 10.0.0.0/16 is closed.
  const legacy = present.some((cidr) => cidrContains(tenLegacy, cidr));
  if (legacy && cidrsOverlap(tenZero, added)) return true;
  const rule = restrictions.find(({ family }) => cidrContains(family, primary));
  return (rule?.restricted ?? otherwiseRestricted).some((range) => cidrsOverlap(range, added));
}
