import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Ec2 } from "../../aws/ec2.ts";
import { ManualClock } from "../../base/clock.ts";
import { hostVethName } from "../../hostnet/names.ts";
import type { KubeClient } from "../../kube/client.ts";
import { manifestEnvironment, readEnvironment } from "../environment.ts";
import type { AddNetworkReply, AddNetworkRequest, DelNetworkReply } from "../rpc/messages.ts";
import { nodeVersion } from "../version.ts";
import { type Daemon, startDaemon } from "./daemon.ts";
import { FakeAws } from "./fake-aws.ts";
import type { HostEni, HostNetwork } from "./host-port.ts";
import { createMetrics } from "./metrics.ts";

/**
 * For tests: a node with ipamd on it, in a cloud and a kernel that are made up, on a clock that is moved by hand.
 * The checkpoint is a real file. ipamd can be killed and started again on what is left.
 */
export class TestNode implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "ipamd-"));
  readonly clock = new ManualClock(Date.parse("2026-01-02T03:04:05Z"));
  readonly macs = new Set<string>();
  /** Names of the veths that pods' wiring would have left. */
  readonly veths = new Set<string>();
  /** What was done to the kernel, in words. */
  readonly host: string[] = [];
  readonly aws = new FakeAws(this.clock, (mac, present) => {
    if (present) this.macs.add(mac);
    else this.macs.delete(mac);
  });
  readonly logged: { readonly level: string; readonly msg: string; readonly fields: unknown }[] = [];
  readonly env: Record<string, string>;
  kube: KubeClient | undefined;
  #daemon: Daemon | undefined;
  #lives = 0;

  /** `env` comes on top of the DaemonSet's manifest. */
  constructor(env: Readonly<Record<string, string>> = {}) {
    this.env = {
      ...manifestEnvironment("aws-node"),
      MY_NODE_NAME: "node-1",
      MY_POD_NAME: "aws-node-1",
      AWS_VPC_K8S_CNI_BACKING_STORE: this.checkpoint,
      ...env,
    };
  }

  get checkpoint(): string {
    return join(this.folder, "ipam.json");
  }

  get daemon(): Daemon {
    if (this.#daemon === undefined) throw new Error("start the node first");
    return this.#daemon;
  }

  /** Starts ipamd; time goes on while it does. */
  async start(options: { readonly longestWaitMs?: number } = {}): Promise<Daemon> {
    const { settings } = readEnvironment(this.env);
    const starting = startDaemon({
      env: settings,
      imds: this.aws.imds,
      makeEc2: async () => this.#mortal(),
      makeHost: () => this.#hostNetwork(),
      kubeClient: this.kube,
      makeMetrics: (readGauges) => createMetrics({ version: "test", readGauges }),
      clock: this.clock,
      log: (level, msg, fields) => {
        this.logged.push({ level, msg, fields });
      },
      ...options,
    });
    this.#daemon = await this.whileTimePasses(starting);
    return this.#daemon;
  }

  /** ipamd dies at once, as with kill -9: it asks EC2 nothing more and hears of no answer. */
  kill(): void {
    this.#lives++;
    void this.#daemon?.stop();
    this.#daemon = undefined;
  }

  /** EC2 as the present life of ipamd has it. */
  #mortal(): Ec2 {
    const life = this.#lives;
    const never = new Promise<never>(() => {});
    const mortal = Object.entries(this.aws.ec2).map(([name, call]) => [
      name,
      async (...args: unknown[]): Promise<unknown> => {
        if (life !== this.#lives) return never;
        const answer: unknown = await Reflect.apply(call, undefined, args);
        return life === this.#lives ? answer : never;
      },
    ]);
    return Object.fromEntries(mortal) as unknown as Ec2;
  }

  /** Moves the clock in small steps until the promise is settled. */
  async whileTimePasses<T>(work: Promise<T>, stepMs = 10): Promise<T> {
    let over = false;
    const end = (): void => {
      over = true;
    };
    work.then(end, end);
    for (let step = 0; !over && step < 100_000; step++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (!over) await this.clock.advance(stepMs);
    }
    return work;
  }

  /** Lets time go by, with turns for real I/O in between. */
  async pass(spanMs: number, stepMs = 500): Promise<void> {
    for (let left = spanMs; left > 0; left -= stepMs) {
      await this.clock.advance(Math.min(stepMs, left));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** ADD for a pod, as the plugin asks; its veth appears when it succeeds. */
  async add(pod: string, more: Partial<AddNetworkRequest> = {}): Promise<AddNetworkReply> {
    const reply = await this.whileTimePasses(this.daemon.backend.addNetwork(addRequest(pod, more)));
    if (reply.Success) this.veths.add(hostVethName("eni", "default", pod));
    return reply;
  }

  async del(pod: string): Promise<DelNetworkReply> {
    const reply = await this.whileTimePasses(this.daemon.backend.delNetwork(delRequest(pod)));
    this.veths.delete(hostVethName("eni", "default", pod));
    return reply;
  }

  #hostNetwork(): HostNetwork {
    const say = (line: string): void => {
      this.host.push(line);
    };
    return {
      connmarkBackend: "nftables",
      linkNames: () => ["lo", "eth0", ...this.veths],
      hasLink: (mac) => this.macs.has(mac),
      linkIndex: (mac) => (this.macs.has(mac) ? [...this.macs].indexOf(mac) + 1 : undefined),
      setUpNode: async (cidrs) => say(`node ${cidrs.join()}`),
      updateVpcCidrs: async (cidrs) => say(`cidrs ${cidrs.join()}`),
      routeTableOf: (eni: HostEni) => (eni.card > 0 ? 10_000 + 100 * eni.card : 1) + eni.deviceNumber,
      setUpEni: async (eni) => say(`eni ${eni.mac} ${eni.primaryAddress} ${eni.subnetCidr}`),
      removeEniRules: (address) => say(`no rules from ${address}`),
      removePodRules: (address) => say(`no rules of pod ${address}`),
      rewriteRules: (addresses) => say(`rules ${addresses.join()}`),
    };
  }

  [Symbol.dispose](): void {
    void this.#daemon?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function addRequest(pod: string, more: Partial<AddNetworkRequest> = {}): AddNetworkRequest {
  return {
    K8S_POD_NAME: pod,
    K8S_POD_NAMESPACE: "default",
    K8S_POD_INFRA_CONTAINER_ID: `sandbox-${pod}`,
    Netns: "/var/run/netns/x",
    IfName: "eth0",
    NetworkName: "aws-cni",
    ContainerID: `sandbox-${pod}`,
    ClientVersion: nodeVersion,
    RequiresMultiNICAttachment: false,
    ...more,
  };
}

export function delRequest(pod: string) {
  return {
    K8S_POD_NAME: pod,
    K8S_POD_NAMESPACE: "default",
    K8S_POD_INFRA_CONTAINER_ID: `sandbox-${pod}`,
    Reason: "PodDeleted",
    IfName: "eth0",
    NetworkName: "aws-cni",
    ContainerID: `sandbox-${pod}`,
    ClientVersion: nodeVersion,
    K8S_POD_UID: "",
  };
}

/** What a promise was rejected with. `expect().rejects` would run the event loop inside itself. */
export function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
}
