import { describe, expect, test } from "bun:test";
import { parseCidr } from "../../addr/cidr.ts";
import type { Ipv4 } from "../../addr/ipv4.ts";
import { detachEni } from "./attachment.ts";
import {
  allocateElasticIp,
  associateElasticIp,
  disassociateElasticIp,
  releaseElasticIp,
} from "./elastic-ip.ts";
import { fabricSpec } from "./fabric-view.ts";
import {
  attachInternetGateway,
  createEgressOnlyGateway,
  createInternetGateway,
  deleteEgressOnlyGateway,
  deleteInternetGateway,
  detachInternetGateway,
} from "./gateway.ts";
import { checkCloud } from "./invariants.ts";
import { codeOf, ip, ModelBed } from "./model-bed.ts";
import { createNatGateway, deleteNatGateway } from "./nat-gateway.ts";
import { deleteEni } from "./network-interface.ts";
import { assignPrivateAddresses, unassignPrivateAddresses } from "./private-addresses.ts";
import {
  associateRouteTable,
  createRoute,
  createRouteTable,
  deleteRoute,
  deleteRouteTable,
  disassociateRouteTable,
  type RouteTarget,
  replaceAssociation,
  replaceRoute,
  routeState,
  routeTableOf,
} from "./route-table.ts";

function network() {
  const bed = new ModelBed();
  const vpc = bed.vpc();
  const subnet = bed.subnet(vpc, "10.0.0.0/24");
  const { gatewayId } = createInternetGateway(bed.ctx);
  attachInternetGateway(bed.ctx, gatewayId, vpc.vpcId);
  const internet: RouteTarget = { kind: "internet-gateway", id: gatewayId };
  const main = vpc.mainRouteTableId;
  return { bed, vpc, subnet, gatewayId, internet, main };
}

const anywhere = parseCidr("0.0.0.0/0");
const anywhere6 = parseCidr("::/0");

describe("internet gateways", () => {
  test("one per VPC, one VPC per gateway", () => {
    const { bed, vpc, gatewayId } = network();
    const second = createInternetGateway(bed.ctx).gatewayId;
    expect(codeOf(() => attachInternetGateway(bed.ctx, gatewayId, vpc.vpcId))).toBe(
      "Resource.AlreadyAssociated",
    );
    expect(codeOf(() => attachInternetGateway(bed.ctx, second, vpc.vpcId))).toBe("InvalidParameterValue");
    expect(codeOf(() => attachInternetGateway(bed.ctx, "igw-0", vpc.vpcId))).toBe(
      "InvalidInternetGatewayID.NotFound",
    );
    expect(codeOf(() => detachInternetGateway(bed.ctx, second, vpc.vpcId))).toBe("Gateway.NotAttached");
  });

  test("leave only when no public address is mapped, and are deleted only when detached", () => {
    const { bed, vpc, subnet, gatewayId } = network();
    const { allocationId } = allocateElasticIp(bed.ctx);
    const { eniId } = bed.eni(subnet);
    const associationId = associateElasticIp(bed.ctx, { allocationId, eniId, allowReassociation: false });
    expect(codeOf(() => detachInternetGateway(bed.ctx, gatewayId, vpc.vpcId))).toBe("DependencyViolation");
    expect(codeOf(() => deleteInternetGateway(bed.ctx, gatewayId))).toBe("DependencyViolation");
    disassociateElasticIp(bed.ctx, associationId);
    detachInternetGateway(bed.ctx, gatewayId, vpc.vpcId);
    deleteInternetGateway(bed.ctx, gatewayId);
    expect(bed.state.internetGateways.size).toBe(0);
  });
});

describe("elastic addresses", () => {
  test("come from the public block, five at the most, and go back", () => {
    const { bed } = network();
    const all = Array.from({ length: 5 }, () => allocateElasticIp(bed.ctx));
    expect(new Set(all.map((one) => one.address)).size).toBe(5);
    expect(codeOf(() => allocateElasticIp(bed.ctx))).toBe("AddressLimitExceeded");
    for (const { allocationId } of all) releaseElasticIp(bed.ctx, allocationId);
    expect(codeOf(() => releaseElasticIp(bed.ctx, all[0]?.allocationId ?? ""))).toBe(
      "InvalidAllocationID.NotFound",
    );
  });

  test("need a gateway, move only when allowed, and serve primary addresses", () => {
    const { bed, subnet } = network();
    const { allocationId } = allocateElasticIp(bed.ctx);
    const first = bed.eni(subnet, { addressCount: 1 });
    const second = bed.eni(subnet);
    const associate = (eniId: string, allowReassociation: boolean) => () =>
      associateElasticIp(bed.ctx, { allocationId, eniId, allowReassociation });
    expect(codeOf(associate(bed.eni(bed.loneSubnet("10.7.0.0/24")).eniId, false))).toBe(
      "Gateway.NotAttached",
    );
    associate(first.eniId, false)();
    expect(codeOf(associate(second.eniId, false))).toBe("Resource.AlreadyAssociated");
    expect(codeOf(() => releaseElasticIp(bed.ctx, allocationId))).toBe("InvalidIPAddress.InUse");
    associate(second.eniId, true)();
    expect(bed.state.elasticIps.get(allocationId)?.association?.eniId).toBe(second.eniId);
    deleteEni(bed.ctx, second.eniId);
    expect(bed.state.elasticIps.get(allocationId)?.association).toBeUndefined();
  });
});

