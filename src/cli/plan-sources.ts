import { readFileSync } from "node:fs";
import type { EC2Client } from "@aws-sdk/client-ec2";
import type { Command } from "commander";
import { EniverseError, messageOf } from "../base/error.ts";
import { daemonSets, nodes, pods } from "../kube/resources.ts";
import {
  type Observed,
  readAwsNodeEnv,
  readNetworkInterfaces,
  readNodes,
  readPods,
  readReservations,
  readSubnets,
  readVpcCidrs,
} from "../plan/observed.ts";
import { connectToLab } from "./lab-connection.ts";
import { labName } from "./lab-name.ts";
import { allNetworkInterfaces } from "./network-interfaces.ts";
import { list } from "./plan-flags.ts";

/** Where a plan may read what there is. */
export interface SourceFlags {
  readonly subnets?: string;
  readonly enis?: string;
  readonly vpcs?: string;
  readonly reservations?: readonly string[];
  readonly kubeNodes?: string;
  readonly kubePods?: string;
  readonly kubeDaemonsets?: string;
  readonly fromAws?: boolean;
  readonly vpc?: string;
  readonly lab?: boolean;
}

/** Adds the flags that read a network which is there: files, AWS itself, the running lab. */
export function withSources(command: Command): Command {
  return command
    .option("--subnets <file>", "JSON of aws ec2 describe-subnets")
    .option("--enis <file>", "JSON of aws ec2 describe-network-interfaces")
    .option("--vpcs <file>", "JSON of aws ec2 describe-vpcs, for the VPC's blocks")
    .option("--reservations <files>", "JSON of aws ec2 get-subnet-cidr-reservations, a file a subnet", list)
    .option("--kube-nodes <file>", "JSON of kubectl get nodes -o json")
    .option("--kube-pods <file>", "JSON of kubectl get pods -A -o json")
    .option(
      "--kube-daemonsets <file>",
      "JSON of kubectl get ds -A -o json: aws-node's mode and warm settings, where no flag says others",
    )
    .option("--from-aws", "ask AWS (read-only describe calls, credentials as the aws command finds them)")
    .option("--vpc <id>", "with --from-aws or --subnets: only subnets of this VPC")
    .option("--lab", "read the running lab");
}

/** What the flags name; undefined when they name nothing. */
export async function observe(flags: SourceFlags, command: Command): Promise<Observed | undefined> {
  const named = [flags.subnets !== undefined, flags.fromAws ?? false, flags.lab ?? false].filter(
    Boolean,
  ).length;
  if (named > 1) {
    throw new EniverseError("invalid_argument", {
      attempted: "read the network",
      found: "more than one of --subnets, --from-aws and --lab",
      wanted: "one of them",
    });
  }
  if (flags.lab) return observeLab(flags, command);
  const kube = {
    ...(flags.kubeNodes === undefined ? {} : { nodes: readNodes(jsonOf(flags.kubeNodes), "--kube-nodes") }),
    ...(flags.kubePods === undefined ? {} : { pods: readPods(jsonOf(flags.kubePods), "--kube-pods") }),
    ...(flags.kubeDaemonsets === undefined
      ? {}
      : { awsNodeEnv: readAwsNodeEnv(jsonOf(flags.kubeDaemonsets), "--kube-daemonsets") }),
  };
  if (flags.fromAws) {
    const { EC2Client } = await import("@aws-sdk/client-ec2");
    return { ...(await observeEc2(new EC2Client({}), flags)), ...kube };
  }
  if (flags.subnets !== undefined) {
    const enis =
      flags.enis === undefined ? {} : { enis: readNetworkInterfaces(jsonOf(flags.enis), "--enis") };
    const vpcs = flags.vpcs === undefined ? undefined : jsonOf(flags.vpcs);
    const reservations =
      flags.reservations === undefined
        ? {}
        : { reservations: flags.reservations.flatMap((file) => readReservations(jsonOf(file), file)) };
    const subnets = readSubnets(jsonOf(flags.subnets), "--subnets");
    return ofVpc({ subnets, ...enis, ...reservations, ...kube }, vpcs, flags);
  }
  if (flags.enis !== undefined || flags.vpcs !== undefined || flags.vpc !== undefined) {
    throw new EniverseError("invalid_argument", {
      attempted: "read the network",
      found: "--enis, --vpcs or --vpc alone",
      wanted: "--subnets FILE with it (aws ec2 describe-subnets > FILE), or --from-aws",
    });
  }
  return Object.keys(kube).length === 0 ? undefined : { subnets: [], ...kube };
}

