import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { EniverseError } from "../../base/error.ts";
import { type Random, seededRandom } from "../../base/random.ts";
import type { KubeClient } from "../../kube/client.ts";
import { createKubeClient } from "../../kube/fetch-client.ts";
import { clientConfigOf } from "../../kube/kubeconfig.ts";
import { daemonSets, deployments, pods } from "../../kube/resources.ts";
import { identityOf } from "../../linux/process.ts";
import { breakLab, healLab, type LabMachine, labStatus } from "../control.ts";
import type { Fault } from "../faults/fault.ts";
import { killAll, processesIn } from "../faults/node-processes.ts";
import { runningLab } from "../launch.ts";
import { labPaths } from "../paths.ts";
import { type Breakage, describeOperation, type Operation } from "./story.ts";

const command = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
const workload = "web";
/** What a story may set on the aws-node container. */
const variables = ["WARM_IP_TARGET", "MINIMUM_IP_TARGET", "WARM_ENI_TARGET", "ENABLE_PREFIX_DELEGATION"];

/** A real lab that stories happen to. */
export class ChaosLab {
  readonly paths;
  readonly #started = performance.now();
  /** What has happened, with the time of each. */
  readonly told: string[] = [];

  constructor(name: string) {
    this.paths = labPaths(name);
  }

  get kube(): KubeClient {
    return createKubeClient(clientConfigOf(readFileSync(this.paths.kubeconfig, "utf8")));
  }

