import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  AllocateAddressCommand,
  AssignIpv6AddressesCommand,
  AssignPrivateIpAddressesCommand,
  AssociateAddressCommand,
  AttachNetworkInterfaceCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateNetworkInterfaceCommand,
  CreateRouteTableCommand,
  CreateSecurityGroupCommand,
  CreateSubnetCidrReservationCommand,
  CreateSubnetCommand,
  CreateTagsCommand,
  CreateVpcCommand,
  DeleteNetworkInterfaceCommand,
  DeleteTagsCommand,
  DescribeAddressesCommand,
  DescribeAvailabilityZonesCommand,
  DescribeInstanceStatusCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypesCommand,
  DescribeInternetGatewaysCommand,
  DescribeNatGatewaysCommand,
  DescribeNetworkAclsCommand,
  DescribeNetworkInterfaceAttributeCommand,
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
  DetachNetworkInterfaceCommand,
  GetSubnetCidrReservationsCommand,
  ModifyNetworkInterfaceAttributeCommand,
  ModifySubnetAttributeCommand,
  paginateDescribeInstanceTypes,
  paginateDescribeNetworkInterfaces,
  RevokeSecurityGroupIngressCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
  UnassignPrivateIpAddressesCommand,
} from "@aws-sdk/client-ec2";
import { CloudBed, ec2Error } from "../cloud-bed.ts";
import { defaultConfig } from "../config.ts";

let bed: CloudBed;
beforeAll(() => {
  const { vpc } = defaultConfig();
  bed = new CloudBed({ config: { vpc: { ...vpc, ipv6: true } } });
});
afterAll(() => bed[Symbol.dispose]());

async function newEni(input: Partial<ConstructorParameters<typeof CreateNetworkInterfaceCommand>[0]> = {}) {
  const SubnetId = bed.subnetId("private-us-west-2a");
  const { NetworkInterface } = await bed.client.send(
    new CreateNetworkInterfaceCommand({ SubnetId, ...input }),
  );
  return NetworkInterface;
}

async function newInstance(InstanceType: "m5.large" | "t3.medium" = "m5.large") {
  const SubnetId = bed.subnetId("private-us-west-2a");
  const { Instances } = await bed.client.send(
    new RunInstancesCommand({ InstanceType, ImageId: "ami-0123", MinCount: 1, MaxCount: 1, SubnetId }),
  );
  return Instances?.[0]?.InstanceId ?? "";
}

