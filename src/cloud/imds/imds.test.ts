import { describe, expect, test } from "bun:test";
import {
  AssignPrivateIpAddressesCommand,
  CreateNetworkInterfaceCommand,
  DescribeVpcsCommand,
  ModifyInstanceMetadataOptionsCommand,
} from "@aws-sdk/client-ec2";
import { formatIpv4 } from "../../addr/ipv4.ts";
import { formatIpv6 } from "../../addr/ipv6.ts";
import { ec2Error } from "../cloud-bed.ts";
import { defaultConfig } from "../config.ts";
import { base, ImdsBed } from "./imds-bed.ts";

describe("tokens", () => {
  test.each([
    ["without a life", {}, 400],
    ["of no seconds", { "x-aws-ec2-metadata-token-ttl-seconds": "0" }, 400],
    ["of six hours and a second", { "x-aws-ec2-metadata-token-ttl-seconds": "21601" }, 400],
    ["of words", { "x-aws-ec2-metadata-token-ttl-seconds": "long" }, 400],
    ["through a proxy", { "x-aws-ec2-metadata-token-ttl-seconds": "60", "x-forwarded-for": "10.0.0.1" }, 403],
    ["of six hours", { "x-aws-ec2-metadata-token-ttl-seconds": "21600" }, 200],
  ])("%s", async (_, headers, status) => {
    using imds = await ImdsBed.start();
    expect((await imds.put("/latest/api/token", headers as Record<string, string>)).status).toBe(status);
  });

  test("are asked for at the right path with the right verb", async () => {
    using imds = await ImdsBed.start();
    expect((await imds.put("/2021-07-15/api/token")).status).toBe(403);
    expect((await imds.get("/latest/api/token")).status).toBe(405);
    expect((await imds.put("/latest/meta-data/")).status).toBe(405);
  });

  test("are needed, expire, and belong to their instance", async () => {
    using imds = await ImdsBed.start();
    const path = "/latest/meta-data/instance-id";
    expect((await imds.get(path, {})).status).toBe(401);
    expect((await imds.get(path, { "x-aws-ec2-metadata-token": "nonsense" })).status).toBe(401);
    expect(await imds.get(path)).toEqual({ status: 200, text: imds.instanceId });
    const [other] = await imds.bed.cloud.runInstances({
      instanceType: "m5.large",
      subnetId: imds.bed.subnetId("private-us-west-2b"),
    });
    const address = imds.bed.cloud.state.enis.get(other?.eniIds[0] ?? "")?.addresses[0];
    const request = new Request(base + path, { headers: { "x-aws-ec2-metadata-token": imds.token } });
    expect((await imds.send(request, formatIpv4(address as never))).status).toBe(401);
    await imds.clock.advance(21_600_000);
    expect((await imds.get(path)).status).toBe(401);
  });

  test("are optional where the instance says so, and nothing is served where it says that", async () => {
    using imds = await ImdsBed.start({}, { metadataOptions: { httpTokens: "optional" } });
    expect((await imds.get("/latest/meta-data/instance-id", {})).status).toBe(200);
    expect(
      (await imds.get("/latest/meta-data/instance-id", { "x-aws-ec2-metadata-token": "bad" })).status,
    ).toBe(401);
    await imds.bed.client.send(
      new ModifyInstanceMetadataOptionsCommand({ InstanceId: imds.instanceId, HttpEndpoint: "disabled" }),
    );
    expect((await imds.put("/latest/api/token")).status).toBe(403);
  });

  test("come with the hop limit of the instance, other answers do not", async () => {
    using imds = await ImdsBed.start({}, { metadataOptions: { httpPutResponseHopLimit: 2 } });
    const ttls: number[] = [];
    const token = new Request(`${base}/latest/api/token`, {
      method: "PUT",
      headers: { "x-aws-ec2-metadata-token-ttl-seconds": "60" },
    });
    await imds.send(token, imds.source, (ttl) => void ttls.push(ttl));
    await imds.send(new Request(`${base}/latest/meta-data/`), imds.source, (ttl) => void ttls.push(ttl));
    expect(ttls).toEqual([2]);
  });
});