describe("elastic addresses of secondary addresses", () => {
  const bedWithTwo = () => {
    const { bed, subnet } = network();
    const eni = bed.eni(subnet);
    const { addresses } = assignPrivateAddresses(bed.ctx, { eniId: eni.eniId, addressCount: 1 });
    const [primary = ip("0.0.0.0")] = eni.addresses;
    const [secondary = ip("0.0.0.0")] = addresses;
    const associate = (privateAddress: Ipv4): string => {
      const { allocationId } = allocateElasticIp(bed.ctx);
      associateElasticIp(bed.ctx, {
        allocationId,
        eniId: eni.eniId,
        privateAddress,
        allowReassociation: false,
      });
      return allocationId;
    };
    const associationOf = (allocationId: string) => bed.state.elasticIps.get(allocationId)?.association;
    return { bed, subnet, eni, primary, secondary, associate, associationOf };
  };

  test("stand beside the primary one's, and the packet plane translates both", () => {
    const { bed, eni, primary, secondary, associate } = bedWithTwo();
    associate(primary);
    associate(secondary);
    expect(codeOf(() => associate(secondary))).toBe("Resource.AlreadyAssociated");
    const wanted = fabricSpec(bed.state, eni.vpcId).enis.find(({ eniId }) => eniId === eni.eniId);
    expect(wanted?.publicAddresses?.map(({ privateAddress }) => privateAddress)).toEqual([
      primary,
      secondary,
    ]);
  });

  test("are free when it is unassigned, and follow it to another interface", () => {
    const { bed, subnet, eni, primary, secondary, associate, associationOf } = bedWithTwo();
    const [first, second] = [associate(primary), associate(secondary)];
    const other = bed.eni(subnet);
    assignPrivateAddresses(bed.ctx, {
      eniId: other.eniId,
      addresses: [secondary],
      allowReassignment: true,
    });
    expect(associationOf(second)).toMatchObject({ eniId: other.eniId, privateAddress: secondary });
    unassignPrivateAddresses(bed.ctx, { eniId: other.eniId, addresses: [secondary] });
    expect(associationOf(second)).toBeUndefined();
    expect(associationOf(first)).toMatchObject({ eniId: eni.eniId, privateAddress: primary });
  });
});

