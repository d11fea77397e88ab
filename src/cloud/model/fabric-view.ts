import type {
  FabricEni,
  FabricNatGateway,
  FabricPlace,
  FabricRoute,
  FabricSpec,
  FabricSubnet,
} from "../fabric/spec.ts";
import { block28, block80 } from "./address-taking.ts";
import { findVpc } from "./lookup.ts";
import type { NetworkInterface } from "./network-interface.ts";
import { type PublicAssociation, publicAssociations } from "./public-addresses.ts";
import { type Route, routeState, routeTableOf } from "./route-table.ts";
import type { CloudState } from "./state.ts";
import type { Subnet } from "./subnet.ts";

/** The packet plane that the model wants for one VPC. */
export function fabricSpec(state: CloudState, vpcId: string): FabricSpec {
  const vpc = findVpc(state, vpcId);
  const inVpc = (resource: { readonly vpcId: string | undefined }): boolean => resource.vpcId === vpcId;
  const published = publicAssociations(state);
  return {
    vpcCidrs: [...vpc.cidrs, ...vpc.ipv6Cidrs].map((association) => association.cidr),
    subnets: [...state.subnets.values()].filter(inVpc).map((subnet) => fabricSubnet(state, subnet)),
    enis: [...state.enis.values()]
      .filter(inVpc)
      .map((eni) => fabricEni(state, eni, published.get(eni.eniId))),
    natGateways: [...state.natGateways.values()]
      .filter((gateway) => inVpc(gateway) && gateway.state === "available")
      .map(({ natGatewayId, eniId }): FabricNatGateway => ({ natGatewayId, eniId })),
    internetGateway: state.internetGateways.values().some(inVpc),
    egressOnlyInternetGateway: state.egressOnlyGateways.values().some(inVpc),
  };
}

function fabricSubnet(state: CloudState, subnet: Subnet): FabricSubnet {
  const ipv6 = subnet.ipv6Cidrs[0]?.cidr;
  return {
    subnetId: subnet.subnetId,
    cidr: subnet.cidr,
    ...(ipv6 === undefined ? {} : { ipv6 }),
    routes: routeTableOf(state, subnet.subnetId).routes.map((route) =>
      fabricRoute(state, subnet.vpcId, route),
    ),
  };
}

function fabricRoute(state: CloudState, vpcId: string, { destination, target }: Route): FabricRoute {
  const ready =
    routeState(state, vpcId, target) === "active" &&
    (target.kind !== "nat-gateway" || state.natGateways.get(target.id)?.state === "available");
  if (!ready) return { destination, target: { kind: "blackhole" } };
  switch (target.kind) {
    case "nat-gateway":
      return { destination, target: { kind: "nat-gateway", natGatewayId: target.id } };
    case "eni":
      return { destination, target: { kind: "eni", eniId: target.id } };
    default:
      return { destination, target: { kind: target.kind } };
  }
}

function fabricEni(
  state: CloudState,
  eni: NetworkInterface,
  published: readonly PublicAssociation[] = [],
): FabricEni {
  const place = placeOf(state, eni);
  return {
    eniId: eni.eniId,
    subnetId: eni.subnetId,
    mac: eni.mac,
    addresses: [...eni.addresses],
    prefixes: eni.prefixes.map(block28),
    ipv6Addresses: [...eni.ipv6Addresses],
    ipv6Prefixes: eni.ipv6Prefixes.map(block80),
    ...(published.length === 0
      ? {}
      : {
          publicAddresses: published.map(({ privateAddress, address }) => ({
            privateAddress,
            publicAddress: address,
          })),
        }),
    sourceDestCheck: eni.sourceDestCheck,
    ...(place === undefined ? {} : { place }),
  };
}

/** The device is in the machine while the attachment is "attached" and the machine runs. */
function placeOf(state: CloudState, eni: NetworkInterface): FabricPlace | undefined {
  const { attachment } = eni;
  if (attachment?.status !== "attached" || attachment.place === undefined) return undefined;
  const { instanceId, place, deviceName } = attachment;
  if (instanceId !== undefined && state.instances.get(instanceId)?.state !== "running") return undefined;
  return { place, device: deviceName };
}

/** Kinds of resources whose change may change the packet plane. */
export const fabricKinds: ReadonlySet<string> = new Set([
  "vpc",
  "subnet",
  "network-interface",
  "instance",
  "route-table",
  "internet-gateway",
  "egress-only-internet-gateway",
  "natgateway",
  "elastic-ip",
]);
