import { execFileSync } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { EniverseError } from "../base/error.ts";
import { deploymentOf } from "../cli/commands/run.ts";
import type { LabConnection } from "../cli/lab-connection.ts";
import { waitForDeployment } from "../cli/readiness.ts";
import { deployments } from "../kube/resources.ts";
import { cloudModel, latestCalls } from "../lab/control.ts";
import type { BurstResult } from "../sim/index.ts";
import { nodeOf, withLab } from "./bench-lab.ts";
import { inNode } from "./child.ts";
import { burst } from "./modes.ts";
import { atMost, type Goal, rounded } from "./report.ts";

const name = "burst";
/** New ENIs get their security groups at ipamd's next refresh, every 30 s. */
const restMs = 35_000;
/** ipamd's record of who holds which address since when. */
const checkpoint = "/var/run/aws-node/ipam.json";

interface LabBurst {
  /** From the request for the pods until the last one had its address. */
  readonly addressesMs: number;
  readonly ec2Calls: number;
  readonly addressesHeld: number;
  readonly enis: number;
}

/** The row of the table that real packets, processes and clocks check: secondary addresses, default settings. */
export async function labBurst(
  model: BurstResult & { readonly readyMs: number },
): Promise<{ readonly about: string; readonly goals: Goal[]; readonly raw: unknown }> {
  const { latencies, imdsLagMs: imdsLag, instanceType, pods } = burst;
  const set = ["DISABLE_LEAKED_ENI_CLEANUP=true"];
  const machine = { nodes: 1, instanceType, set };
  const free = await withLab("swift", machine, (lab) => land(lab, pods, 0));
  const lab = await withLab("burst", { ...machine, ec2: { latencies, imdsLag } }, (up) =>
    land(up, pods, restMs),
  );
  const seconds = (ms: number): string => `${rounded(ms / 1000)} s`;
  return {
    about:
      `The first row in a lab with the same latencies: ${seconds(lab.addressesMs)} from the request until the last of ${pods} pods has its address ` +
      `(${seconds(free.addressesMs)} with an EC2 that answers at once: what scheduling and starting them costs here; the model says ${seconds(model.readyMs)} for EC2), ` +
      `${lab.ec2Calls} calls (model: ${model.ec2Calls}), ${lab.addressesHeld} addresses on ${lab.enis} ENIs (model: ${model.addressesHeld} on ${model.enis}).`,
    goals: [
      atMost("burst in a lab, EC2 calls / model", lab.ec2Calls / model.ec2Calls, 1, "×"),
      atMost("burst in a lab, addresses held / model", lab.addressesHeld / model.addressesHeld, 1, "×"),
      atMost(
        "burst in a lab, time with latencies beyond time without",
        (lab.addressesMs - free.addressesMs) / 1000,
        (model.readyMs + 1000) / 1000,
        "s",
      ),
    ],
    raw: { lab, withoutLatencies: free, model },
  };
}

async function land(lab: LabConnection, replicas: number, waitMs: number): Promise<LabBurst> {
  const start = Date.now();
  const wish = { replicas, image: "eniverse/pause", namespace: "default" };
  await lab.kube.create(deployments, deploymentOf(name, wish));
  await waitForDeployment(lab.kube, name, "default");
  const lastMs = Math.max(...assignedAt(nodeOf(lab, 0).initPid, replicas));
  await pause(waitMs);
  const [calls, model] = await Promise.all([latestCalls(lab.paths), cloudModel(lab.paths)]);
  const own = model.enis.filter(({ instanceId }) => instanceId === nodeOf(lab, 0).instanceId);
  return {
    addressesMs: lastMs - start,
    ec2Calls: calls.filter(({ service }) => service === "ec2").length,
    addressesHeld: own.reduce((sum, eni) => sum + eni.addresses.length - 1 + 16 * eni.prefixes.length, 0),
    enis: own.length,
  };
}

/** When the node's pods got their addresses, by ipamd's checkpoint, in milliseconds since the epoch. */
function assignedAt(initPid: number, atLeast: number): number[] {
  const [command = "", ...args] = [...inNode(initPid), "cat", checkpoint];
  const { allocations } = JSON.parse(execFileSync(command, args, { encoding: "utf8" })) as {
    readonly allocations: readonly { readonly allocationTimestamp: number }[];
  };
  if (allocations.length >= atLeast)
    return allocations.map(({ allocationTimestamp }) => allocationTimestamp / 1e6);
  throw new EniverseError("internal", {
    attempted: `read when ${atLeast} pods got their addresses`,
    found: `${allocations.length} in ${checkpoint}`,
  });
}
