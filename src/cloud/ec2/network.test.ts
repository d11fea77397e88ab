import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateRouteTableCommand,
  CreateSecurityGroupCommand,
  CreateSubnetCidrReservationCommand,
  CreateSubnetCommand,
  CreateTagsCommand,
  CreateVpcCommand,
  DeleteTagsCommand,
  DescribeAddressesCommand,
  DescribeAvailabilityZonesCommand,
  DescribeInstanceStatusCommand,
  DescribeInstancesCommand,
  DescribeInternetGatewaysCommand,
  DescribeNatGatewaysCommand,
  DescribeNetworkAclsCommand,
  DescribeNetworkInterfacesCommand,
  DescribeRegionsCommand,
  DescribeRouteTablesCommand,
  DescribeSecurityGroupRulesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeTagsCommand,
  DescribeVpcAttributeCommand,
  DescribeVpcEndpointsCommand,
  DescribeVpcsCommand,
  GetSubnetCidrReservationsCommand,
  ModifySubnetAttributeCommand,
  RevokeSecurityGroupIngressCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { CloudBed, ec2Error } from "../cloud-bed.ts";
import { defaultConfig } from "../config.ts";

let bed: CloudBed;
beforeAll(() => {
  const { vpc } = defaultConfig();
  bed = new CloudBed({ config: { vpc: { ...vpc, ipv6: true } } });
});
afterAll(() => bed[Symbol.dispose]());