async function observeLab(flags: SourceFlags, command: Command): Promise<Observed> {
  const lab = await connectToLab(labName(command));
  const [ec2, nodeList, podList, awsNode] = await Promise.all([
    observeEc2(await lab.ec2(), flags),
    lab.kube.list(nodes),
    lab.kube.list(pods),
    lab.kube.list(daemonSets, { namespace: "kube-system" }),
  ]);
  return {
    ...ec2,
    nodes: readNodes(nodeList),
    pods: readPods(podList),
    awsNodeEnv: readAwsNodeEnv(awsNode),
  };
}

async function observeEc2(client: EC2Client, flags: SourceFlags): Promise<Observed> {
  const { DescribeSubnetsCommand, DescribeVpcsCommand, GetSubnetCidrReservationsCommand } = await import(
    "@aws-sdk/client-ec2"
  );
  try {
    const [subnets, vpcs, enis] = await Promise.all([
      client.send(new DescribeSubnetsCommand({})),
      client.send(new DescribeVpcsCommand({})),
      allNetworkInterfaces(client),
    ]);
    const found = ofVpc({ subnets: readSubnets(subnets), enis: readNetworkInterfaces(enis) }, vpcs, flags);
    const answers = await Promise.all(
      found.subnets.map(({ subnetId: SubnetId }) =>
        client.send(new GetSubnetCidrReservationsCommand({ SubnetId })),
      ),
    );
    return { ...found, reservations: answers.flatMap((answer) => readReservations(answer)) };
  } catch (cause) {
    if (cause instanceof EniverseError) throw cause;
    throw new EniverseError("unavailable", {
      attempted: "read subnets and network interfaces from EC2",
      found: messageOf(cause),
      wanted:
        "credentials and a region, with ec2:DescribeSubnets, ec2:DescribeVpcs, ec2:DescribeNetworkInterfaces and ec2:GetSubnetCidrReservations",
      cause,
    });
  }
}

/** One VPC only: planning across several would add what cannot be added. */
function ofVpc(observed: Observed, vpcs: unknown, flags: SourceFlags): Observed {
  const ids = [...new Set(observed.subnets.map((subnet) => subnet.vpcId))];
  const wanted = flags.vpc ?? (ids.length === 1 ? ids[0] : undefined);
  if (wanted === undefined || !ids.includes(wanted)) {
    throw new EniverseError("invalid_argument", {
      attempted: "choose the VPC",
      found: flags.vpc === undefined ? `${ids.length} VPCs` : `--vpc ${flags.vpc}`,
      wanted: `--vpc with one of ${ids.join(", ") || "(there is no subnet)"}`,
    });
  }
  const vpcCidrs = vpcs === undefined ? undefined : readVpcCidrs(vpcs, wanted, "--vpcs");
  return {
    ...observed,
    subnets: observed.subnets.filter((subnet) => subnet.vpcId === wanted),
    ...(vpcCidrs === undefined ? {} : { vpcCidrs }),
  };
}

/** Reads a JSON file; throws `not_found` or `invalid_argument` with its name. */
export function jsonOf(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new EniverseError("not_found", { attempted: `read ${file}`, found: messageOf(cause), cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new EniverseError("invalid_argument", {
      attempted: `read ${file}`,
      found: messageOf(cause),
      wanted: "JSON, as aws … --output json and kubectl … -o json write it",
      cause,
    });
  }
}