describe("NAT gateways", () => {
  test("have an interface of their own that customers leave alone", () => {
    const { bed, subnet } = network();
    const { allocationId, address } = allocateElasticIp(bed.ctx);
    const gateway = createNatGateway(bed.ctx, { subnetId: subnet.subnetId, allocationId });
    const eni = bed.state.enis.get(gateway.eniId);
    expect(eni).toMatchObject({
      interfaceType: "natGateway",
      description: `Interface for NAT Gateway ${gateway.natGatewayId}`,
      requesterManaged: true,
      groups: [],
      sourceDestCheck: false,
      status: "in-use",
    });
    expect(gateway).toMatchObject({ state: "available", publicAddress: address });
    expect(codeOf(() => deleteEni(bed.ctx, gateway.eniId))).toBe("OperationNotPermitted");
    expect(codeOf(() => detachEni(bed.ctx, eni?.attachment?.attachmentId ?? ""))).toBe(
      "OperationNotPermitted",
    );
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("take their time to come and to go", () => {
    const { bed, subnet, main } = network();
    bed.settings = { ...bed.settings, transitionsMs: { ...bed.settings.transitionsMs, natGateway: 100 } };
    const { allocationId } = allocateElasticIp(bed.ctx);
    const gateway = createNatGateway(bed.ctx, { subnetId: subnet.subnetId, allocationId });
    createRoute(bed.ctx, main, anywhere, { kind: "nat-gateway", id: gateway.natGatewayId });
    expect(gateway.state).toBe("pending");
    const targets = () =>
      fabricSpec(bed.state, subnet.vpcId).subnets[0]?.routes.map((route) => route.target.kind);
    expect(targets()).toEqual(["blackhole"]);
    bed.pass(100);
    expect(gateway.state).toBe("available");
    expect(targets()).toEqual(["nat-gateway"]);
    deleteNatGateway(bed.ctx, gateway.natGatewayId);
    expect(gateway.state).toBe("deleting");
    bed.pass(100);
    expect(gateway.state).toBe("deleted");
    expect(bed.state.enis.has(gateway.eniId)).toBe(false);
    expect(bed.state.elasticIps.get(allocationId)?.association).toBeUndefined();
    expect(routeState(bed.state, subnet.vpcId, { kind: "nat-gateway", id: gateway.natGatewayId })).toBe(
      "blackhole",
    );
    bed.pass(3_600_000);
    expect(bed.state.natGateways.size).toBe(0);
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("need an address that is free, and a way out", () => {
    const { bed, subnet } = network();
    const { subnetId } = subnet;
    const { allocationId } = allocateElasticIp(bed.ctx);
    expect(codeOf(() => createNatGateway(bed.ctx, { subnetId }))).toBe("MissingParameter");
    expect(codeOf(() => createNatGateway(bed.ctx, { subnetId, allocationId: "eipalloc-0" }))).toBe(
      "InvalidAllocationID.NotFound",
    );
    expect(codeOf(() => createNatGateway(bed.ctx, { subnetId, allocationId, connectivity: "private" }))).toBe(
      "InvalidParameterCombination",
    );
    const closed = bed.loneSubnet("10.7.0.0/24").subnetId;
    expect(codeOf(() => createNatGateway(bed.ctx, { subnetId: closed, allocationId }))).toBe(
      "Gateway.NotAttached",
    );
    createNatGateway(bed.ctx, { subnetId, allocationId });
    expect(codeOf(() => createNatGateway(bed.ctx, { subnetId, allocationId }))).toBe(
      "Resource.AlreadyAssociated",
    );
    expect(codeOf(() => createNatGateway(bed.ctx, { subnetId: closed, connectivity: "private" }))).toBe(
      "no fault",
    );
    expect(codeOf(() => deleteNatGateway(bed.ctx, "nat-0"))).toBe("NatGatewayNotFound");
  });
});

describe("routes", () => {
  test("one per destination, replaced and deleted by it", () => {
    const { bed, subnet, internet, main } = network();
    createRoute(bed.ctx, main, anywhere, internet);
    expect(codeOf(() => createRoute(bed.ctx, main, anywhere, internet))).toBe("RouteAlreadyExists");
    const eni = bed.eni(subnet);
    replaceRoute(bed.ctx, main, anywhere, { kind: "eni", id: eni.eniId });
    expect(routeState(bed.state, subnet.vpcId, { kind: "eni", id: eni.eniId })).toBe("blackhole");
    bed.attach(eni, bed.instance(subnet));
    expect(routeState(bed.state, subnet.vpcId, { kind: "eni", id: eni.eniId })).toBe("active");
    deleteRoute(bed.ctx, main, anywhere);
    expect(codeOf(() => deleteRoute(bed.ctx, main, anywhere))).toBe("InvalidRoute.NotFound");
    expect(codeOf(() => replaceRoute(bed.ctx, main, anywhere, internet))).toBe("InvalidRoute.NotFound");
  });

  test.each([
    ["169.254.169.0/24", "InvalidParameterValue"],
    ["10.0.0.0/16", "RouteAlreadyExists"],
    ["10.0.0.0/24", "InvalidParameterValue"],
    ["fd00:ec2::/64", "InvalidParameterValue"],
    ["172.16.0.0/12", "no fault"],
  ])("to %s by the internet gateway: %s", (destination, code) => {
    const { bed, internet, main } = network();
    expect(codeOf(() => createRoute(bed.ctx, main, parseCidr(destination), internet))).toBe(code);
  });

  test("more specific than local lead to interfaces only", () => {
    const { bed, subnet, main } = network();
    const { eniId: id } = bed.eni(subnet);
    expect(codeOf(() => createRoute(bed.ctx, main, parseCidr("10.0.0.0/24"), { kind: "eni", id }))).toBe(
      "no fault",
    );
  });

  test("lead to what is in the VPC", () => {
    const { bed, main } = network();
    const stray = createInternetGateway(bed.ctx).gatewayId;
    const other = bed.eni(bed.loneSubnet("10.7.0.0/24")).eniId;
    const to = (target: RouteTarget) => () => createRoute(bed.ctx, main, anywhere, target);
    expect(codeOf(to({ kind: "internet-gateway", id: stray }))).toBe("InvalidParameterValue");
    expect(codeOf(to({ kind: "internet-gateway", id: "igw-0" }))).toBe("InvalidGatewayID.NotFound");
    expect(codeOf(to({ kind: "nat-gateway", id: "nat-0" }))).toBe("InvalidNatGatewayID.NotFound");
    expect(codeOf(to({ kind: "eni", id: other }))).toBe("InvalidParameterValue");
    expect(codeOf(to({ kind: "egress-only-internet-gateway", id: "eigw-0" }))).toBe(
      "InvalidGatewayID.NotFound",
    );
  });

  test("through an egress-only gateway are IPv6, and a gateway that has gone is a black hole", () => {
    const { bed, vpc, main } = network();
    const { gatewayId: id } = createEgressOnlyGateway(bed.ctx, vpc.vpcId);
    const target = { kind: "egress-only-internet-gateway", id } as const;
    expect(codeOf(() => createRoute(bed.ctx, main, anywhere, target))).toBe("InvalidParameterValue");
    createRoute(bed.ctx, main, anywhere6, target);
    deleteEgressOnlyGateway(bed.ctx, id);
    expect(routeState(bed.state, vpc.vpcId, target)).toBe("blackhole");
    expect(codeOf(() => deleteEgressOnlyGateway(bed.ctx, id))).toBe("InvalidGatewayID.NotFound");
  });

  test("are so many at the most", () => {
    const { bed, internet, main } = network();
    bed.settings = { ...bed.settings, limits: { ...bed.settings.limits, routesPerTable: 1 } };
    createRoute(bed.ctx, main, anywhere, internet);
    expect(codeOf(() => createRoute(bed.ctx, main, parseCidr("172.16.0.0/12"), internet))).toBe(
      "RouteLimitExceeded",
    );
  });
});

describe("route tables", () => {
  test("a subnet uses its own, else the main one", () => {
    const { bed, vpc, subnet, main } = network();
    expect(routeTableOf(bed.state, subnet.subnetId).routeTableId).toBe(main);
    const table = createRouteTable(bed.ctx, vpc.vpcId);
    const associationId = associateRouteTable(bed.ctx, table.routeTableId, subnet.subnetId);
    expect(associateRouteTable(bed.ctx, table.routeTableId, subnet.subnetId)).toBe(associationId);
    expect(routeTableOf(bed.state, subnet.subnetId)).toBe(table);
    expect(codeOf(() => associateRouteTable(bed.ctx, main, subnet.subnetId))).toBe(
      "Resource.AlreadyAssociated",
    );
    expect(codeOf(() => deleteRouteTable(bed.ctx, table.routeTableId))).toBe("DependencyViolation");
    disassociateRouteTable(bed.ctx, associationId);
    deleteRouteTable(bed.ctx, table.routeTableId);
    expect(codeOf(() => deleteRouteTable(bed.ctx, table.routeTableId))).toBe("InvalidRouteTableID.NotFound");
  });

  test("another table becomes the main one by replacing its association", () => {
    const { bed, vpc, subnet, main } = network();
    const table = createRouteTable(bed.ctx, vpc.vpcId);
    const [association] = bed.state.routeTables.get(main)?.associations ?? [];
    expect(codeOf(() => disassociateRouteTable(bed.ctx, association?.associationId ?? ""))).toBe(
      "InvalidParameterValue",
    );
    replaceAssociation(bed.ctx, association?.associationId ?? "", table.routeTableId);
    expect(vpc.mainRouteTableId).toBe(table.routeTableId);
    expect(routeTableOf(bed.state, subnet.subnetId)).toBe(table);
    deleteRouteTable(bed.ctx, main);
    expect(codeOf(() => replaceAssociation(bed.ctx, "rtbassoc-0", table.routeTableId))).toBe(
      "InvalidAssociationID.NotFound",
    );
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("stay in their VPC", () => {
    const { bed, main } = network();
    expect(codeOf(() => associateRouteTable(bed.ctx, main, bed.loneSubnet("10.7.0.0/24").subnetId))).toBe(
      "InvalidParameterValue",
    );
    expect(codeOf(() => createRouteTable(bed.ctx, "vpc-0"))).toBe("InvalidVpcID.NotFound");
  });
});