describe("the rest of the VPC through the SDK", () => {
  test("describes what was built", async () => {
    const vpcs = await bed.client.send(new DescribeVpcsCommand({}));
    expect(vpcs.Vpcs?.[0]).toMatchObject({
      CidrBlock: "192.168.0.0/16",
      IsDefault: false,
      State: "available",
    });
    const VpcId = vpcs.Vpcs?.[0]?.VpcId ?? "";
    expect(vpcs.Vpcs?.[0]?.Ipv6CidrBlockAssociationSet?.[0]?.Ipv6CidrBlock).toEndWith("/56");
    const byVpc = { Filters: [{ Name: "vpc-id", Values: [VpcId] }] };
    const subnets = await bed.client.send(new DescribeSubnetsCommand(byVpc));
    expect(subnets.Subnets?.map((one) => one.MapPublicIpOnLaunch)).toEqual([true, false, true, false]);
    expect(subnets.Subnets?.every((one) => (one.AvailableIpAddressCount ?? 0) > 8000)).toBe(true);
    const tables = await bed.client.send(new DescribeRouteTablesCommand(byVpc));
    const routes = tables.RouteTables?.flatMap((one) => one.Routes ?? []) ?? [];
    expect(routes.some((one) => one.NatGatewayId?.startsWith("nat-") && one.State === "active")).toBe(true);
    expect(routes.some((one) => one.GatewayId?.startsWith("igw-"))).toBe(true);
    expect(routes.filter((one) => one.GatewayId === "local").length).toBe(
      2 * (tables.RouteTables?.length ?? 0),
    );
    const nats = await bed.client.send(new DescribeNatGatewaysCommand({ Filter: byVpc.Filters }));
    expect(nats.NatGateways?.[0]).toMatchObject({ State: "available", ConnectivityType: "public" });
    const gateways = await bed.client.send(
      new DescribeInternetGatewaysCommand({ Filters: [{ Name: "attachment.vpc-id", Values: [VpcId] }] }),
    );
    expect(gateways.InternetGateways).toHaveLength(1);
    const acls = await bed.client.send(new DescribeNetworkAclsCommand(byVpc));
    expect(acls.NetworkAcls?.[0]).toMatchObject({ IsDefault: true });
    expect(acls.NetworkAcls?.[0]?.Entries?.map((one) => one.RuleNumber)).toEqual([
      100, 101, 32767, 32768, 100, 101, 32767, 32768,
    ]);
    const endpoints = await bed.client.send(new DescribeVpcEndpointsCommand(byVpc));
    expect(endpoints.VpcEndpoints ?? []).toEqual([]);
    const attribute = await bed.client.send(
      new DescribeVpcAttributeCommand({ VpcId, Attribute: "enableDnsHostnames" }),
    );
    expect(attribute.EnableDnsHostnames?.Value).toBe(true);
    const zones = await bed.client.send(new DescribeAvailabilityZonesCommand({}));
    expect(zones.AvailabilityZones?.map((one) => one.ZoneName)).toEqual(["us-west-2a", "us-west-2b"]);
    const regions = await bed.client.send(new DescribeRegionsCommand({}));
    expect(regions.Regions?.[0]?.RegionName).toBe("us-west-2");
    const addresses = await bed.client.send(new DescribeAddressesCommand({}));
    expect(addresses.Addresses?.[0]?.PublicIp).toStartWith("203.0.113.");
  });

  test("a VPC, a subnet, a reservation", async () => {
    const { Vpc } = await bed.client.send(new CreateVpcCommand({ CidrBlock: "10.1.0.0/16" }));
    const VpcId = Vpc?.VpcId ?? "";
    const { Subnet } = await bed.client.send(
      new CreateSubnetCommand({ VpcId, CidrBlock: "10.1.0.0/24", AvailabilityZone: "us-west-2b" }),
    );
    expect(Subnet).toMatchObject({ AvailabilityZoneId: "usw2-az2", AvailableIpAddressCount: 251 });
    const SubnetId = Subnet?.SubnetId ?? "";
    await bed.client.send(
      new ModifySubnetAttributeCommand({ SubnetId, MapPublicIpOnLaunch: { Value: true } }),
    );
    await bed.client.send(
      new CreateSubnetCidrReservationCommand({ SubnetId, Cidr: "10.1.0.128/25", ReservationType: "prefix" }),
    );
    const { SubnetIpv4CidrReservations } = await bed.client.send(
      new GetSubnetCidrReservationsCommand({ SubnetId }),
    );
    expect(SubnetIpv4CidrReservations).toMatchObject([{ Cidr: "10.1.0.128/25", ReservationType: "prefix" }]);
    const { Subnets } = await bed.client.send(new DescribeSubnetsCommand({ SubnetIds: [SubnetId] }));
    expect(Subnets?.[0]).toMatchObject({ AvailableIpAddressCount: 124, MapPublicIpOnLaunch: true });
    const { RouteTable } = await bed.client.send(new CreateRouteTableCommand({ VpcId }));
    expect(RouteTable?.Routes).toMatchObject([{ DestinationCidrBlock: "10.1.0.0/16", GatewayId: "local" }]);
  });

  test("security groups and their rules", async () => {
    const { GroupId = "" } = await bed.client.send(
      new CreateSecurityGroupCommand({
        GroupName: "web",
        Description: "web",
        VpcId: bed.cloud.network.vpcId,
      }),
    );
    const permission = {
      IpProtocol: "tcp",
      FromPort: 80,
      ToPort: 80,
      IpRanges: [{ CidrIp: "10.0.0.0/8", Description: "inside" }],
      UserIdGroupPairs: [{ GroupId }],
    };
    const added = await bed.client.send(
      new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions: [permission] }),
    );
    expect(added.SecurityGroupRules).toHaveLength(2);
    const groups = await bed.client.send(new DescribeSecurityGroupsCommand({ GroupIds: [GroupId] }));
    expect(groups.SecurityGroups?.[0]?.IpPermissions).toMatchObject([permission]);
    expect(groups.SecurityGroups?.[0]?.IpPermissionsEgress?.[0]).toMatchObject({ IpProtocol: "-1" });
    await bed.client.send(
      new RevokeSecurityGroupIngressCommand({
        GroupId,
        SecurityGroupRuleIds: [added.SecurityGroupRules?.[0]?.SecurityGroupRuleId ?? ""],
      }),
    );
    const rules = await bed.client.send(
      new DescribeSecurityGroupRulesCommand({ Filters: [{ Name: "group-id", Values: [GroupId] }] }),
    );
    expect(rules.SecurityGroupRules?.map((one) => one.IsEgress)).toEqual([true, false]);
    expect(rules.SecurityGroupRules?.[1]?.ReferencedGroupInfo?.GroupId).toBe(GroupId);
  });

  test("tags", async () => {
    const { NetworkInterfaceId = "" } = (await bed.newEni()) ?? {};
    const Resources = [NetworkInterfaceId];
    await bed.client.send(
      new CreateTagsCommand({
        Resources,
        Tags: [
          { Key: "a", Value: "1" },
          { Key: "b", Value: "2" },
        ],
      }),
    );
    await bed.client.send(
      new DeleteTagsCommand({ Resources, Tags: [{ Key: "a" }, { Key: "b", Value: "other" }] }),
    );
    const { Tags } = await bed.client.send(
      new DescribeTagsCommand({ Filters: [{ Name: "resource-id", Values: Resources }] }),
    );
    expect(Tags).toEqual([
      { Key: "b", Value: "2", ResourceId: NetworkInterfaceId, ResourceType: "network-interface" },
    ]);
    const reserved = new CreateTagsCommand({ Resources, Tags: [{ Key: "aws:x", Value: "1" }] });
    expect(await ec2Error(bed.client.send(reserved))).toStartWith(
      "InvalidParameterValue: Tag keys starting with 'aws:'",
    );
  });

  test("elastic addresses", async () => {
    const { AllocationId = "" } = await bed.client.send(new AllocateAddressCommand({ Domain: "vpc" }));
    const { NetworkInterfaceId = "" } = (await bed.newEni()) ?? {};
    await bed.client.send(new AssociateAddressCommand({ AllocationId, NetworkInterfaceId }));
    const { NetworkInterfaces } = await bed.client.send(
      new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [NetworkInterfaceId] }),
    );
    expect(NetworkInterfaces?.[0]?.Association?.AllocationId).toBe(AllocationId);
    expect(
      bed.cloud.fabricSpec().enis.find((eni) => eni.eniId === NetworkInterfaceId)?.publicAddresses,
    ).toHaveLength(1);
  });

  test("instances end, and their status is told", async () => {
    const InstanceId = await bed.newInstance("t3.medium");
    const { InstanceStatuses } = await bed.client.send(
      new DescribeInstanceStatusCommand({ InstanceIds: [InstanceId] }),
    );
    expect(InstanceStatuses?.[0]?.InstanceStatus?.Status).toBe("ok");
    const { TerminatingInstances } = await bed.client.send(
      new TerminateInstancesCommand({ InstanceIds: [InstanceId] }),
    );
    expect(TerminatingInstances?.[0]).toMatchObject({
      CurrentState: { Name: "shutting-down", Code: 32 },
      PreviousState: { Name: "running", Code: 16 },
    });
    const { Reservations } = await bed.client.send(
      new DescribeInstancesCommand({ Filters: [{ Name: "instance-state-name", Values: ["terminated"] }] }),
    );
    expect(Reservations?.flatMap((one) => one.Instances?.map((it) => it.InstanceId))).toContain(InstanceId);
  });
});

test("after all that the model is sound", () => {
  expect(bed.cloud.check()).toEqual([]);
});