describe("the tree", () => {
  test("lists directories with a slash, values without, and no newline at the end", async () => {
    using imds = await ImdsBed.start();
    expect((await imds.get("/")).text.split("\n").at(-1)).toBe("latest");
    expect((await imds.get("/latest/")).text).toBe("dynamic/\nmeta-data/");
    const top = (await imds.read("")).split("\n");
    expect(top).toContain("instance-id");
    expect(top).toContain("network/");
    expect(top).not.toContain("ipv6");
    expect(await imds.read("network")).toBe("interfaces/");
    expect(await imds.read("network/")).toBe("interfaces/");
    expect((await imds.get("/1.0/meta-data/instance-type")).text).toBe("m5.large");
    for (const path of [
      "nothing",
      "ipv6",
      "instance-id/more",
      "network/interfaces/macs/02:00:00:00:00:00/",
      "constructor",
    ]) {
      expect(await imds.read(path)).toBe("404");
    }
    expect((await imds.get("/2030-01-01/meta-data/")).status).toBe(404);
  });

  test("says who and where the instance is", async () => {
    using imds = await ImdsBed.start();
    expect(await imds.read("placement/availability-zone")).toBe("us-west-2a");
    expect(await imds.read("placement/availability-zone-id")).toBe("usw2-az1");
    expect(await imds.read("local-ipv4")).toBe(imds.source);
    expect(await imds.read("mac")).toBe(imds.primary().mac);
    expect(await imds.read("local-hostname")).toBe(
      `ip-${imds.source.replaceAll(".", "-")}.us-west-2.compute.internal`,
    );
    expect(await imds.read("services/domain")).toBe("amazonaws.com");
    const document = JSON.parse((await imds.get("/latest/dynamic/instance-identity/document")).text);
    expect(document).toMatchObject({
      accountId: "111122223333",
      architecture: "x86_64",
      availabilityZone: "us-west-2a",
      instanceId: imds.instanceId,
      instanceType: "m5.large",
      privateIp: imds.source,
      region: "us-west-2",
      version: "2017-09-30",
    });
  });

  test("has the leaves of an interface that the CNI reads", async () => {
    using imds = await ImdsBed.start();
    const eni = imds.primary();
    expect(await imds.read("network/interfaces/macs/")).toBe(`${eni.mac}/`);
    const mac = `network/interfaces/macs/${eni.mac}`;
    const leaf = (name: string) => imds.read(`${mac}/${name}`);
    expect((await leaf("")).split("\n")).toEqual([
      "device-number",
      "interface-id",
      "local-hostname",
      "local-ipv4s",
      "mac",
      "owner-id",
      "security-group-ids",
      "security-groups",
      "subnet-id",
      "subnet-ipv4-cidr-block",
      "vpc-id",
      "vpc-ipv4-cidr-block",
      "vpc-ipv4-cidr-blocks",
    ]);
    expect(await leaf("device-number")).toBe("0");
    expect(await leaf("interface-id")).toBe(eni.eniId);
    expect(await leaf("subnet-ipv4-cidr-block")).toBe("192.168.64.0/19");
    expect(await leaf("vpc-ipv4-cidr-blocks")).toBe("192.168.0.0/16");
    expect(await leaf("security-group-ids")).toBe(eni.groups.join("\n"));
    expect(await leaf("ipv4-prefix")).toBe("404");
    const assign = (input: object) =>
      imds.bed.client.send(new AssignPrivateIpAddressesCommand({ NetworkInterfaceId: eni.eniId, ...input }));
    await assign({ SecondaryPrivateIpAddressCount: 2 });
    await assign({ Ipv4PrefixCount: 2 });
    expect(await leaf("local-ipv4s")).toBe(eni.addresses.map(formatIpv4).join("\n"));
    expect((await leaf("local-ipv4s")).split("\n")[0]).toBe(imds.source);
    expect((await leaf("ipv4-prefix")).split("\n").map((text) => text.endsWith("/28"))).toEqual([true, true]);
  });

  test("answers pods with a prefix's address, and nobody else", async () => {
    using imds = await ImdsBed.start({}, { metadataOptions: { httpTokens: "optional" } });
    const eni = imds.primary();
    await imds.bed.client.send(
      new AssignPrivateIpAddressesCommand({ NetworkInterfaceId: eni.eniId, Ipv4PrefixCount: 1 }),
    );
    const request = () => new Request(`${base}/latest/meta-data/instance-id`);
    expect((await imds.send(request(), formatIpv4(((eni.prefixes[0] ?? 0) + 7) as never))).text).toBe(
      imds.instanceId,
    );
    expect((await imds.send(request(), "10.99.0.1")).status).toBe(404);
    expect((await imds.send(request(), "nonsense")).status).toBe(404);
  });

  test("shows IPv6 where there is some", async () => {
    const config = defaultConfig();
    using imds = await ImdsBed.start({}, {}, { config: { vpc: { ...config.vpc, ipv6: true } } });
    const eni = imds.primary();
    const address = formatIpv6(eni.ipv6Addresses[0] as never);
    expect(await imds.read("ipv6")).toBe(address);
    const mac = `network/interfaces/macs/${eni.mac}`;
    expect(await imds.read(`${mac}/ipv6s`)).toBe(address);
    expect(await imds.read(`${mac}/subnet-ipv6-cidr-blocks`)).toEndWith("/64");
    expect(await imds.read(`${mac}/vpc-ipv6-cidr-blocks`)).toEndWith("/56");
    expect(await imds.read(`${mac}/ipv6-prefix`)).toBe("404");
    const overIpv6 = () =>
      imds.send(
        new Request(`${base}/latest/meta-data/mac`, { headers: { "x-aws-ec2-metadata-token": imds.token } }),
        address,
      );
    expect((await overIpv6()).status).toBe(403);
    await imds.bed.client.send(
      new ModifyInstanceMetadataOptionsCommand({ InstanceId: imds.instanceId, HttpProtocolIpv6: "enabled" }),
    );
    expect((await overIpv6()).text).toBe(eni.mac);
  });

  test("tells cards apart on types that have several", async () => {
    using imds = await ImdsBed.start({}, { instanceType: "p4d.24xlarge" });
    expect(await imds.read(`network/interfaces/macs/${imds.primary().mac}/network-card`)).toBe("0");
  });

  test("has user data and tags where they are given", async () => {
    using imds = await ImdsBed.start(
      {},
      { userData: "#!/bin/sh", tags: { Name: "n" }, metadataOptions: { instanceMetadataTags: "enabled" } },
    );
    expect((await imds.get("/latest/user-data")).text).toBe("#!/bin/sh");
    expect(await imds.read("tags/instance")).toBe("Name");
    expect(await imds.read("tags/instance/Name")).toBe("n");
  });
});

