import { type Cidr, cidrContains, formatCidr, parseCidr } from "../../addr/cidr.ts";
import { Ec2Fault, faults } from "./fault.ts";
import { newId } from "./ids.ts";
import { findEni, findRouteTable, findSubnet, findVpc } from "./lookup.ts";
import type { CloudState, Context } from "./state.ts";
import { newTags, type Tags } from "./tags.ts";

export interface RouteTable {
  readonly routeTableId: string;
  readonly ownerId: string;
  readonly vpcId: string;
  /** Routes that were added; the local ones follow from the VPC's blocks. */
  readonly routes: Route[];
  readonly associations: RouteTableAssociation[];
  readonly tags: Tags;
}

export interface Route {
  readonly destination: Cidr;
  target: RouteTarget;
}

export type RouteTarget =
  | { readonly kind: "internet-gateway"; readonly id: string }
  | { readonly kind: "egress-only-internet-gateway"; readonly id: string }
  | { readonly kind: "nat-gateway"; readonly id: string }
  | { readonly kind: "eni"; readonly id: string };

export interface RouteTableAssociation {
  readonly associationId: string;
  /** Absent for the main table's association with the VPC. */
  readonly subnetId: string | undefined;
}

/** Ranges that routes cannot name (VPC user guide, "Route table concepts"). */
const notRoutable = [parseCidr("169.254.168.0/22"), parseCidr("fd00:ec2::/32")];

/** The table that a new VPC starts with. */
export function createMainRouteTable(ctx: Context, vpcId: string): RouteTable {
  const table = newTable(ctx, vpcId, newTags());
  table.associations.push({ associationId: newId("rtbassoc", ctx.random), subnetId: undefined });
  return table;
}

export function createRouteTable(
  ctx: Context,
  vpcId: string,
  tags: Iterable<readonly [string, string]> = [],
): RouteTable {
  findVpc(ctx.state, vpcId);
  return newTable(ctx, vpcId, newTags(tags));
}

function newTable(ctx: Context, vpcId: string, tags: Tags): RouteTable {
  const routeTableId = newId("rtb", ctx.random);
  const table: RouteTable = {
    routeTableId,
    ownerId: ctx.account.accountId,
    vpcId,
    routes: [],
    associations: [],
    tags,
  };
  ctx.state.put("route-table", routeTableId, table);
  return table;
}

export function deleteRouteTable(ctx: Context, routeTableId: string): void {
  const table = findRouteTable(ctx.state, routeTableId);
  if (table.associations.length > 0) throw faults.dependency("routeTable", routeTableId);
  ctx.state.drop("route-table", routeTableId);
}

/** Adds a route; EC2 refuses a second one for the same destination. */
export function createRoute(
  ctx: Context,
  routeTableId: string,
  destination: Cidr,
  target: RouteTarget,
): void {
  const table = findRouteTable(ctx.state, routeTableId);
  checkRoute(ctx, table, destination, target);
  if (routeTo(table, destination) !== undefined) {
    throw new Ec2Fault(
      "RouteAlreadyExists",
      `The route identified by ${formatCidr(destination)} already exists.`,
    );
  }
  if (table.routes.length >= ctx.settings.limits.routesPerTable) {
    throw new Ec2Fault("RouteLimitExceeded", `The maximum number of routes has been reached.`);
  }
  table.routes.push({ destination, target });
  ctx.state.touch("route-table", routeTableId);
}

export function replaceRoute(
  ctx: Context,
  routeTableId: string,
  destination: Cidr,
  target: RouteTarget,
): void {
  const table = findRouteTable(ctx.state, routeTableId);
  const route = routeTo(table, destination);
  if (route === undefined) throw noRoute(table, destination);
  checkRoute(ctx, table, destination, target);
  route.target = target;
  ctx.state.touch("route-table", routeTableId);
}

