import type { EC2Client, NatGateway, NetworkInterface, RouteTable } from "@aws-sdk/client-ec2";
import { addressHomes } from "../address-homes.ts";

/** What EC2 says of the way out of a VPC. */
export interface WayOut {
  readonly enis: readonly NetworkInterface[];
  readonly routeTables: readonly RouteTable[];
  readonly natGateways: readonly NatGateway[];
}

/** Asks EC2 for all that {@link sourceSeenOutside} needs. */
export async function readWayOut(client: EC2Client): Promise<WayOut> {
  const ec2 = await import("@aws-sdk/client-ec2");
  const [enis, routeTables, natGateways] = await Promise.all([
    client.send(new ec2.DescribeNetworkInterfacesCommand({ MaxResults: 1000 })),
    client.send(new ec2.DescribeRouteTablesCommand({})),
    client.send(new ec2.DescribeNatGatewaysCommand({})),
  ]);
  return {
    enis: enis.NetworkInterfaces ?? [],
    routeTables: routeTables.RouteTables ?? [],
    natGateways: natGateways.NatGateways ?? [],
  };
}

/**
 * The address from which the internet sees what `sender` (an address of some ENI) sends. IPv4: its own public
 * address by an internet gateway, or the elastic address of a NAT gateway; IPv6: itself. Undefined when no way
 * leads out.
 */
export function sourceSeenOutside(wayOut: WayOut, sender: string): string | undefined {
  return sender.includes(":") ? ipv6SeenOutside(wayOut, sender) : ipv4SeenOutside(wayOut, sender);
}

function ipv6SeenOutside(wayOut: WayOut, sender: string): string | undefined {
  const home = addressHomes(wayOut.enis)(sender);
  const eni = wayOut.enis.find(({ NetworkInterfaceId }) => NetworkInterfaceId === home?.eniId);
  if (eni === undefined) return undefined;
  const leadsOut = routesOf(wayOut, eni).some(
    (route) =>
      route.DestinationIpv6CidrBlock === "::/0" &&
      route.State !== "blackhole" &&
      (route.EgressOnlyInternetGatewayId !== undefined || route.GatewayId?.startsWith("igw-")),
  );
  return leadsOut ? sender : undefined;
}

function ipv4SeenOutside(wayOut: WayOut, sender: string): string | undefined {
  const eni = wayOut.enis.find((candidate) => addressOf(candidate, sender) !== undefined);
  if (eni === undefined) return undefined;
  const route = routesOf(wayOut, eni).find(
    ({ DestinationCidrBlock, State }) => DestinationCidrBlock === "0.0.0.0/0" && State !== "blackhole",
  );
  if (route?.NatGatewayId !== undefined) {
    const gateway = wayOut.natGateways.find(({ NatGatewayId }) => NatGatewayId === route.NatGatewayId);
    return gateway?.NatGatewayAddresses?.[0]?.PublicIp;
  }
  return route?.GatewayId?.startsWith("igw-") ? addressOf(eni, sender)?.Association?.PublicIp : undefined;
}

function addressOf(eni: NetworkInterface, address: string) {
  return eni.PrivateIpAddresses?.find(({ PrivateIpAddress }) => PrivateIpAddress === address);
}

/** Routes of the subnet's own table, or of the VPC's main one. */
function routesOf(wayOut: WayOut, eni: NetworkInterface) {
  const ofVpc = wayOut.routeTables.filter(({ VpcId }) => VpcId === eni.VpcId);
  const own = ofVpc.find(({ Associations }) =>
    Associations?.some(({ SubnetId }) => SubnetId === eni.SubnetId),
  );
  const main = ofVpc.find(({ Associations }) => Associations?.some(({ Main }) => Main));
  return (own ?? main)?.Routes ?? [];
}
