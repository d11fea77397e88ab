// A VPC for an EKS cluster that refuses to be synthesized when its subnets would run out.
//   npx cdk synth                     30 nodes: passes
//   npx cdk synth -c nodes=48         fails, and says which subnet runs out on which day, at which node
import { App, CfnOutput, Stack, aws_ec2 as ec2 } from "aws-cdk-lib";
import { maxPods } from "eniverse/plan";
import { checkAddresses } from "./address-plan.ts";

const app = new App();
const stack = new Stack(app, "Network");
const vpc = new ec2.Vpc(stack, "Vpc", {
  ipAddresses: ec2.IpAddresses.cidr("10.0.0.0/18"),
  maxAzs: 2,
  subnetConfiguration: [
    { name: "public", subnetType: ec2.SubnetType.PUBLIC, cidrMask: 26 },
    { name: "nodes", subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 22 },
    { name: "cluster", subnetType: ec2.SubnetType.PRIVATE_ISOLATED, cidrMask: 28 },
  ],
});

const nodes = Number(app.node.tryGetContext("nodes") ?? 30);
const plan = checkAddresses(stack, vpc, {
  clusterName: "shop",
  nodeGroups: [{ instanceType: "m5.large", nodes, podsPerNode: 20 }],
  growth: { percentPerMonth: 3 },
  loadBalancers: { publicAlbs: 1, internalNlbs: 2 },
  interfaceEndpoints: 6,
});

// The same package answers what the node group's launch template needs.
new CfnOutput(stack, "MaxPods", { value: String(maxPods({ instanceTypes: "m5.large" }).maxPods) });
new CfnOutput(stack, "RoomForNodes", {
  value: String(Math.min(...plan.subnets.map(({ roomForNodes }) => roomForNodes ?? Number.POSITIVE_INFINITY))),
});
