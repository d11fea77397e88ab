import { type Cidr, formatCidr } from "../../../addr/cidr.ts";
import { faults } from "../../model/fault.ts";
import { findRouteTable, findVpc } from "../../model/lookup.ts";
import {
  associateRouteTable,
  createRoute,
  createRouteTable,
  deleteRoute,
  deleteRouteTable,
  disassociateRouteTable,
  type Route,
  type RouteTable,
  type RouteTarget,
  replaceAssociation,
  replaceRoute,
  routeState,
} from "../../model/route-table.ts";
import type { CloudState, Context } from "../../model/state.ts";
import { action, type Call, done, listing } from "../action.ts";
import type { Params } from "../decode-query.ts";
import type { XmlObject } from "../encode-xml.ts";
import { type FilterTable, readFilters } from "../filter.ts";
import { pageOf, refusePagingOfIds } from "../page.ts";
import { cidr4Parameter, cidr6Parameter, tagSet, tagSpecification } from "../parameters.ts";

function destinationXml(cidr: Cidr): XmlObject {
  return cidr.family === 4
    ? { destinationCidrBlock: formatCidr(cidr) }
    : { destinationIpv6CidrBlock: formatCidr(cidr) };
}

function targetXml(state: CloudState, target: RouteTarget): XmlObject {
  switch (target.kind) {
    case "internet-gateway":
      return { gatewayId: target.id };
    case "egress-only-internet-gateway":
      return { egressOnlyInternetGatewayId: target.id };
    case "nat-gateway":
      return { natGatewayId: target.id };
    case "eni": {
      const attachment = state.enis.get(target.id)?.attachment;
      return {
        networkInterfaceId: target.id,
        instanceId: attachment?.instanceId,
        instanceOwnerId: attachment?.instanceOwnerId,
      };
    }
  }
}

function localRoutes(state: CloudState, table: RouteTable): XmlObject[] {
  const vpc = findVpc(state, table.vpcId);
  return [...vpc.cidrs, ...vpc.ipv6Cidrs].map(({ cidr }) => ({
    ...destinationXml(cidr),
    gatewayId: "local",
    origin: "CreateRouteTable",
    state: "active",
  }));
}

function routeXml(state: CloudState, table: RouteTable, route: Route): XmlObject {
  return {
    ...destinationXml(route.destination),
    ...targetXml(state, route.target),
    origin: "CreateRoute",
    state: routeState(state, table.vpcId, route.target),
  };
}

function tableXml({ state }: Context, table: RouteTable): XmlObject {
  return {
    associationSet: table.associations.map(({ associationId, subnetId }) => ({
      main: subnetId === undefined,
      routeTableAssociationId: associationId,
      routeTableId: table.routeTableId,
      subnetId,
      associationState: { state: "associated" },
    })),
    propagatingVgwSet: [],
    routeTableId: table.routeTableId,
    routeSet: [...localRoutes(state, table), ...table.routes.map((route) => routeXml(state, table, route))],
    tagSet: tagSet(table.tags),
    vpcId: table.vpcId,
    ownerId: table.ownerId,
  };
}

function filtersOf({ state }: Context): FilterTable<RouteTable> {
  const targets = (kind: RouteTarget["kind"]) => (table: RouteTable) =>
    table.routes.flatMap(({ target }) => (target.kind === kind ? target.id : []));
  const destinations = (family: 4 | 6) => (table: RouteTable) => {
    const vpc = findVpc(state, table.vpcId);
    const all = [...vpc.cidrs, ...vpc.ipv6Cidrs].map(({ cidr }): Cidr => cidr);
    return [...all, ...table.routes.map((route) => route.destination)]
      .filter((cidr) => cidr.family === family)
      .map(formatCidr);
  };
  return {
    "route-table-id": (table) => table.routeTableId,
    "vpc-id": (table) => table.vpcId,
    "owner-id": (table) => table.ownerId,
    "association.main": (table) => table.associations.map((one) => String(one.subnetId === undefined)),
    "association.route-table-association-id": (table) => table.associations.map((one) => one.associationId),
    "association.route-table-id": (table) => (table.associations.length > 0 ? table.routeTableId : undefined),
    "association.subnet-id": (table) => table.associations.flatMap((one) => one.subnetId ?? []),
    "route.destination-cidr-block": destinations(4),
    "route.destination-ipv6-cidr-block": destinations(6),
    "route.gateway-id": (table) => ["local", ...targets("internet-gateway")(table)],
    "route.egress-only-internet-gateway-id": targets("egress-only-internet-gateway"),
    "route.nat-gateway-id": targets("nat-gateway"),
    "route.network-interface-id": targets("eni"),
    "route.origin": (table) => ["CreateRouteTable", ...(table.routes.length > 0 ? ["CreateRoute"] : [])],
    "route.state": (table) => [
      "active",
      ...table.routes.map((route) => routeState(state, table.vpcId, route.target)),
    ],
  };
}

