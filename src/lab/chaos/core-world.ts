import { parseCidr4 } from "../../addr/cidr.ts";
import { formatIpv4, parseIpv4 } from "../../addr/ipv4.ts";
import { type Random, seededRandom } from "../../base/random.ts";
import { defaultConfig, defaultSettings } from "../../cloud/config.ts";
import { FaultBoard } from "../../cloud/ec2/fault-board.ts";
import { finishLaunch } from "../../cloud/model/instance.ts";
import { runInstances } from "../../cloud/model/instance-launch.ts";
import { checkCloud } from "../../cloud/model/invariants.ts";
import { deleteEni } from "../../cloud/model/network-interface.ts";
import { clearOccupation, occupySubnet } from "../../cloud/model/occupation.ts";
import { progress } from "../../cloud/model/progress.ts";
import { CloudState, type Context } from "../../cloud/model/state.ts";
import { createSubnet } from "../../cloud/model/subnet.ts";
import { createVpc } from "../../cloud/model/vpc.ts";
import type { SettingsInput } from "../../ipam/settings.ts";
import { CoreNode } from "./core-node.ts";

/** Error codes that EC2 may answer with while a fault is on. */
const codes = [
  "RequestLimitExceeded",
  "InternalError",
  "InsufficientFreeAddressesInSubnet",
  "InsufficientCidrBlocks",
  "UnauthorizedOperation",
];
const actions = [
  "*",
  "AssignPrivateIpAddresses",
  "UnassignPrivateIpAddresses",
  "CreateNetworkInterface",
  "AttachNetworkInterface",
  "DetachNetworkInterface",
  "DeleteNetworkInterface",
];

/** After so many rounds of a minute no back-off is left. */
const longestBackOffRounds = 4;

/**
 * The decision core of several nodes over one VPC model with faults, on a virtual clock: everything of a lab that is
 * pure. What happens is asked for from outside, so that a story can be cut short.
 */
export class CoreWorld {
  readonly state = new CloudState();
  readonly faults = new FaultBoard();
  readonly random: Random;
  readonly nodes: CoreNode[];
  readonly subnetId: string;
  now = Date.UTC(2026, 0, 1);

  constructor(seed: number, subnet: string, settings: readonly SettingsInput[]) {
    this.random = seededRandom(seed);
    const vpc = createVpc(this.ctx, { cidr: parseCidr4("10.0.0.0/16"), ipv6: false });
    this.subnetId = createSubnet(this.ctx, { vpcId: vpc.vpcId, cidr: parseCidr4(subnet) }).subnetId;
    this.nodes = settings.map((input) => {
      const request = { instanceType: "m5.large", subnetId: this.subnetId };
      const instanceId = runInstances(this.ctx, request, "chaos")[0]?.instanceId ?? "";
      finishLaunch(this.ctx, instanceId);
      return new CoreNode(this, instanceId, input);
    });
  }

  get ctx(): Context {
    const { accountId, serviceAccountId, region, zones, publicCidr, ipv6Pool } = defaultConfig();
    return {
      state: this.state,
      now: this.now,
      random: this.random,
      account: { accountId, serviceAccountId, region, zones, publicCidr, ipv6Pool },
      settings: defaultSettings,
    };
  }

  get freeAddresses(): number {
    return this.state.spaces.get(this.subnetId)?.freeCount ?? 0;
  }

  get freePrefixes(): number {
    return this.state.spaces.get(this.subnetId)?.freeBlocks28Count ?? 0;
  }

  /** One call of EC2: a fault that is on, or what the model says. Throws its `Ec2Fault`. */
  call<T>(action: string, run: (ctx: Context) => T): T {
    const { error } = this.faults.decide(action, this.random);
    if (error !== undefined) throw error;
    return run(this.ctx);
  }

  pass(ms: number): void {
    this.now += ms;
    progress(this.ctx);
  }

  breakEc2(pick: number): void {
    this.faults.add({
      action: actions[pick % actions.length] ?? "*",
      rate: [0.3, 0.7, 1][pick % 3] ?? 1,
      errorCode: codes[pick % codes.length] ?? "InternalError",
    });
  }

  crowd(pick: number): void {
    const request = pick % 2 === 0 ? { filled: 0.5 + (pick % 50) / 100 } : { fragmented: true };
    occupySubnet(this.ctx, { subnetId: this.subnetId, ...request }, "others");
  }

  uncrowd(): void {
    clearOccupation(this.ctx);
  }

  /** Ends all faults and lets every node do what it has to until nothing is left to do. */
  settle(): void {
    this.faults.clear();
    this.uncrowd();
    let was = "";
    let same = 0;
    for (let round = 0; round < 60 && same < longestBackOffRounds; round++) {
      for (const node of this.nodes) node.rest();
      this.#sweep();
      // Longer than a reconcile's distance.
      this.pass(61_000);
      for (const node of this.nodes) node.reconcile();
      const picture = this.#picture();
      same = picture === was ? same + 1 : 0;
      was = picture;
    }
  }

  /** The search for leaked ENIs; nothing is under way. */
  #sweep(): void {
    for (const { eniId, description, attachment } of [...this.state.enis.values()])
      if (attachment === undefined && description.startsWith("aws-K8S-")) deleteEni(this.ctx, eniId);
  }

  #picture(): string {
    const enis = [...this.state.enis.values()].map(({ eniId, addresses, prefixes }) => [
      eniId,
      addresses,
      prefixes,
    ]);
    return JSON.stringify([enis, this.nodes.map((node) => node.picture())]);
  }

  /** What must hold at every moment. */
  broken(): string[] {
    const holders = new Map<string, string>();
    const twice: string[] = [];
    const owners = this.state.owners.of(this.state.subnets.get(this.subnetId)?.vpcId ?? "");
    for (const node of this.nodes) {
      for (const { address, eniId, key } of node.pool.assignments()) {
        const other = holders.get(address);
        if (other !== undefined) twice.push(`${address} is held by ${other} and ${key.containerId}`);
        holders.set(address, key.containerId);
        const owner = owners.ofIpv4(parseIpv4(address));
        if (owner !== eniId)
          twice.push(`${address} of a pod is EC2's ${owner ?? "nobody"}'s, not ${eniId}'s`);
      }
    }
    return [...twice, ...checkCloud(this.state), ...this.nodes.flatMap((node) => node.broken())];
  }

  /** What must hold when everything has come to rest. */
  brokenAtRest(): string[] {
    const loose = [...this.state.enis.values()].filter(({ attachment }) => attachment === undefined);
    return [
      ...this.broken(),
      ...loose.map(({ eniId, addresses }) => `${eniId} (${addresses.map(formatIpv4)}) has no owner`),
      ...this.nodes.flatMap((node) => node.brokenAtRest()),
    ];
  }
}
