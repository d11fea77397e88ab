import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../base/error.ts";
import { connectToLab } from "../cli/lab-connection.ts";
import { deployments, events, nodes, pods, replicaSets } from "../kube/resources.ts";
import type { LabPaths } from "../lab/paths.ts";

/** Logs of a node, as it names them. */
const nodeLogs = ["/var/log/kubelet.log", "/var/log/aws-routed-eni/ipamd.log"];

/**
 * Copies what a lab in which a measurement failed knows of it, before it is taken down: logs of the lab and its
 * nodes, and the objects of its API server. Answers with the folder; whatever cannot be had is left out.
 */
export async function keepEvidence(paths: LabPaths): Promise<string> {
  const folder = join(tmpdir(), `${paths.name}-evidence`);
  mkdirSync(folder, { recursive: true });
  if (existsSync(paths.log)) copyFileSync(paths.log, join(folder, "lab.log"));
  try {
    const { kube, status } = await connectToLab(paths.name);
    for (const { nodeName, initPid } of status.machines) {
      for (const log of nodeLogs) {
        const path = `/proc/${initPid}/root${log}`;
        const name = `${nodeName.split(".")[0]}-${log.split("/").at(-1)}`;
        if (existsSync(path)) copyFileSync(path, join(folder, name));
      }
    }
    const objects = {
      nodes: await kube.list(nodes),
      deployments: await kube.list(deployments),
      replicasets: await kube.list(replicaSets),
      pods: await kube.list(pods),
      events: await kube.list(events),
    };
    for (const [name, { items }] of Object.entries(objects))
      writeFileSync(join(folder, `${name}.json`), JSON.stringify(items, null, 1));
  } catch (error) {
    writeFileSync(join(folder, "missing.txt"), `${messageOf(error)}\n`);
  }
  return folder;
}
