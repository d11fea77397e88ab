import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { formatIpv4 } from "../addr/ipv4.ts";
import type { Ec2 } from "../aws/ec2.ts";
import { ec2CodeOf } from "../aws/ec2-errors.ts";
import { createEc2 } from "../aws/ec2-sdk.ts";
import { createImds } from "../aws/imds.ts";
import { readEnis, readNodeFacts, readSecurityGroups, readVpcCidrs } from "../aws/instance-metadata.ts";
import { CloudBed } from "./cloud-bed.ts";

/** The node's own clients against the cloud: what ipamd does from its start to the end of an interface. */
describe("a node", () => {
  let bed: CloudBed;
  let ec2: Ec2;
  let metadata: ReturnType<typeof Bun.serve>;
  let instanceId = "";
  let subnetId = "";
  const before: Record<string, string | undefined> = {};

  function setEnvironment(values: Readonly<Record<string, string | undefined>>): void {
    for (const [name, value] of Object.entries(values)) {
      if (!(name in before)) before[name] = process.env[name];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }

  beforeAll(async () => {
    bed = new CloudBed();
    subnetId = bed.subnetId("private-us-west-2a");
    const [instance] = await bed.cloud.runInstances({ instanceType: "m5.large", subnetId });
    instanceId = instance?.instanceId ?? "";
    const address = bed.cloud.state.enis.get(instance?.eniIds[0] ?? "")?.addresses[0];
    metadata = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => bed.cloud.imds(request, formatIpv4(address as never)),
    });
    // As in a node's pod: the endpoint by environment, the credentials by the SDK's own way to the metadata service.
    setEnvironment({
      AWS_ENDPOINT_URL_EC2: bed.url,
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${metadata.port}`,
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_SESSION_TOKEN: undefined,
      AWS_PROFILE: undefined,
    });
    ec2 = await createEc2({ region: "us-west-2" });
  });
  afterAll(() => {
    setEnvironment(before);
    void metadata.stop(true);
    bed[Symbol.dispose]();
  });

  test("reads itself from the metadata", async () => {
    const imds = createImds({ endpoint: `http://127.0.0.1:${metadata.port}` });
    const facts = await readNodeFacts(imds, { ipv6: false });
    expect(facts).toMatchObject({ instanceId, instanceType: "m5.large", availabilityZone: "us-west-2a" });
    const enis = await readEnis(imds, facts.primaryMac);
    expect(enis).toHaveLength(1);
    expect(await readVpcCidrs(imds, facts.primaryMac, 4)).toEqual(["192.168.0.0/16"]);
    expect(await readSecurityGroups(imds, facts.primaryMac)).toHaveLength(1);
  });

  test("grows by an interface and gives it back, with the rights of its role", async () => {
    const { attachments } = await ec2.describeInstance(instanceId);
    expect(attachments).toEqual([{ deviceIndex: 0, networkCardIndex: 0 }]);
    const groups =
      bed.cloud.state.enis.get(bed.cloud.state.instances.get(instanceId)?.eniIds[0] ?? "")?.groups ?? [];
    const { networkInterfaceId } = await ec2.createNetworkInterface({
      subnetId,
      groups,
      description: `aws-K8S-${instanceId}`,
      tags: [{ key: "node.k8s.amazonaws.com/instance_id", value: instanceId }],
      secondaryPrivateIpAddressCount: 4,
    });
    const swept = await ec2.describeNetworkInterfaces({
      filters: [
        { name: "tag-key", values: ["node.k8s.amazonaws.com/instance_id"] },
        { name: "status", values: ["available"] },
        { name: "vpc-id", values: [bed.cloud.network.vpcId] },
      ],
    });
    expect(swept.map((eni) => eni.networkInterfaceId)).toEqual([networkInterfaceId]);
    const { attachmentId } = await ec2.attachNetworkInterface({
      networkInterfaceId,
      instanceId,
      deviceIndex: 1,
      networkCardIndex: 0,
    });
    await ec2.setDeleteOnTermination(networkInterfaceId, attachmentId);
    const { addresses } = await ec2.assignPrivateIpAddresses(networkInterfaceId, { addressCount: 3 });
    expect(addresses).toHaveLength(3);
    const { prefixes } = await ec2.assignPrivateIpAddresses(networkInterfaceId, { prefixCount: 1 });
    expect(prefixes[0]).toEndWith("/28");
    const [eni] = await ec2.describeNetworkInterfaces({ ids: [networkInterfaceId] });
    expect(eni).toMatchObject({
      status: "in-use",
      ipv4Prefixes: prefixes,
      attachment: { deleteOnTermination: true },
    });
    expect(eni?.privateIpAddresses).toHaveLength(8);
    await ec2.unassignPrivateIpAddresses(networkInterfaceId, { addresses });
    await ec2.unassignPrivateIpAddresses(networkInterfaceId, { prefixes });
    await ec2.modifyGroups(networkInterfaceId, groups);
    await ec2.createTags(networkInterfaceId, [{ key: "a", value: "b" }]);
    await ec2.detachNetworkInterface(attachmentId);
    await ec2.deleteNetworkInterface(networkInterfaceId);
    expect(bed.cloud.check()).toEqual([]);
  });

  test("reads subnets and types, and understands refusals", async () => {
    const subnets = await ec2.describeSubnets([
      { name: "vpc-id", values: [bed.cloud.network.vpcId] },
      { name: "availability-zone", values: ["us-west-2a"] },
    ]);
    expect(subnets).toHaveLength(2);
    expect(await ec2.describeInstanceType("m5.large")).toMatchObject({ hypervisor: "nitro", ipv4PerEni: 10 });
    const code = await ec2.deleteNetworkInterface("eni-0123456789abcdef0").catch(ec2CodeOf);
    expect(code).toBe("InvalidNetworkInterfaceID.NotFound");
    const [primary = ""] = bed.cloud.state.instances.get(instanceId)?.eniIds ?? [];
    const full = await ec2.assignPrivateIpAddresses(primary, { addressCount: 10 }).catch(ec2CodeOf);
    expect(full).toBe("PrivateIpAddressLimitExceeded");
  });
});
