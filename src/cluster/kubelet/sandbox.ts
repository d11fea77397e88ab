import { randomBytes, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { EniverseError, messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import { ResultCache } from "../../cni/cache.ts";
import { addNetwork, deleteNetwork, failureText, type Sandbox } from "../../cni/chain.ts";
import { type NetworkConfigList, parseConfigList, parseSingleConfig } from "../../cni/config.ts";
import { type CniResult, parseResult } from "../../cni/result.ts";
import type { Pod } from "../../kube/resources.ts";
import { check, MS_BIND, MS_REC, MS_SHARED, raw } from "../../linux/libc.ts";
import { createNetns, deleteNetns, Netns } from "../../linux/netns.ts";
import { identityOf } from "../../linux/process.ts";
import { Rtnetlink } from "../../linux/rtnetlink/rtnetlink.ts";
import { type Bandwidth, bandwidthOf } from "./bandwidth.ts";
import { killLeftovers } from "./leftovers.ts";
import type { SandboxState } from "./state.ts";

const ifName = "eth0";
const loopbackIndex = 1;

export interface SandboxOptions {
  readonly netnsDir: string;
  readonly cniBinDir: string;
  readonly resultDir: string;
  readonly network: () => NetworkConfigList | undefined;
  readonly log: Log;
}

/** Makes and takes down the network namespaces of pods, through the chain of CNI plugins. */
export class Sandboxes {
  readonly #options: SandboxOptions;
  readonly #cache: ResultCache;

  constructor(options: SandboxOptions) {
    this.#options = options;
    this.#cache = new ResultCache(options.resultDir);
    shareMounts(options.netnsDir);
  }

  /** A sandbox that is about to be made; it is to be written down before {@link create}. */
  plan(pod: Pod, now: number): SandboxState {
    const id = randomBytes(32).toString("hex");
    if (pod.spec.hostNetwork === true)
      return { id, phase: "ready", boot: bootTime(), ips: [], createdAt: now };
    const netns = join(this.#options.netnsDir, `cni-${randomUUID()}`);
    return { id, phase: "creating", netns, ips: [], createdAt: now };
  }

  /**
   * Makes the namespace and runs ADD; fills in the addresses. Throws with the text of the CRI runtime in
   * `facts.cniText`; the sandbox must then be taken down by {@link remove}. The plugin that runs is killed when
   * `signal` aborts.
   */
  async create(pod: Pod, sandbox: SandboxState, signal: AbortSignal): Promise<void> {
    const { netns: path } = sandbox;
    if (path === undefined) return;
    const list = this.#options.network();
    if (list === undefined) throw sandboxFailure(sandbox, "cni plugin not initialized");
    try {
      createNetns(path);
      using netns = Netns.open(path);
      sandbox.inode = netns.inode;
      using inside = Rtnetlink.open(netns);
      inside.setLink(loopbackIndex, { up: true });
      const wanted = attachment(pod, sandbox, bandwidthOf(pod.metadata.annotations ?? {}));
      const result = await addNetwork(list, wanted, { ...this.#chain(), signal });
      sandbox.ips = podAddresses(parseResult(result, list.cniVersion));
      if (sandbox.ips.length === 0) throw new Error("failed to get pod network IP address");
      sandbox.phase = "ready";
    } catch (error) {
      throw sandboxFailure(sandbox, failureText(error), error);
    }
  }

  /** Runs DEL and takes the namespace away. Throws when a plugin fails; to be called again until it does not. */
  async remove(pod: Pod, sandbox: SandboxState): Promise<void> {
    const { netns } = sandbox;
    if (netns === undefined) return;
    const intact = this.isIntact(sandbox);
    if (intact && sandbox.inode !== undefined) killLeftovers(sandbox.inode);
    const sound = { ...attachment(pod, sandbox), netns: intact ? netns : "" };
    try {
      for (const list of this.#configsOf(sandbox)) await deleteNetwork(list, sound, this.#chain());
    } catch (error) {
      const text = `failed to destroy network for sandbox "${sandbox.id}": ${failureText(error)}`;
      throw new EniverseError("unavailable", {
        attempted: "take down a sandbox",
        found: text,
        facts: { cniText: text },
      });
    }
    deleteNetns(netns);
  }

  /** True when the namespace is still the one that was made: a restart of the machine takes it away. */
  isIntact(sandbox: SandboxState): boolean {
    if (sandbox.netns === undefined) return sandbox.boot === undefined || sandbox.boot === bootTime();
    try {
      return sandbox.inode === undefined
        ? existsSync(sandbox.netns)
        : statSync(sandbox.netns).ino === sandbox.inode;
    } catch {
      return false;
    }
  }

  /** Takes down what no pod of `known` has: attachments and namespaces of a kubelet that lost its state. */
  async sweep(known: ReadonlySet<string>, knownPaths: ReadonlySet<string>): Promise<void> {
    for (const lost of this.#cache.list().filter(({ containerId }) => !known.has(containerId))) {
      const sandbox = { ...lost, netns: existsSync(lost.netns) ? lost.netns : "" };
      try {
        await deleteNetwork(readConfig(lost.config), sandbox, this.#chain());
      } catch (error) {
        this.#options.log("warn", "orphaned sandbox stays", {
          sandbox: lost.containerId,
          error: messageOf(error),
        });
      }
    }
    for (const file of readdirSync(this.#options.netnsDir)) {
      const path = join(this.#options.netnsDir, file);
      if (file.startsWith("cni-") && !knownPaths.has(path)) deleteNetns(path);
    }
  }

  /** What made the attachment; where that is not known, because ADD did not end, what is in force now. */
  #configsOf(sandbox: SandboxState): NetworkConfigList[] {
    const cached = this.#cache.list(sandbox.id).map(({ config }) => readConfig(config));
    const current = this.#options.network();
    return cached.length > 0 ? cached : current === undefined ? [] : [current];
  }

  #chain() {
    return { path: [this.#options.cniBinDir], cache: this.#cache };
  }
}

/** When the first process of the machine was started, in clock ticks since the host's boot. */
const bootTime = (): number => identityOf(1)?.startTime ?? 0;

function readConfig(text: string): NetworkConfigList {
  return text.includes('"plugins"') ? parseConfigList(text) : parseSingleConfig(text);
}

/** What the plugins are told; the arguments and their order are containerd's. */
function attachment(pod: Pod, sandbox: SandboxState, bandwidth?: Bandwidth): Sandbox {
  const { name, namespace = "default", uid = "", annotations = {} } = pod.metadata;
  const portMappings = pod.spec.containers
    .flatMap(({ ports }) => ports ?? [])
    .filter(({ hostPort }) => hostPort !== undefined && hostPort > 0)
    .map(({ hostPort = 0, containerPort, protocol = "TCP", hostIP = "" }) => ({
      hostPort,
      containerPort,
      protocol: protocol.toLowerCase(),
      hostIP,
    }));
  return {
    containerId: sandbox.id,
    netns: sandbox.netns ?? "",
    ifName,
    args: [
      ["IgnoreUnknown", "1"],
      ["K8S_POD_NAMESPACE", namespace],
      ["K8S_POD_NAME", name],
      ["K8S_POD_INFRA_CONTAINER_ID", sandbox.id],
      ["K8S_POD_UID", uid],
    ],
    capabilityArgs: {
      ...(portMappings.length > 0 && { portMappings }),
      ...(bandwidth !== undefined && { bandwidth: { ...bandwidth } }),
      "io.kubernetes.cri.pod-annotations": { ...annotations },
    },
  };
}

function sandboxFailure(sandbox: SandboxState, text: string, cause?: unknown): EniverseError {
  const cniText =
    `Failed to create pod sandbox: rpc error: code = Unknown desc = ` +
    `failed to setup network for sandbox "${sandbox.id}": ${text}`;
  return new EniverseError("unavailable", {
    attempted: "create a sandbox",
    found: cniText,
    facts: { cniText },
    cause,
  });
}

/**
 * Makes the folder a shared mount of its own, as containerd's host has it: containers with mounts of their own
 * (aws-node) then see the namespaces of pods that come later.
 */
function shareMounts(folder: string): void {
  mkdirSync(folder, { recursive: true });
  // Fails with EINVAL where the folder is no mount point yet.
  if (raw.mount("none", folder, "none", MS_SHARED | MS_REC, null) === 0) return;
  const attempted = `share the mounts of ${folder}`;
  check(raw.mount(folder, folder, "none", MS_BIND | MS_REC, null), attempted);
  check(raw.mount("none", folder, "none", MS_SHARED | MS_REC, null), attempted);
}

/**
 * The addresses that the API server hears of: those of the first device. What a plugin gives on further ones
 * (several network cards) is the pod's own affair, as it is with containerd; a pod has one address of a family.
 */
function podAddresses({ ips, interfaces }: CniResult): string[] {
  return ips
    .filter((ip) => ip.interface === undefined || interfaces[ip.interface]?.name === ifName)
    .map(({ address }) => address.split("/")[0] ?? address);
}