function describeRouteTables({ ctx, params }: Call): XmlObject {
  const ids = params.list("RouteTableId");
  refusePagingOfIds(params, "routeTableIds", ids);
  const all =
    ids === undefined
      ? [...ctx.state.routeTables.values()]
      : [...new Set(ids)].map((id) => findRouteTable(ctx.state, id));
  const page = pageOf(params, all.filter(readFilters(params, filtersOf(ctx))), (table) => table.routeTableId);
  return { routeTableSet: page.items.map((table) => tableXml(ctx, table)), nextToken: page.nextToken };
}

function destinationOf(params: Params): Cidr {
  const ipv4 = params.text("DestinationCidrBlock");
  const ipv6 = params.text("DestinationIpv6CidrBlock");
  if (ipv4 !== undefined && ipv6 !== undefined) {
    throw faults.combination(
      "Only one of destinationCidrBlock and destinationIpv6CidrBlock may be specified.",
    );
  }
  if (ipv6 !== undefined) return cidr6Parameter(ipv6, "destinationIpv6CidrBlock");
  return cidr4Parameter(ipv4 ?? params.required("DestinationCidrBlock"), "destinationCidrBlock");
}

function targetOf(ctx: Context, params: Params): RouteTarget {
  const gatewayId = params.text("GatewayId");
  const instanceId = params.text("InstanceId");
  const said: (RouteTarget | undefined)[] = [
    gatewayId === undefined ? undefined : { kind: "internet-gateway", id: gatewayId },
    target("egress-only-internet-gateway", params.text("EgressOnlyInternetGatewayId")),
    target("nat-gateway", params.text("NatGatewayId")),
    target("eni", params.text("NetworkInterfaceId")),
    instanceId === undefined ? undefined : { kind: "eni", id: onlyInterfaceOf(ctx, instanceId) },
  ];
  const targets = said.filter((one) => one !== undefined);
  if (targets.length !== 1 || targets[0] === undefined) {
    throw targets.length === 0
      ? faults.missing("gatewayId")
      : faults.combination("Exactly one route target must be specified.");
  }
  return targets[0];
}

function target(kind: RouteTarget["kind"], id: string | undefined): RouteTarget | undefined {
  return id === undefined ? undefined : { kind, id };
}

function onlyInterfaceOf(ctx: Context, instanceId: string): string {
  const eniIds = ctx.state.instances.get(instanceId)?.eniIds ?? [];
  const [eniId] = eniIds;
  if (eniId === undefined) throw faults.notFound("InvalidInstanceID.NotFound", "instance ID", instanceId);
  if (eniIds.length > 1) {
    throw faults.invalid(
      `There are multiple interfaces attached to instance '${instanceId}'. Please specify an interface ID for the operation instead.`,
    );
  }
  return eniId;
}

const routeParams = [
  "RouteTableId",
  "DestinationCidrBlock",
  "DestinationIpv6CidrBlock",
  "GatewayId",
  "EgressOnlyInternetGatewayId",
  "NatGatewayId",
  "NetworkInterfaceId",
  "InstanceId",
];

export const routeTableActions = [
  action("DescribeRouteTables", ["RouteTableId", ...listing], describeRouteTables),
  action("CreateRouteTable", ["VpcId", "TagSpecification", "ClientToken"], ({ ctx, params }) => ({
    routeTable: tableXml(
      ctx,
      createRouteTable(ctx, params.required("VpcId"), tagSpecification(params, "route-table")),
    ),
  })),
  action("DeleteRouteTable", ["RouteTableId"], ({ ctx, params }) => {
    deleteRouteTable(ctx, params.required("RouteTableId"));
    return done;
  }),
  action("CreateRoute", routeParams, ({ ctx, params }) => {
    createRoute(ctx, params.required("RouteTableId"), destinationOf(params), targetOf(ctx, params));
    return done;
  }),
  action("ReplaceRoute", routeParams, ({ ctx, params }) => {
    replaceRoute(ctx, params.required("RouteTableId"), destinationOf(params), targetOf(ctx, params));
    return done;
  }),
  action(
    "DeleteRoute",
    ["RouteTableId", "DestinationCidrBlock", "DestinationIpv6CidrBlock"],
    ({ ctx, params }) => {
      deleteRoute(ctx, params.required("RouteTableId"), destinationOf(params));
      return done;
    },
  ),
  action("AssociateRouteTable", ["RouteTableId", "SubnetId"], ({ ctx, params }) => ({
    associationId: associateRouteTable(ctx, params.required("RouteTableId"), params.required("SubnetId")),
    associationState: { state: "associated" },
  })),
  action("DisassociateRouteTable", ["AssociationId"], ({ ctx, params }) => {
    disassociateRouteTable(ctx, params.required("AssociationId"));
    return done;
  }),
  action("ReplaceRouteTableAssociation", ["AssociationId", "RouteTableId"], ({ ctx, params }) => ({
    newAssociationId: replaceAssociation(
      ctx,
      params.required("AssociationId"),
      params.required("RouteTableId"),
    ),
    associationState: { state: "associated" },
  })),
];
