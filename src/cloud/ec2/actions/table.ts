import type { Action } from "../action.ts";
import { addressActions } from "./addresses.ts";
import { describeInstanceActions } from "./describe-instances.ts";
import { describeInterfaceActions } from "./describe-interfaces.ts";
import { gatewayActions } from "./gateways.ts";
import { instanceTypeActions } from "./instance-types.ts";
import { instanceActions } from "./instances.ts";
import { interfaceActions } from "./interfaces.ts";
import { neverHereActions } from "./never-here.ts";
import { privateAddressActions } from "./private-addresses.ts";
import { regionActions } from "./region.ts";
import { reservationActions } from "./reservations.ts";
import { routeTableActions } from "./route-tables.ts";
import { securityGroupRuleActions } from "./security-group-rules.ts";
import { securityGroupActions } from "./security-groups.ts";
import { subnetActions } from "./subnets.ts";
import { tagActions } from "./tags.ts";
import { vpcActions } from "./vpcs.ts";

/** Every action that the EC2 endpoint knows, by name. */
export const ec2Actions: ReadonlyMap<string, Action> = new Map(
  [
    ...vpcActions,
    ...subnetActions,
    ...reservationActions,
    ...describeInstanceActions,
    ...instanceActions,
    ...instanceTypeActions,
    ...describeInterfaceActions,
    ...interfaceActions,
    ...privateAddressActions,
    ...securityGroupActions,
    ...securityGroupRuleActions,
    ...routeTableActions,
    ...gatewayActions,
    ...addressActions,
    ...tagActions,
    ...regionActions,
    ...neverHereActions,
  ].map((one) => [one.name, one]),
);
