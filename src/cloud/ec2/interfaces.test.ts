import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  AssignIpv6AddressesCommand,
  AssignPrivateIpAddressesCommand,
  AttachNetworkInterfaceCommand,
  DeleteNetworkInterfaceCommand,
  DescribeInstancesCommand,
  DescribeNetworkInterfaceAttributeCommand,
  DescribeNetworkInterfacesCommand,
  DetachNetworkInterfaceCommand,
  ModifyNetworkInterfaceAttributeCommand,
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

describe("network interfaces through the SDK", () => {
  test("create answers what the SDK reads, and describe shows the same", async () => {
    const created = await bed.newEni({
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
    const InstanceId = await bed.newInstance();
    const { NetworkInterfaceId = "" } = (await bed.newEni()) ?? {};
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
    const { NetworkInterfaceId = "" } = (await bed.newEni({ SecondaryPrivateIpAddressCount: 1 })) ?? {};
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
    const created = await bed.newEni({
      PrivateIpAddresses: [
        { PrivateIpAddress: "192.168.64.10", Primary: true },
        { PrivateIpAddress: "192.168.64.11", Primary: false },
      ],
    });
    expect(created?.PrivateIpAddresses?.map((one) => one.PrivateIpAddress)).toEqual([
      "192.168.64.10",
      "192.168.64.11",
    ]);
    const prefixed = await bed.newEni({
      PrivateIpAddress: "192.168.64.12",
      Ipv4Prefixes: [{ Ipv4Prefix: "192.168.64.32/28" }],
    });
    expect(prefixed?.Ipv4Prefixes).toEqual([{ Ipv4Prefix: "192.168.64.32/28" }]);
    expect(await ec2Error(bed.newEni({ Ipv4PrefixCount: 1, SecondaryPrivateIpAddressCount: 1 }))).toStartWith(
      "InvalidParameterCombination",
    );
    expect(await ec2Error(bed.newEni({ PrivateIpAddress: "300.1.1.1" }))).toBe(
      "InvalidParameterValue: Value (300.1.1.1) for parameter privateIpAddress is invalid. Invalid IPv4 address.",
    );
  });

  test("attributes are described and changed one by one", async () => {
    const { NetworkInterfaceId = "" } = (await bed.newEni()) ?? {};
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

test("after all that the model is sound", () => {
  expect(bed.cloud.check()).toEqual([]);
});