export function deleteRoute(ctx: Context, routeTableId: string, destination: Cidr): void {
  const table = findRouteTable(ctx.state, routeTableId);
  if (isLocal(ctx.state, table.vpcId, destination)) {
    throw faults.invalid(
      `cannot remove local route ${formatCidr(destination)} in route table ${routeTableId}`,
    );
  }
  const route = routeTo(table, destination);
  if (route === undefined) throw noRoute(table, destination);
  table.routes.splice(table.routes.indexOf(route), 1);
  ctx.state.touch("route-table", routeTableId);
}

function noRoute(table: RouteTable, destination: Cidr): Ec2Fault {
  return new Ec2Fault(
    "InvalidRoute.NotFound",
    `no route with destination-cidr-block ${formatCidr(destination)} in route table ${table.routeTableId}`,
  );
}

function routeTo(table: RouteTable, destination: Cidr): Route | undefined {
  const text = formatCidr(destination);
  return table.routes.find((route) => formatCidr(route.destination) === text);
}

function isLocal(state: CloudState, vpcId: string, destination: Cidr): boolean {
  const vpc = findVpc(state, vpcId);
  const text = formatCidr(destination);
  return [...vpc.cidrs, ...vpc.ipv6Cidrs].some(({ cidr }) => formatCidr(cidr) === text);
}

function checkRoute(ctx: Context, table: RouteTable, destination: Cidr, target: RouteTarget): void {
  const { state } = ctx;
  const vpc = findVpc(state, table.vpcId);
  const text = formatCidr(destination);
  if (notRoutable.some((range) => cidrContains(range, destination))) {
    throw faults.invalid(`Route destination ${text} is not routable`);
  }
  checkTarget(state, table.vpcId, destination, target);
  const blocks = [...vpc.cidrs, ...vpc.ipv6Cidrs].map(({ cidr }) => cidr);
  if (isLocal(state, table.vpcId, destination)) {
    throw new Ec2Fault("RouteAlreadyExists", `The route identified by ${text} already exists.`);
  }
  // A route more specific than the local one may only steer a whole subnet, and only to an interface.
  if (blocks.some((cidr) => cidrContains(cidr, destination)) && target.kind !== "eni") {
    throw faults.invalid(
      `The destination CIDR block ${text} is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance.`,
    );
  }
}

function checkTarget(state: CloudState, vpcId: string, destination: Cidr, target: RouteTarget): void {
  switch (target.kind) {
    case "internet-gateway": {
      const gateway = state.internetGateways.get(target.id);
      if (gateway === undefined) throw faults.notFound("InvalidGatewayID.NotFound", "gateway ID", target.id);
      if (gateway.vpcId !== vpcId) {
        throw faults.invalid(`route table and network gateway ${target.id} belong to different networks`);
      }
      return;
    }
    case "egress-only-internet-gateway": {
      const gateway = state.egressOnlyGateways.get(target.id);
      if (gateway === undefined) throw faults.notFound("InvalidGatewayID.NotFound", "gateway ID", target.id);
      if (gateway.vpcId !== vpcId) {
        throw faults.invalid(`route table and network gateway ${target.id} belong to different networks`);
      }
      if (destination.family === 4) {
        throw faults.invalid(`An egress-only internet gateway can be the target of IPv6 routes only`);
      }
      return;
    }
    case "nat-gateway": {
      const gateway = state.natGateways.get(target.id);
      if (gateway === undefined || gateway.state === "deleted") {
        throw faults.notFound("InvalidNatGatewayID.NotFound", "natGateway ID", target.id);
      }
      if (gateway.vpcId !== vpcId) {
        throw faults.invalid(`route table and NAT gateway ${target.id} belong to different networks`);
      }
      return;
    }
    case "eni": {
      const eni = findEni(state, target.id);
      if (eni.vpcId !== vpcId) {
        throw faults.invalid(`route table and interface ${target.id} belong to different networks`);
      }
      return;
    }
  }
}

