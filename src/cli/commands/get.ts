import type { Command } from "commander";
import { EniverseError } from "../../base/error.ts";
import { events, nodes, pods } from "../../kube/resources.ts";
import { addressHomes } from "../../lab/address-homes.ts";
import { connectToLab, type LabConnection } from "../lab-connection.ts";
import { labName } from "../lab-name.ts";
import { allNetworkInterfaces } from "../network-interfaces.ts";
import { nodeProblems } from "../node-problems.ts";
import { type Answer, type OutputFormat, outputFormat, printAnswer } from "../output.ts";
import { pooledAddresses } from "../pools.ts";
import { addressesView, addressRows } from "../views/addresses.ts";
import { clustersView } from "../views/clusters.ts";
import { networkInterfacesView } from "../views/network-interfaces.ts";
import { nodesView } from "../views/nodes.ts";
import { podsView } from "../views/pods.ts";
import { subnetsView } from "../views/subnets.ts";
import { vpcsView } from "../views/vpcs.ts";

interface GetFlags {
  readonly output: OutputFormat;
  readonly namespace?: string;
}

interface Kind {
  /** Plural first; the others are what people type. */
  readonly names: readonly string[];
  readonly answer: (lab: LabConnection, flags: GetFlags) => Promise<Answer>;
}

const kinds: readonly Kind[] = [
  { names: ["clusters", "cluster"], answer: clusters },
  { names: ["vpcs", "vpc"], answer: vpcs },
  { names: ["subnets", "subnet", "sn"], answer: subnets },
  { names: ["network-interfaces", "network-interface", "enis", "eni", "ni"], answer: networkInterfaces },
  { names: ["nodes", "node", "no"], answer: nodeList },
  { names: ["pods", "pod", "po"], answer: podList },
  { names: ["addresses", "address", "addr", "ips", "ip"], answer: addresses },
];

const kindNames = kinds.map(({ names }) => names[0]).join("|");

export function addGet(program: Command): void {
  program
    .command("get")
    .description("Show clusters, VPCs, subnets, network interfaces, nodes, pods or addresses")
    .argument("<what>", kindNames)
    .option("-o, --output <format>", "table, wide, json or yaml", outputFormat, "table")
    .option("-n, --namespace <namespace>", "only pods of this namespace")
    .addHelpText(
      "after",
      `
Examples:
  eniverse get enis                 with eksdemo's columns; * marks primary interfaces
  eniverse get addresses            every address: primary, assigned, warm or cooling, and its pod
  eniverse get pods -o wide
  eniverse get subnets -o json      what the EC2 API answers`,
    )
    .action(async (what: string, flags: GetFlags, command: Command) => {
      const kind = kinds.find(({ names }) => names.includes(what.toLowerCase()));
      if (kind === undefined) {
        throw new EniverseError("invalid_argument", {
          attempted: `get ${what}`,
          found: "no such kind",
          wanted: `one of ${kinds.map(({ names }) => `${names[0]} (${names.slice(1).join(", ")})`).join(", ")}`,
        });
      }
      const lab = await connectToLab(labName(command));
      printAnswer(await kind.answer(lab, flags), flags.output);
    });
}

async function clusters(lab: LabConnection): Promise<Answer> {
  const { DescribeClusterCommand, ListClustersCommand } = await import("@aws-sdk/client-eks");
  const eks = await lab.eks();
  const { clusters: names = [] } = await eks.send(new ListClustersCommand({}));
  const described = await Promise.all(names.map((name) => eks.send(new DescribeClusterCommand({ name }))));
  const found = described.flatMap(({ cluster }) => (cluster === undefined ? [] : [cluster]));
  const current = found.find((cluster) => cluster.endpoint === lab.endpoints.kubernetes)?.name;
  return clustersView(found, Date.now(), current);
}

async function vpcs(lab: LabConnection): Promise<Answer> {
  const { DescribeVpcsCommand } = await import("@aws-sdk/client-ec2");
  return vpcsView((await (await lab.ec2()).send(new DescribeVpcsCommand({}))).Vpcs ?? []);
}

async function subnets(lab: LabConnection): Promise<Answer> {
  const { DescribeSubnetsCommand } = await import("@aws-sdk/client-ec2");
  return subnetsView((await (await lab.ec2()).send(new DescribeSubnetsCommand({}))).Subnets ?? []);
}

async function networkInterfaces(lab: LabConnection): Promise<Answer> {
  const enis = await allNetworkInterfaces(await lab.ec2());
  return networkInterfacesView(enis, enis[0]?.OwnerId ?? "");
}

async function nodeList(lab: LabConnection): Promise<Answer> {
  const [{ items }, awsNodePods, said] = await Promise.all([
    lab.kube.list(nodes),
    lab.kube.list(pods, { namespace: "kube-system", labelSelector: "k8s-app=aws-node" }),
    lab.kube.list(events, { namespace: "kube-system" }),
  ]);
  const now = Date.now();
  return nodesView(items, now, nodeProblems(items, awsNodePods.items, said.items, now));
}

async function podList(lab: LabConnection, flags: GetFlags): Promise<Answer> {
  const options = flags.namespace === undefined ? {} : { namespace: flags.namespace };
  const [{ items }, enis] = await Promise.all([
    lab.kube.list(pods, options),
    lab.ec2().then(allNetworkInterfaces),
  ]);
  return podsView(items, addressHomes(enis), Date.now());
}

async function addresses(lab: LabConnection): Promise<Answer> {
  const [enis, pools] = await Promise.all([
    lab.ec2().then(allNetworkInterfaces),
    pooledAddresses(lab.status.machines),
  ]);
  const names = new Map(lab.status.machines.map((machine) => [machine.instanceId, machine.nodeName]));
  return addressesView(addressRows(enis, pools, names));
}

/** Prints one kind as `get` does; for the story of `start`. */
export async function showKind(lab: LabConnection, name: string): Promise<void> {
  const kind = kinds.find(({ names }) => names.includes(name));
  if (kind !== undefined) printAnswer(await kind.answer(lab, { output: "table" }), "table");
}