describe("network interfaces through the SDK", () => {
  test("create answers what the SDK reads, and describe shows the same", async () => {
    const created = await newEni({
      Description: 'aws-K8S-i-1 <&> "x"',
      SecondaryPrivateIpAddressCount: 2,
      ConnectionTrackingSpecification: { UdpTimeout: 45 },
      TagSpecifications: [
        {
          ResourceType: "network-interface",
          Tags: [{ Key: "node.k8s.amazonaws.com/instance_id", Value: "i-1" }],
        },
      ],
    });
    expect(created).toMatchObject({ Status: "pending", InterfaceType: "interface", SourceDestCheck: true });
    const id = created?.NetworkInterfaceId ?? "";
    const { NetworkInterfaces } = await bed.client.send(
      new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [id] }),
    );
    const [seen] = NetworkInterfaces ?? [];
    expect(seen).toMatchObject({
      NetworkInterfaceId: id,
      Description: 'aws-K8S-i-1 <&> "x"',
      Status: "available",
      OwnerId: "111122223333",
      AvailabilityZone: "us-west-2a",
      ConnectionTrackingConfiguration: { UdpTimeout: 45 },
      TagSet: [{ Key: "node.k8s.amazonaws.com/instance_id", Value: "i-1" }],
      RequesterManaged: false,
    });
    expect(seen?.PrivateIpAddresses?.map((one) => one.Primary)).toEqual([true, false, false]);
    expect(seen?.PrivateIpAddress).toBe(seen?.PrivateIpAddresses?.[0]?.PrivateIpAddress ?? "");
    expect(seen?.Ipv4Prefixes).toBeUndefined();
    expect(seen?.Groups?.[0]?.GroupName).toBe("default");
    expect(seen?.PrivateDnsName).toMatch(/^ip-192-168-\d+-\d+\.us-west-2\.compute\.internal$/);
  });

  test("attach, delete on termination, detach, delete", async () => {
    const InstanceId = await newInstance();
    const { NetworkInterfaceId = "" } = (await newEni()) ?? {};
    const { AttachmentId = "", NetworkCardIndex } = await bed.client.send(
      new AttachNetworkInterfaceCommand({
        InstanceId,
        NetworkInterfaceId,
        DeviceIndex: 1,
        NetworkCardIndex: 0,
      }),
    );
    expect(NetworkCardIndex).toBe(0);
    await bed.client.send(
      new ModifyNetworkInterfaceAttributeCommand({
        NetworkInterfaceId,
        Attachment: { AttachmentId, DeleteOnTermination: true },
      }),
    );
    const { Reservations } = await bed.client.send(
      new DescribeInstancesCommand({ InstanceIds: [InstanceId] }),
    );
    expect(Reservations).toHaveLength(1);
    const [instance] = Reservations?.[0]?.Instances ?? [];
    expect(instance).toMatchObject({ State: { Name: "running", Code: 16 }, InstanceType: "m5.large" });
    expect(instance?.NetworkInterfaces?.map((one) => one.Attachment?.DeviceIndex)).toEqual([0, 1]);
    expect(instance?.NetworkInterfaces?.map((one) => one.InterfaceType)).toEqual(["interface", "interface"]);
    const described = await bed.client.send(
      new DescribeNetworkInterfacesCommand({
        Filters: [{ Name: "attachment.instance-id", Values: [InstanceId] }],
      }),
    );
    expect(described.NetworkInterfaces?.map((one) => one.Attachment?.DeleteOnTermination)).toEqual([
      true,
      true,
    ]);
    expect(await ec2Error(bed.client.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId })))).toBe(
      `InvalidParameterValue: Network interface '${NetworkInterfaceId}' is currently in use.`,
    );
    await bed.client.send(new DetachNetworkInterfaceCommand({ AttachmentId }));
    await bed.client.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId }));
    expect(await ec2Error(bed.client.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId })))).toBe(
      `InvalidNetworkInterfaceID.NotFound: The networkInterface ID '${NetworkInterfaceId}' does not exist`,
    );
  });

  test("assign answers the new addresses and prefixes only", async () => {
    const { NetworkInterfaceId = "" } = (await newEni({ SecondaryPrivateIpAddressCount: 1 })) ?? {};
    const assign = (input: object) =>
      bed.client.send(new AssignPrivateIpAddressesCommand({ NetworkInterfaceId, ...input }));
    const addresses = await assign({ SecondaryPrivateIpAddressCount: 2 });
    expect(addresses.AssignedPrivateIpAddresses).toHaveLength(2);
    const prefixes = await assign({ Ipv4PrefixCount: 2 });
    expect(prefixes.AssignedIpv4Prefixes?.map((one) => one.Ipv4Prefix?.endsWith("/28"))).toEqual([
      true,
      true,
    ]);
    expect(prefixes.AssignedPrivateIpAddresses ?? []).toEqual([]);
    const six = await bed.client.send(
      new AssignIpv6AddressesCommand({ NetworkInterfaceId, Ipv6PrefixCount: 1 }),
    );
    expect(six.AssignedIpv6Prefixes?.[0]).toEndWith("/80");
    await bed.client.send(
      new UnassignPrivateIpAddressesCommand({
        NetworkInterfaceId,
        Ipv4Prefixes: [prefixes.AssignedIpv4Prefixes?.[0]?.Ipv4Prefix ?? ""],
      }),
    );
    const { NetworkInterfaces } = await bed.client.send(
      new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [NetworkInterfaceId] }),
    );
    expect(NetworkInterfaces?.[0]?.Ipv4Prefixes).toHaveLength(1);
    expect(NetworkInterfaces?.[0]?.Ipv6Prefixes).toHaveLength(1);
    expect(
      await ec2Error(
        bed.client.send(
          new UnassignPrivateIpAddressesCommand({
            NetworkInterfaceId,
            PrivateIpAddresses: ["192.168.99.99"],
          }),
        ),
      ),
    ).toBe(
      `InvalidParameterValue: Some of the specified addresses are not assigned to interface ${NetworkInterfaceId}`,
    );
  });

  test("explicit addresses and prefixes are read in the form of each action", async () => {
    const created = await newEni({
      PrivateIpAddresses: [
        { PrivateIpAddress: "192.168.64.10", Primary: true },
        { PrivateIpAddress: "192.168.64.11", Primary: false },
      ],
    });
    expect(created?.PrivateIpAddresses?.map((one) => one.PrivateIpAddress)).toEqual([
      "192.168.64.10",
      "192.168.64.11",
    ]);
    const prefixed = await newEni({
      PrivateIpAddress: "192.168.64.12",
      Ipv4Prefixes: [{ Ipv4Prefix: "192.168.64.32/28" }],
    });
    expect(prefixed?.Ipv4Prefixes).toEqual([{ Ipv4Prefix: "192.168.64.32/28" }]);
    expect(await ec2Error(newEni({ Ipv4PrefixCount: 1, SecondaryPrivateIpAddressCount: 1 }))).toStartWith(
      "InvalidParameterCombination",
    );
    expect(await ec2Error(newEni({ PrivateIpAddress: "300.1.1.1" }))).toBe(
      "InvalidParameterValue: Value (300.1.1.1) for parameter privateIpAddress is invalid. Invalid IPv4 address.",
    );
  });

  test("attributes are described and changed one by one", async () => {
    const { NetworkInterfaceId = "" } = (await newEni()) ?? {};
    const modify = (input: object) =>
      bed.client.send(new ModifyNetworkInterfaceAttributeCommand({ NetworkInterfaceId, ...input }));
    await modify({ Description: { Value: "changed" } });
    await modify({ SourceDestCheck: { Value: false } });
    const describe = (Attribute: "description" | "sourceDestCheck" | "groupSet") =>
      bed.client.send(new DescribeNetworkInterfaceAttributeCommand({ NetworkInterfaceId, Attribute }));
    expect((await describe("description")).Description?.Value).toBe("changed");
    expect((await describe("sourceDestCheck")).SourceDestCheck?.Value).toBe(false);
    expect((await describe("groupSet")).Groups?.[0]?.GroupName).toBe("default");
    expect(
      await ec2Error(modify({ Description: { Value: "x" }, SourceDestCheck: { Value: true } })),
    ).toStartWith("InvalidParameterCombination");
    expect(await ec2Error(modify({}))).toStartWith("MissingParameter");
  });
});