describe("credentials", () => {
  test("of the role work at EC2 until they end", async () => {
    using imds = await ImdsBed.start();
    const role = await imds.read("iam/security-credentials/");
    expect(role).toBe("eniverse-node");
    const credentials = JSON.parse(await imds.read(`iam/security-credentials/${role}`));
    expect(credentials).toMatchObject({
      Code: "Success",
      Type: "AWS-HMAC",
      Expiration: "2026-01-01T06:00:00Z",
    });
    expect(JSON.parse(await imds.read(`iam/security-credentials/${role}`)).AccessKeyId).toBe(
      credentials.AccessKeyId,
    );
    const { AccessKeyId, SecretAccessKey, Token } = credentials;
    const client = imds.bed.clientOf(AccessKeyId, SecretAccessKey, Token);
    const create = () =>
      ec2Error(
        client.send(new CreateNetworkInterfaceCommand({ SubnetId: imds.bed.subnetId("private-us-west-2a") })),
      );
    expect(await create()).toBe("no error");
    expect(await ec2Error(client.send(new DescribeVpcsCommand({})))).toContain(
      `assumed-role/eniverse-node/${imds.instanceId}`,
    );
    expect(
      await ec2Error(imds.bed.clientOf(AccessKeyId, SecretAccessKey).send(new DescribeVpcsCommand({}))),
    ).toStartWith("AuthFailure");
    await imds.clock.advance(5 * 3_600_000 + 1);
    const renewed = JSON.parse(await imds.read(`iam/security-credentials/${role}`));
    expect(renewed.AccessKeyId).not.toBe(AccessKeyId);
    expect(await create()).toBe("no error");
    await imds.clock.advance(3_600_000);
    expect(await create()).toStartWith("RequestExpired");
  });

  test("are not there without a role", async () => {
    using imds = await ImdsBed.start();
    const { state } = imds.bed.cloud;
    Object.assign(state.instances.get(imds.instanceId) ?? {}, { role: undefined });
    expect(await imds.read("iam/")).toBe("404");
  });
});