  /** Runs the command as a user would; throws with what it printed when it fails. */
  run(...args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [command, "--name", this.paths.name, ...args],
      { encoding: "utf8", timeout: 120_000 },
    );
    if (status === 0) return stdout;
    throw new EniverseError("unavailable", {
      attempted: `run eniverse ${args.join(" ")}`,
      found: `status ${status}\n${stdout}\n${stderr}`,
    });
  }

  async up(nodes: number, replicas: number): Promise<void> {
    this.run("up", "--nodes", String(nodes), "--detach");
    this.run("run", workload, "--replicas", String(replicas));
  }

  async carryOut(operation: Operation): Promise<void> {
    const at = ((performance.now() - this.#started) / 1000).toFixed(1);
    this.told.push(`${at.padStart(6)} s  ${describeOperation(operation)}`);
    switch (operation.do) {
      case "scale":
        await this.scale(operation.replicas);
        return;
      case "delete-pods":
        return this.#deletePods(operation.count, seededRandom(operation.pick));
      case "set-env":
        return this.setEnv(operation.env);
      case "break":
        await breakLab(this.paths, await this.#faultOf(operation.what, operation.node));
        return;
      case "heal":
        await healLab(this.paths, undefined);
        return;
      case "kill":
        return this.#kill(operation.program, operation.node);
      case "reboot": {
        const { instanceId } = await this.#machine(operation.node);
        await breakLab(this.paths, { kind: "node", instanceId, how: "reboot" });
        return;
      }
      case "pause":
        await pause(operation.ms);
        return;
    }
  }

  async scale(replicas: number): Promise<void> {
    await this.kube.patch(deployments, workload, { spec: { replicas } }, { namespace: "default" });
  }

  async setEnv(env: Readonly<Record<string, string>>): Promise<void> {
    const list = variables.map((name) => {
      const value = env[name];
      return value === undefined ? { name, $patch: "delete" } : { name, value };
    });
    await this.kube.patch(
      daemonSets,
      "aws-node",
      { spec: { template: { spec: { containers: [{ name: "aws-node", env: list }] } } } },
      { namespace: "kube-system", kind: "strategic" },
    );
  }

  /** Ends every fault, gives ipamd new containers (the old ones may be in back-off) and waits for all pods. */
  async settle(replicas: number, waitMs: number): Promise<void> {
    await healLab(this.paths, undefined);
    const { items } = await this.kube.list(pods, { namespace: "kube-system" });
    for (const { metadata } of items)
      await this.kube.delete(pods, metadata.name, { namespace: "kube-system" }).catch(() => {});
    await this.scale(replicas);
    for (const deadline = Date.now() + waitMs; Date.now() < deadline; await pause(250))
      if (await this.#isSettled(replicas)) return;
    throw new EniverseError("timeout", {
      attempted: `bring ${replicas} pods to rest`,
      found: await this.#unrest(),
    });
  }

  async #isSettled(replicas: number): Promise<boolean> {
    const deployment = await this.kube.get(deployments, workload, "default");
    const agents = await this.kube.get(daemonSets, "aws-node", "kube-system");
    const { items } = await this.kube.list(pods);
    const { status } = agents;
    return (
      deployment.status?.readyReplicas === replicas &&
      items.every(({ metadata }) => metadata.deletionTimestamp === undefined) &&
      status?.numberReady === status?.desiredNumberScheduled &&
      status?.updatedNumberScheduled === status?.desiredNumberScheduled
    );
  }

  /** Pods that are not as they should be, for the error message. */
  async #unrest(): Promise<string> {
    const { items } = await this.kube.list(pods);
    return items
      .filter(
        ({ metadata, status }) =>
          metadata.deletionTimestamp !== undefined ||
          !status?.conditions?.some((one) => one.type === "Ready" && one.status === "True"),
      )
      .map(({ metadata, spec, status }) => {
        const waits = status?.containerStatuses?.map(({ state }) => JSON.stringify(state)).join(" ") ?? "";
        const ending = metadata.deletionTimestamp === undefined ? "" : " terminating";
        return `${metadata.name} on ${spec.nodeName} ${status?.phase}${ending} ${waits}`;
      })
      .join("\n");
  }

  async #deletePods(count: number, random: Random): Promise<void> {
    const { items } = await this.kube.list(pods, { namespace: "default" });
    for (let n = 0; n < count && items.length > 0; n++) {
      const [pod] = items.splice(random.int(items.length), 1);
      if (pod === undefined) return;
      const grace = random.int(3) === 0 ? { gracePeriodSeconds: 0 } : {};
      await this.kube.delete(pods, pod.metadata.name, { namespace: "default", ...grace }).catch(() => {});
    }
  }

  async #kill(program: "ipamd" | "kubelet" | "lab", node: number): Promise<void> {
    if (program === "lab") {
      const lab = runningLab(this.paths);
      if (lab === undefined) return;
      process.kill(lab.pid, "SIGKILL");
      while (identityOf(lab.pid) !== undefined) await pause(10);
      this.run("up", "--detach");
      return;
    }
    const { initPid } = await this.#machine(node);
    const words = program === "ipamd" ? ["node/ipamd/main.ts"] : ["cluster/kubelet/main.ts"];
    // The shell that starts the kubelet again names it too.
    killAll(processesIn(initPid, ...words).filter((pid) => !isSupervisor(pid)));
  }

  async #machine(node: number): Promise<LabMachine> {
    const { machines } = await labStatus(this.paths);
    const machine = machines[node % Math.max(machines.length, 1)];
    if (machine !== undefined) return machine;
    throw new EniverseError("not_found", { attempted: `find node ${node}`, found: "the lab has no nodes" });
  }

  async #faultOf(what: Breakage, node: number): Promise<Fault> {
    const { instanceId } = await this.#machine(node);
    const subnet = node % 2 === 0 ? "private-a" : "private-b";
    switch (what) {
      case "throttle":
        return { kind: "ec2", action: "*", rate: 0.5, error: "RequestLimitExceeded" };
      case "refuse-assign":
        return {
          kind: "ec2",
          action: "AssignPrivateIpAddresses",
          rate: 0.5,
          error: "InsufficientFreeAddressesInSubnet",
        };
      case "refuse-create":
        return { kind: "ec2", action: "CreateNetworkInterface", rate: 0.7, error: "InternalError" };
      case "slow-attach":
        return { kind: "attach", delayMs: 3000 };
      case "failing-attach":
        return { kind: "attach", failRate: 0.5 };
      case "late-metadata":
        return { kind: "metadata", lagMs: 2000 };
      case "leaf-lag":
        return { kind: "metadata", leafLagMs: 2000 };
      case "frozen-metadata":
        return { kind: "metadata", frozen: true };
      case "fragmented-subnet":
        return { kind: "subnet", subnet, fragmented: true };
      case "full-subnet":
        return { kind: "subnet", subnet, filled: 1 };
      case "api-server":
        return { kind: "api-server" };
      case "cut-off":
        return { kind: "node", instanceId, how: "cut-off" };
      case "ipamd-down":
        return { kind: "ipamd", instanceId, keepDown: true };
    }
  }
}

function isSupervisor(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("kubelet-service");
  } catch {
    return false;
  }
}
