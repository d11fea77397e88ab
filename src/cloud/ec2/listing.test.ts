import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  DescribeInstanceTypesCommand,
  DescribeNetworkInterfacesCommand,
  paginateDescribeInstanceTypes,
  paginateDescribeNetworkInterfaces,
} from "@aws-sdk/client-ec2";
import { CloudBed, ec2Error } from "../cloud-bed.ts";
import { defaultConfig } from "../config.ts";

let bed: CloudBed;
beforeAll(() => {
  const { vpc } = defaultConfig();
  bed = new CloudBed({ config: { vpc: { ...vpc, ipv6: true } } });
});
afterAll(() => bed[Symbol.dispose]());

describe("filters and pages", () => {
  test("filters add up, values are alternatives, wildcards and tags work", async () => {
    const tag = (Key: string, Value: string) => ({
      TagSpecifications: [{ ResourceType: "network-interface" as const, Tags: [{ Key, Value }] }],
    });
    const first = await bed.newEni({ Description: "filter-one", ...tag("team", "red*") });
    const second = await bed.newEni({ Description: "filter-two", ...tag("team", "blue") });
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
    for (let n = 0; n < 7; n++) await bed.newEni({ Description: "page" });
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
    const { NetworkInterfaceId = "" } = (await bed.newEni()) ?? {};
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

test("after all that the model is sound", () => {
  expect(bed.cloud.check()).toEqual([]);
});
