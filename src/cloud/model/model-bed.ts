import { type Cidr4, parseCidr4, parseCidr6 } from "../../addr/cidr.ts";
import { type Ipv4, parseIpv4 } from "../../addr/ipv4.ts";
import { seededRandom } from "../../base/random.ts";
import { type CloudSettings, defaultConfig, defaultSettings } from "../config.ts";
import { attachEni } from "./attachment.ts";
import { Ec2Fault } from "./fault.ts";
import { finishLaunch, type Instance } from "./instance.ts";
import { type RunInstancesRequest, runInstances } from "./instance-launch.ts";
import {
  type Attachment,
  type CreateEniRequest,
  createEni,
  type NetworkInterface,
} from "./network-interface.ts";
import { progress } from "./progress.ts";
import { type Account, CloudState, type Context } from "./state.ts";
import { type CreateSubnetRequest, createSubnet, type Subnet } from "./subnet.ts";
import { createVpc, type Vpc } from "./vpc.ts";

/** A model by itself, for tests: time moves by hand, random numbers come from a seed. */
export class ModelBed {
  readonly state = new CloudState();
  readonly random;
  readonly account: Account;
  now = Date.UTC(2026, 0, 1);
  settings: CloudSettings;

  constructor(settings: Partial<CloudSettings> = {}, seed = 1) {
    const { accountId, serviceAccountId, region, zones, publicCidr, ipv6Pool } = defaultConfig();
    this.account = { accountId, serviceAccountId, region, zones, publicCidr, ipv6Pool };
    this.settings = { ...defaultSettings, ...settings };
    this.random = seededRandom(seed);
  }

  get ctx(): Context {
    const { state, now, random, account, settings } = this;
    return { state, now, random, account, settings };
  }

  /** Moves time on and carries out what is due. */
  pass(ms: number): void {
    this.now += ms;
    progress(this.ctx);
  }

  vpc(cidr = "10.0.0.0/16", ipv6 = false): Vpc {
    return createVpc(this.ctx, { cidr: parseCidr4(cidr), ipv6 });
  }

  subnet(vpc: Vpc, cidr: string, request: Partial<CreateSubnetRequest> = {}): Subnet {
    return createSubnet(this.ctx, { vpcId: vpc.vpcId, cidr: parseCidr4(cidr), ...request });
  }

  /** A subnet in a VPC of its own /16. */
  loneSubnet(cidr: string): Subnet {
    return this.subnet(this.vpc(`${cidr.split(".").slice(0, 2).join(".")}.0.0/16`), cidr);
  }

  /** A subnet with a /64 as well, in a VPC of its own. */
  ipv6Subnet(cidr = "10.0.0.0/24"): Subnet {
    const vpc = this.vpc("10.0.0.0/16", true);
    const block = vpc.ipv6Cidrs[0]?.cidr.base ?? 0n;
    const text = `${(block >> 112n).toString(16)}:${((block >> 96n) & 0xffffn).toString(16)}:${((block >> 80n) & 0xffffn).toString(16)}:${((block >> 64n) & 0xffffn).toString(16)}::/64`;
    return this.subnet(vpc, cidr, { ipv6Cidr: parseCidr6(text) });
  }

  eni(subnet: Subnet, request: Partial<CreateEniRequest> = {}): NetworkInterface {
    return createEni(this.ctx, { subnetId: subnet.subnetId, requesterId: "tester", ...request });
  }

  /** A running instance. */
  instance(subnet: Subnet, instanceType = "m5.large", request: Partial<RunInstancesRequest> = {}): Instance {
    const [instance] = runInstances(
      this.ctx,
      { instanceType, subnetId: subnet.subnetId, ...request },
      "tester",
    );
    if (instance === undefined) throw new Error("nothing was launched");
    return finishLaunch(this.ctx, instance.instanceId);
  }

  attach(eni: NetworkInterface, instance: Instance, deviceIndex = 1, networkCardIndex = 0): Attachment {
    const { eniId } = eni;
    const { instanceId } = instance;
    return attachEni(this.ctx, { eniId, instanceId, deviceIndex, networkCardIndex });
  }

  primaryOf(instance: Instance): NetworkInterface {
    const eni = this.state.enis.get(instance.eniIds[0] ?? "");
    if (eni === undefined) throw new Error(`${instance.instanceId} has no interface`);
    return eni;
  }
}

/** "Code: message" of the fault that `run` ends in. */
export function faultOf(run: () => unknown): string {
  try {
    run();
  } catch (fault) {
    if (fault instanceof Ec2Fault) return `${fault.code}: ${fault.message}`;
    throw fault;
  }
  return "no fault";
}

/** The code of the fault that `run` ends in. */
export function codeOf(run: () => unknown): string {
  return faultOf(run).split(":")[0] ?? "";
}

export function ip(text: string): Ipv4 {
  return parseIpv4(text);
}

export function cidr(text: string): Cidr4 {
  return parseCidr4(text);
}