/** Associates a subnet, which must not have a table of its own yet; returns the association's id. */
export function associateRouteTable(ctx: Context, routeTableId: string, subnetId: string): string {
  const table = findRouteTable(ctx.state, routeTableId);
  const subnet = findSubnet(ctx.state, subnetId);
  if (subnet.vpcId !== table.vpcId) {
    throw faults.invalid(`Route table ${routeTableId} and subnet ${subnetId} belong to different networks`);
  }
  for (const other of ctx.state.routeTables.values()) {
    const present = other.associations.find((association) => association.subnetId === subnetId);
    if (present === undefined) continue;
    if (other === table) return present.associationId;
    throw new Ec2Fault(
      "Resource.AlreadyAssociated",
      `the specified association for route table ${other.routeTableId} conflicts with an existing association`,
    );
  }
  const associationId = newId("rtbassoc", ctx.random);
  table.associations.push({ associationId, subnetId });
  ctx.state.touch("route-table", routeTableId);
  return associationId;
}

export function disassociateRouteTable(ctx: Context, associationId: string): void {
  const { table, association } = findAssociation(ctx.state, associationId);
  if (association.subnetId === undefined) {
    throw faults.invalid(`cannot disassociate the main route table association ${associationId}`);
  }
  table.associations.splice(table.associations.indexOf(association), 1);
  ctx.state.touch("route-table", table.routeTableId);
}

/** Moves an association, the main one too, to another table; returns the new association's id. */
export function replaceAssociation(ctx: Context, associationId: string, routeTableId: string): string {
  const { table, association } = findAssociation(ctx.state, associationId);
  const target = findRouteTable(ctx.state, routeTableId);
  if (target.vpcId !== table.vpcId) {
    throw faults.invalid(
      `Route tables ${table.routeTableId} and ${routeTableId} belong to different networks`,
    );
  }
  table.associations.splice(table.associations.indexOf(association), 1);
  const moved = { associationId: newId("rtbassoc", ctx.random), subnetId: association.subnetId };
  target.associations.push(moved);
  if (moved.subnetId === undefined) {
    findVpc(ctx.state, table.vpcId).mainRouteTableId = routeTableId;
    ctx.state.touch("vpc", table.vpcId);
  }
  ctx.state.touch("route-table", table.routeTableId);
  ctx.state.touch("route-table", routeTableId);
  return moved.associationId;
}

function findAssociation(
  state: CloudState,
  associationId: string,
): { readonly table: RouteTable; readonly association: RouteTableAssociation } {
  for (const table of state.routeTables.values()) {
    const association = table.associations.find((one) => one.associationId === associationId);
    if (association !== undefined) return { table, association };
  }
  throw faults.notFound("InvalidAssociationID.NotFound", "association ID", associationId);
}

/** The table that a subnet uses: its own, else the VPC's main one. */
export function routeTableOf(state: CloudState, subnetId: string): RouteTable {
  for (const table of state.routeTables.values()) {
    if (table.associations.some((association) => association.subnetId === subnetId)) return table;
  }
  const subnet = findSubnet(state, subnetId);
  return findRouteTable(state, findVpc(state, subnet.vpcId).mainRouteTableId);
}

/** "blackhole" when the target is gone or cannot carry packets. */
export function routeState(state: CloudState, vpcId: string, target: RouteTarget): "active" | "blackhole" {
  const active = ((): boolean => {
    switch (target.kind) {
      case "internet-gateway":
        return state.internetGateways.get(target.id)?.vpcId === vpcId;
      case "egress-only-internet-gateway":
        return state.egressOnlyGateways.has(target.id);
      case "nat-gateway": {
        const gateway = state.natGateways.get(target.id);
        return gateway?.state === "available" || gateway?.state === "pending";
      }
      case "eni":
        return state.enis.get(target.id)?.attachment?.status === "attached";
    }
  })();
  return active ? "active" : "blackhole";
}