describe("filters and pages", () => {
  test("filters add up, values are alternatives, wildcards and tags work", async () => {
    const tag = (Key: string, Value: string) => ({
      TagSpecifications: [{ ResourceType: "network-interface" as const, Tags: [{ Key, Value }] }],
    });
    const first = await newEni({ Description: "filter-one", ...tag("team", "red*") });
    const second = await newEni({ Description: "filter-two", ...tag("team", "blue") });
    const ids = async (...Filters: { Name: string; Values: string[] }[]) => {
      const { NetworkInterfaces } = await bed.client.send(new DescribeNetworkInterfacesCommand({ Filters }));
      return NetworkInterfaces?.map((one) => one.NetworkInterfaceId ?? "") ?? [];
    };
    const both = [first?.NetworkInterfaceId ?? "", second?.NetworkInterfaceId ?? ""];
    expect(await ids({ Name: "description", Values: ["filter-*"] })).toEqual(both);
    expect(await ids({ Name: "description", Values: ["filter-???"] })).toEqual(both);
    expect(await ids({ Name: "tag:team", Values: ["red\\*", "green"] })).toEqual(both.slice(0, 1));
    expect(await ids({ Name: "tag-key", Values: ["team"] }, { Name: "tag:team", Values: ["blue"] })).toEqual(
      both.slice(1),
    );
    expect(
      await ids({ Name: "description", Values: ["filter-*"] }, { Name: "status", Values: ["in-use"] }),
    ).toEqual([]);
    expect(
      await ids({ Name: "addresses.private-ip-address", Values: [second?.PrivateIpAddress ?? ""] }),
    ).toEqual(both.slice(1));
    expect(await ec2Error(ids({ Name: "colour", Values: ["red"] }))).toBe(
      "InvalidParameterValue: The filter 'colour' is invalid",
    );
  });

  test("pages are as large as asked for and add up to the whole", async () => {
    for (let n = 0; n < 7; n++) await newEni({ Description: "page" });
    const pages = [];
    const input = { MaxResults: 5, Filters: [{ Name: "description", Values: ["page"] }] };
    for await (const page of paginateDescribeNetworkInterfaces({ client: bed.client }, input)) {
      pages.push(page.NetworkInterfaces?.length);
    }
    expect(pages).toEqual([5, 2]);
    const describe = (more: object) => bed.client.send(new DescribeNetworkInterfacesCommand(more));
    expect(await ec2Error(describe({ MaxResults: 4 }))).toStartWith("InvalidParameterValue: Value (4)");
    expect(await ec2Error(describe({ NextToken: "nonsense" }))).toBe(
      "InvalidParameterValue: Unable to parse pagination token",
    );
    const { NetworkInterfaceId = "" } = (await newEni()) ?? {};
    expect(
      await ec2Error(describe({ MaxResults: 5, NetworkInterfaceIds: [NetworkInterfaceId] })),
    ).toStartWith("InvalidParameterCombination");
  });

  test("instance types page by themselves, by names and by filters", async () => {
    let count = 0;
    for await (const page of paginateDescribeInstanceTypes({ client: bed.client }, {})) {
      expect(page.InstanceTypes?.length).toBeLessThanOrEqual(100);
      count += page.InstanceTypes?.length ?? 0;
    }
    expect(count).toBeGreaterThan(1000);
    const { InstanceTypes } = await bed.client.send(
      new DescribeInstanceTypesCommand({ InstanceTypes: ["m5.large", "p4d.24xlarge"] }),
    );
    expect(InstanceTypes?.[0]).toMatchObject({
      InstanceType: "m5.large",
      Hypervisor: "nitro",
      BareMetal: false,
      VCpuInfo: { DefaultVCpus: 2 },
      NetworkInfo: { MaximumNetworkInterfaces: 3, Ipv4AddressesPerInterface: 10, DefaultNetworkCardIndex: 0 },
    });
    expect(InstanceTypes?.[1]?.NetworkInfo?.NetworkCards).toHaveLength(4);
    expect(InstanceTypes?.[1]?.NetworkInfo?.MaximumNetworkInterfaces).toBe(60);
    expect(
      await ec2Error(
        bed.client.send(new DescribeInstanceTypesCommand({ InstanceTypes: ["m5.huge" as "m5.large"] })),
      ),
    ).toBe("InvalidInstanceType: The following supplied instance types do not exist: [m5.huge]");
  });
});

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
    const { NetworkInterfaceId = "" } = (await newEni()) ?? {};
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
    const { NetworkInterfaceId = "" } = (await newEni()) ?? {};
    await bed.client.send(new AssociateAddressCommand({ AllocationId, NetworkInterfaceId }));
    const { NetworkInterfaces } = await bed.client.send(
      new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [NetworkInterfaceId] }),
    );
    expect(NetworkInterfaces?.[0]?.Association?.AllocationId).toBe(AllocationId);
    expect(
      bed.cloud.fabricSpec().enis.find((eni) => eni.eniId === NetworkInterfaceId)?.publicIpv4,
    ).toBeDefined();
  });

  test("instances end, and their status is told", async () => {
    const InstanceId = await newInstance("t3.medium");
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
