import type { Command } from "commander";
import { type Exported, inputOf } from "../doctor/read-json.ts";
import type { Input } from "../doctor/rule.ts";
import type { Resource } from "../kube/objects.ts";
import { daemonSets, eniConfigs, nodes, pods, serviceAccounts } from "../kube/resources.ts";
import type { LabMachine } from "../lab/control.ts";
import { Netns } from "../linux/netns.ts";
import { runProgram } from "../linux/program.ts";
import { connectToLab } from "./lab-connection.ts";
import { labName } from "./lab-name.ts";
import { allNetworkInterfaces } from "./network-interfaces.ts";

/** All that `doctor` asks of a running lab, read as a user would read it from a cluster. */
export async function exportLab(command: Command): Promise<Input> {
  const { kube, ec2, status } = await connectToLab(labName(command));
  const client = await ec2();
  const { DescribeSubnetsCommand, GetSubnetCidrReservationsCommand } = await import("@aws-sdk/client-ec2");
  const list = async (resource: Resource): Promise<unknown> => ({ items: (await kube.list(resource)).items });
  const [subnets, enis, nodeList, podList, sets, account, configs] = await Promise.all([
    client.send(new DescribeSubnetsCommand({})),
    allNetworkInterfaces(client),
    list(nodes),
    list(pods),
    list(daemonSets),
    kube.get(serviceAccounts, "aws-node", "kube-system"),
    list(eniConfigs),
  ]);
  const reservations = await Promise.all(
    (subnets.Subnets ?? []).map(({ SubnetId }) =>
      client.send(new GetSubnetCidrReservationsCommand({ SubnetId })),
    ),
  );
  const exported: Exported = {
    subnets,
    enis,
    reservations,
    nodes: nodeList,
    pods: podList,
    daemonSets: sets,
    serviceAccount: account,
    eniConfigs: configs,
  };
  return { ...inputOf(exported), forwardPolicies: forwardPolicies(status.machines) };
}

function forwardPolicies(machines: readonly LabMachine[]): Record<string, string> {
  return Object.fromEntries(
    machines.flatMap(({ nodeName, initPid }) => {
      using place = Netns.open(`/proc/${initPid}/ns/net`);
      const { stdout } = runProgram({
        attempted: `read the FORWARD chain of ${nodeName}`,
        argv: ["iptables", "-S", "FORWARD"],
        debianPackage: "iptables",
        ns: place,
      });
      const policy = /^-P FORWARD (\w+)/m.exec(stdout)?.[1];
      return policy === undefined ? [] : [[nodeName, policy] as const];
    }),
  );
}
