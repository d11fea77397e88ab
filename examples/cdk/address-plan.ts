import { Annotations, type Stack, type aws_ec2 as ec2 } from "aws-cdk-lib";
import { type GivenSubnet, planVpc, type NodeGroupInput, type PlanVpcInput, type VpcPlan } from "eniverse/plan";

/** What a cluster will put into a VPC; everything that `planVpc` takes beside the network itself. */
export type ClusterLoad = Omit<PlanVpcInput, "nodeGroups" | "subnets" | "zones" | "region" | "vpcCidr"> & {
  readonly nodeGroups: readonly NodeGroupInput[];
};

/**
 * Holds the load against the VPC's subnets as CDK has sized them. Each thing that will go wrong is an error on the
 * VPC, and with errors `cdk synth` fails: nothing that runs out is ever deployed.
 */
export function checkAddresses(stack: Stack, vpc: ec2.Vpc, load: ClusterLoad): VpcPlan {
  const zones = [...new Set(vpc.privateSubnets.map(({ availabilityZone }) => availabilityZone))];
  // Without an account CDK has no zone names, only tokens: any region's letters will do for the arithmetic.
  const region = "us-east-1";
  const nameOf = (zone: string): string => `${region}${String.fromCharCode(97 + Math.max(zones.indexOf(zone), 0))}`;
  const given = (subnets: readonly ec2.ISubnet[], kind: GivenSubnet["kind"]): GivenSubnet[] =>
    subnets.map((subnet) => ({
      name: subnet.node.id,
      zone: nameOf(subnet.availabilityZone),
      cidr: subnet.ipv4CidrBlock,
      kind,
    }));
  const plan = planVpc({
    ...load,
    region,
    zones: zones.map(nameOf),
    subnets: [
      ...given(vpc.publicSubnets, "public"),
      ...given(vpc.privateSubnets, "private"),
      ...given(vpc.isolatedSubnets, "cluster"),
    ],
  });
  for (const { severity, text } of plan.problems) {
    if (severity === "error") Annotations.of(vpc).addError(`${stack.stackName}: ${text}`);
    else Annotations.of(vpc).addWarning(`${stack.stackName}: ${text}`);
  }
  return plan;
}
