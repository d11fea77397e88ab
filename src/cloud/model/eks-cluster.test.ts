import { describe, expect, test } from "bun:test";
import { createCluster, deleteCluster, updateCluster } from "./eks-cluster.ts";
import { createNodegroup, deleteNodegroup } from "./eks-nodegroup.ts";
import { checkCloud } from "./invariants.ts";
import { codeOf, ModelBed } from "./model-bed.ts";
import { deleteEni } from "./network-interface.ts";

function bedOfTwoZones(vpcCidr = "192.168.0.0/16") {
  const bed = new ModelBed();
  const vpc = bed.vpc(vpcCidr);
  const base = vpcCidr.split(".").slice(0, 2).join(".");
  const subnets = [
    bed.subnet(vpc, `${base}.0.0/24`, { zone: "us-west-2a" }),
    bed.subnet(vpc, `${base}.1.0/24`, { zone: "us-west-2b" }),
  ];
  const subnetIds = subnets.map((subnet) => subnet.subnetId);
  const request = { name: "demo", version: "1.34", subnetIds, ipFamily: "ipv4" } as const;
  return { bed, vpc, subnets, request };
}

describe("a cluster", () => {
  test("has cross-account interfaces in two zones, as the customer sees them", () => {
    const { bed, request } = bedOfTwoZones();
    const cluster = createCluster(bed.ctx, request);
    const enis = cluster.eniIds.map((eniId) => bed.state.enis.get(eniId));
    expect(new Set(enis.map((eni) => eni?.zone))).toEqual(new Set(["us-west-2a", "us-west-2b"]));
    for (const eni of enis) {
      expect(eni).toMatchObject({
        description: "Amazon EKS demo",
        interfaceType: "interface",
        ownerId: bed.account.accountId,
        groups: [cluster.clusterSecurityGroupId],
        status: "in-use",
      });
      expect(eni?.attachment?.instanceOwnerId).toBe(bed.account.serviceAccountId);
      expect(eni?.attachment?.instanceId).toBeUndefined();
      expect(eni?.attachment?.place).toBe("control-plane");
      expect(codeOf(() => deleteEni(bed.ctx, eni?.eniId ?? ""))).toBe("OperationNotPermitted");
    }
    expect(enis.map((eni) => eni?.attachment?.deviceName)).toEqual(["eth0", "eth1"]);
    expect(checkCloud(bed.state)).toEqual([]);
  });

  test("has a security group that lets its members talk to each other", () => {
    const { bed, request } = bedOfTwoZones();
    const { clusterSecurityGroupId } = createCluster(bed.ctx, request);
    const group = bed.state.securityGroups.get(clusterSecurityGroupId);
    expect(group?.groupName).toMatch(/^eks-cluster-sg-demo-\d+$/);
    expect(group?.tags.get("kubernetes.io/cluster/demo")).toBe("owned");
    expect([...(group?.rules.values() ?? [])].filter((rule) => !rule.egress)).toMatchObject([
      { peer: { groupId: clusterSecurityGroupId } },
    ]);
  });

  test.each([
    ["192.168.0.0/16", "10.100.0.0/16"],
    ["10.100.0.0/16", "172.20.0.0/16"],
  ])("in %s serves %s", (vpcCidr, services) => {
    const { bed, request } = bedOfTwoZones(vpcCidr);
    expect(createCluster(bed.ctx, request).serviceIpv4Cidr).toBe(services);
  });

  test("of IPv6 has a ULA for services", () => {
    const { bed, request } = bedOfTwoZones();
    const cluster = createCluster(bed.ctx, { ...request, ipFamily: "ipv6" });
    expect(cluster.serviceIpv4Cidr).toBeUndefined();
    expect(cluster.serviceIpv6Cidr).toMatch(/^fd[0-9a-f]{2}:/);
  });

  test.each([
    ["a name twice", { name: "there" }, "ResourceInUseException"],
    ["a bad name", { name: "no spaces" }, "InvalidParameterException"],
    [
      "no way to its endpoint",
      { endpointPublicAccess: false, endpointPrivateAccess: false },
      "InvalidParameterException",
    ],
    ["an unknown subnet", { subnetIds: ["subnet-0"] }, "InvalidParameterException"],
    ["services in the VPC", { serviceCidr: "192.168.4.0/24" }, "InvalidParameterException"],
    ["public services", { serviceCidr: "8.8.0.0/16" }, "InvalidParameterException"],
    ["too many services", { serviceCidr: "10.0.0.0/8" }, "InvalidParameterException"],
    ["a /20 of services", { serviceCidr: "172.20.0.0/20" }, "no fault"],
  ])("with %s", (_, change, code) => {
    const { bed, request } = bedOfTwoZones();
    createCluster(bed.ctx, { ...request, name: "there" });
    expect(codeOf(() => createCluster(bed.ctx, { ...request, ...change }))).toBe(code);
  });

  test("needs two zones, one VPC and six free addresses", () => {
    const { bed, vpc, subnets, request } = bedOfTwoZones();
    const [first, second] = subnets;
    const create = (subnetIds: (string | undefined)[]) => () =>
      createCluster(bed.ctx, { ...request, subnetIds: subnetIds.map((id) => id ?? "") });
    expect(codeOf(create([first?.subnetId]))).toBe("InvalidParameterException");
    expect(codeOf(create([first?.subnetId, bed.loneSubnet("10.7.0.0/24").subnetId]))).toBe(
      "InvalidParameterException",
    );
    const small = bed.subnet(vpc, "192.168.9.0/28", { zone: "us-west-2b" });
    bed.eni(small, { addressCount: 5 });
    expect(codeOf(create([first?.subnetId, small.subnetId]))).toBe("InvalidParameterException");
    expect(codeOf(create([first?.subnetId, second?.subnetId]))).toBe("no fault");
  });

  test("takes its interfaces, add-ons and group along when it goes", () => {
    const { bed, request } = bedOfTwoZones();
    createCluster(bed.ctx, request);
    expect([...bed.state.addons.keys()]).toEqual(["demo/vpc-cni"]);
    updateCluster(bed.ctx, "demo", { status: "ACTIVE", endpoint: "https://10.0.0.1" });
    deleteCluster(bed.ctx, "demo");
    const { clusters, addons, enis, securityGroups } = bed.state;
    expect([clusters.size, addons.size, enis.size, securityGroups.size]).toEqual([0, 0, 0, 1]);
    expect(codeOf(() => deleteCluster(bed.ctx, "demo"))).toBe("ResourceNotFoundException");
  });
});

