import { describe, expect, test } from "bun:test";
import {
  DeleteClusterCommand,
  DescribeAddonCommand,
  DescribeClusterCommand,
  DescribeNodegroupCommand,
  EKSClient,
  EKSServiceException,
  ListAddonsCommand,
  ListClustersCommand,
  ListNodegroupsCommand,
} from "@aws-sdk/client-eks";
import { CloudBed } from "../cloud-bed.ts";

function eksOf(bed: CloudBed, accessKeyId = "AKIAENIVERSEADMIN000"): EKSClient {
  return new EKSClient({
    endpoint: bed.url,
    region: "us-west-2",
    maxAttempts: 1,
    credentials: { accessKeyId, secretAccessKey: "x" },
  });
}

async function bedWithCluster(): Promise<CloudBed> {
  const bed = new CloudBed();
  const subnetIds = bed.cloud.network.subnets.map((subnet) => subnet.subnetId);
  await bed.cloud.createCluster({
    name: "demo",
    version: "1.34",
    subnetIds,
    ipFamily: "ipv4",
    tags: { team: "x" },
  });
  return bed;
}

async function eksError(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof EKSServiceException)
      return `${error.name} ${error.$metadata.httpStatusCode}: ${error.message}`;
    throw error;
  }
  return "no error";
}

describe("EKS through the SDK", () => {
  test("a cluster from its creation to being active", async () => {
    using bed = await bedWithCluster();
    const eks = eksOf(bed);
    expect((await eks.send(new ListClustersCommand({}))).clusters).toEqual(["demo"]);
    const describe = async () => (await eks.send(new DescribeClusterCommand({ name: "demo" }))).cluster;
    expect(await describe()).toMatchObject({
      status: "CREATING",
      version: "1.34",
      tags: { team: "x" },
      kubernetesNetworkConfig: { ipFamily: "ipv4", serviceIpv4Cidr: "10.100.0.0/16" },
      resourcesVpcConfig: { vpcId: bed.cloud.network.vpcId, endpointPublicAccess: true },
      health: { issues: [] },
    });
    await bed.cloud.updateCluster("demo", {
      status: "ACTIVE",
      endpoint: "https://127.0.0.1:6443",
      certificateAuthority: "PEM",
    });
    expect(await describe()).toMatchObject({
      status: "ACTIVE",
      endpoint: "https://127.0.0.1:6443",
      certificateAuthority: { data: btoa("PEM") },
    });
    expect((await describe())?.createdAt).toBeInstanceOf(Date);
  });

  test("node groups and add-ons", async () => {
    using bed = await bedWithCluster();
    const eks = eksOf(bed);
    await bed.cloud.createNodegroup({
      clusterName: "demo",
      name: "workers",
      instanceTypes: ["m5.large"],
      subnetIds: [bed.subnetId("private-us-west-2a")],
      size: { min: 1, max: 3, desired: 2 },
    });
    expect((await eks.send(new ListNodegroupsCommand({ clusterName: "demo" }))).nodegroups).toEqual([
      "workers",
    ]);
    const { nodegroup } = await eks.send(
      new DescribeNodegroupCommand({ clusterName: "demo", nodegroupName: "workers" }),
    );
    expect(nodegroup).toMatchObject({
      scalingConfig: { minSize: 1, maxSize: 3, desiredSize: 2 },
      status: "ACTIVE",
    });
    expect((await eks.send(new ListAddonsCommand({ clusterName: "demo" }))).addons).toEqual(["vpc-cni"]);
    const { addon } = await eks.send(new DescribeAddonCommand({ clusterName: "demo", addonName: "vpc-cni" }));
    expect(addon).toMatchObject({ addonVersion: "v1.23.1-eksbuild.1", status: "ACTIVE" });
  });

  test("lists come in pages", async () => {
    using bed = await bedWithCluster();
    const subnetIds = bed.cloud.network.subnets.map((subnet) => subnet.subnetId);
    for (const name of ["c", "a"]) {
      await bed.cloud.createCluster({ name, version: "1.34", subnetIds, ipFamily: "ipv4" });
    }
    const eks = eksOf(bed);
    const first = await eks.send(new ListClustersCommand({ maxResults: 2 }));
    expect(first.clusters).toEqual(["a", "c"]);
    const second = await eks.send(new ListClustersCommand({ maxResults: 2, nextToken: first.nextToken }));
    expect([second.clusters, second.nextToken ?? undefined]).toEqual([["demo"], undefined]);
  });

  test("errors have EKS's types", async () => {
    using bed = await bedWithCluster();
    const eks = eksOf(bed);
    expect(await eksError(eks.send(new DescribeClusterCommand({ name: "none" })))).toBe(
      "ResourceNotFoundException 404: No cluster found for name: none.",
    );
    expect(
      await eksError(eks.send(new DescribeNodegroupCommand({ clusterName: "demo", nodegroupName: "x" }))),
    ).toBe("ResourceNotFoundException 404: No node group found for name: x.");
    expect(
      await eksError(eks.send(new DescribeAddonCommand({ clusterName: "demo", addonName: "x" }))),
    ).toStartWith("ResourceNotFoundException 404");
    expect(await eksError(eks.send(new ListClustersCommand({ maxResults: 0 })))).toStartWith(
      "InvalidParameterException 400",
    );
    expect(await eksError(eks.send(new DeleteClusterCommand({ name: "demo" })))).toStartWith(
      "InvalidRequestException 400",
    );
    expect(await eksError(eksOf(bed, "AKIAOTHER").send(new ListClustersCommand({})))).toBe(
      "UnrecognizedClientException 403: The security token included in the request is invalid.",
    );
    bed.cloud.faults.add({ action: "ListClusters", rate: 1, errorCode: "ServerException", httpStatus: 500 });
    expect(await eksError(eks.send(new ListClustersCommand({})))).toStartWith("ServerException 500");
  });

  test("a cluster complains about a subnet that has gone", async () => {
    using bed = await bedWithCluster();
    const gone = bed.subnetId("private-us-west-2b");
    const enis = [...bed.cloud.state.enis.values()].filter((eni) => eni.subnetId === gone);
    expect(enis.length).toBeLessThanOrEqual(1);
    bed.cloud.state.subnets.delete(gone);
    const { cluster } = await eksOf(bed).send(new DescribeClusterCommand({ name: "demo" }));
    expect(cluster?.health?.issues).toMatchObject([{ code: "Ec2SubnetNotFound", resourceIds: [gone] }]);
  });
});