describe("a node group", () => {
  test("belongs to a cluster, once by name, with sizes in order", () => {
    const { bed, request } = bedOfTwoZones();
    createCluster(bed.ctx, request);
    const group = {
      clusterName: "demo",
      name: "workers",
      instanceTypes: ["m5.large"],
      subnetIds: request.subnetIds,
      size: { min: 1, max: 5, desired: 3 },
    };
    expect(createNodegroup(bed.ctx, group).status).toBe("ACTIVE");
    const create = (change: object) => () => createNodegroup(bed.ctx, { ...group, name: "other", ...change });
    expect(codeOf(create({ name: "workers" }))).toBe("ResourceInUseException");
    expect(codeOf(create({ clusterName: "none" }))).toBe("ResourceNotFoundException");
    expect(codeOf(create({ size: { min: 4, max: 5, desired: 3 } }))).toBe("InvalidParameterException");
    expect(codeOf(create({ subnetIds: ["subnet-0"] }))).toBe("InvalidParameterException");
    expect(codeOf(create({ instanceTypes: ["m5.enormous"] }))).toBe("InvalidParameterValue");
    expect(codeOf(() => deleteCluster(bed.ctx, "demo"))).toBe("ResourceInUseException");
    deleteNodegroup(bed.ctx, "demo", "workers");
    deleteCluster(bed.ctx, "demo");
  });
});
