import { formatIpv4, ipv4, parseIpv4 } from "../../addr/ipv4.ts";
import type { AssignedAddresses, CreateEniRequest, Ec2, Filter, InstanceTypeFacts } from "../../aws/ec2.ts";
import { codeOfEc2 } from "../../aws/ec2-errors.ts";
import type { Imds } from "../../aws/imds.ts";
import type { Eni, Subnet, Tag } from "../../aws/shapes.ts";
import type { Clock } from "../../base/clock.ts";
import { EniverseError } from "../../base/error.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export const instanceId = "i-0123456789abcdef0";
export const primaryEniId = "eni-primary";

/**
 * For tests of this room: one instance in a VPC of one zone, behind the EC2 and IMDS ports. EC2 answers after
 * `latencyMs` of the clock, IMDS shows what EC2 has `imdsLagMs` later, and a test may make any call fail.
 */
export class FakeAws {
  readonly calls: { readonly action: string; readonly args: readonly unknown[] }[] = [];
  readonly enis = new Map<string, Mutable<Eni>>();
  readonly subnets: Mutable<Subnet>[] = [
    {
      subnetId: "subnet-1",
      vpcId: "vpc-1",
      availabilityZone: "us-west-2a",
      cidrBlock: "10.0.0.0/20",
      ipv6CidrBlocks: ["2001:db8::/64"],
      availableIpAddressCount: 4000,
      tags: [],
    },
  ];
  securityGroups = ["sg-1"];
  vpcCidrs = ["10.0.0.0/16"];
  instanceType = "m5.large";
  latencyMs = 0;
  imdsLagMs = 0;
  /** Called with each EC2 call; what it throws is EC2's answer. See {@link refusal}. */
  onCall: (action: string, args: readonly unknown[]) => void = () => {};
  readonly #clock: Clock;
  readonly #links: (mac: string, present: boolean) => void;
  #imds: { readonly at: number; readonly enis: readonly Eni[] }[] = [];
  #nextAddress = parseIpv4("10.0.0.100");
  #nextId = 1;

  /** `links` is told which devices the kernel gets and loses. */
  constructor(clock: Clock, links: (mac: string, present: boolean) => void) {
    this.#clock = clock;
    this.#links = links;
    this.addEni(primaryEniId, { deviceIndex: 0, address: "10.0.0.10" });
  }

  /** An attached ENI, as if it had always been there. */
  addEni(
    id: string,
    options: {
      readonly deviceIndex: number;
      readonly card?: number;
      readonly address: string;
      readonly secondaries?: readonly string[];
      readonly prefixes?: readonly string[];
      readonly ipv6?: string;
      readonly interfaceType?: Eni["interfaceType"];
      readonly tags?: readonly Tag[];
    },
  ): void {
    const mac = `02:00:00:00:${String(options.card ?? 0).padStart(2, "0")}:${String(options.deviceIndex).padStart(2, "0")}`;
    this.enis.set(id, {
      ...this.#blank(id, mac),
      status: "in-use",
      privateIpAddresses: [options.address, ...(options.secondaries ?? [])].map((address, index) => ({
        address,
        primary: index === 0,
      })),
      ipv4Prefixes: options.prefixes ?? [],
      ipv6Addresses: options.ipv6 === undefined ? [] : [options.ipv6],
      interfaceType: options.interfaceType ?? "interface",
      tags: options.tags ?? [],
      attachment: {
        attachmentId: `attach-${id}`,
        deviceIndex: options.deviceIndex,
        networkCardIndex: options.card ?? 0,
        instanceId,
        instanceOwnerId: "111122223333",
        status: "attached",
        deleteOnTermination: true,
        attachTime: "",
      },
    });
    this.#links(mac, true);
    this.#changed();
  }

  /** Takes an ENI away as somebody else would. */
  drop(id: string): void {
    const eni = this.enis.get(id);
    if (eni !== undefined) this.#links(eni.macAddress, false);
    this.enis.delete(id);
    this.#changed();
  }

  /** Changes an ENI as somebody else would. */
  change(id: string, change: Partial<Eni>): void {
    Object.assign(this.#eni(id), change);
    this.#changed();
  }

  /** How often an action was called. */
  count(action: string): number {
    return this.calls.filter((call) => call.action === action).length;
  }

  readonly imds: Imds = {
    get: async (path) => {
      const found = await this.imds.find(path);
      if (found !== undefined) return found;
      throw new EniverseError("not_found", { attempted: `read ${path}`, found: "status 404" });
    },
    find: async (path) => this.#metadata(path),
  };

  readonly ec2: Ec2 = {
    describeInstance: (id) =>
      this.#call("DescribeInstances", [id], () => ({
        instanceId: id,
        attachments: [...this.enis.values()].flatMap(({ attachment }) => attachment ?? []),
      })),
    describeInstanceType: (type) =>
      this.#call("DescribeInstanceTypes", [type], (): InstanceTypeFacts => {
        throw refusal("InvalidInstanceType", `The following supplied instance types do not exist: [${type}]`);
      }),
    describeNetworkInterfaces: (request) =>
      this.#call("DescribeNetworkInterfaces", [request], () => this.#describe(request)),
    describeSubnets: (filters) =>
      this.#call("DescribeSubnets", [filters], () => structuredClone(this.subnets) as Subnet[]),
    createNetworkInterface: (request) =>
      this.#call("CreateNetworkInterface", [request], () => this.#create(request)),
    deleteNetworkInterface: (id) =>
      this.#call("DeleteNetworkInterface", [id], () => {
        if (this.#eni(id).attachment !== undefined)
          throw refusal("InvalidParameterValue", `Network interface '${id}' is currently in use.`);
        this.enis.delete(id);
      }),
    attachNetworkInterface: (request) =>
      this.#call("AttachNetworkInterface", [request], () => {
        const eni = this.#eni(request.networkInterfaceId);
        const attachmentId = `attach-${eni.networkInterfaceId}`;
        eni.status = "in-use";
        eni.attachment = {
          attachmentId,
          deviceIndex: request.deviceIndex,
          networkCardIndex: request.networkCardIndex,
          instanceId: request.instanceId,
          instanceOwnerId: "111122223333",
          status: "attached",
          deleteOnTermination: false,
          attachTime: "",
        };
        this.#links(eni.macAddress, true);
        return { attachmentId };
      }),
    detachNetworkInterface: (attachmentId) =>
      this.#call("DetachNetworkInterface", [attachmentId], () => {
        const eni = [...this.enis.values()].find((each) => each.attachment?.attachmentId === attachmentId);
        if (eni === undefined) throw refusal("InvalidAttachmentID.NotFound", "no such attachment");
        delete eni.attachment;
        eni.status = "available";
        this.#links(eni.macAddress, false);
      }),
    setDeleteOnTermination: (id, attachmentId) =>
      this.#call("ModifyNetworkInterfaceAttribute", [id, attachmentId], () => {
        const eni = this.#eni(id);
        if (eni.attachment !== undefined) eni.attachment = { ...eni.attachment, deleteOnTermination: true };
      }),
    modifyGroups: (id, groups) =>
      this.#call("ModifyNetworkInterfaceAttribute", [id, groups], () => {
        this.#eni(id).groups = [...groups];
      }),
    assignPrivateIpAddresses: (id, want) =>
      this.#call("AssignPrivateIpAddresses", [id, want], () => this.#assign(id, want)),
    unassignPrivateIpAddresses: (id, what) =>
      this.#call("UnassignPrivateIpAddresses", [id, what], () => {
        const eni = this.#eni(id);
        if ("addresses" in what)
          eni.privateIpAddresses = eni.privateIpAddresses.filter(
            ({ address }) => !what.addresses.includes(address),
          );
        else eni.ipv4Prefixes = eni.ipv4Prefixes.filter((prefix) => !what.prefixes.includes(prefix));
      }),
    assignIpv6Prefix: (id) =>
      this.#call("AssignIpv6Addresses", [id], () => {
        const prefix = `2001:db8:0:0:${this.#nextId++}::/80`;
        if (this.#eni(id).ipv6Prefixes.length > 0) throw refusal("InvalidParameterValue", "one is there");
        this.#eni(id).ipv6Prefixes = [prefix];
        return [prefix];
      }),
    unassignIpv6Prefixes: (id, prefixes) =>
      this.#call("UnassignIpv6Addresses", [id, prefixes], () => {
        const eni = this.#eni(id);
        eni.ipv6Prefixes = eni.ipv6Prefixes.filter((prefix) => !prefixes.includes(prefix));
      }),
    createTags: (id, tags) =>
      this.#call("CreateTags", [id, tags], () => {
        const eni = this.#eni(id);
        eni.tags = [...eni.tags.filter(({ key }) => !tags.some((tag) => tag.key === key)), ...tags];
      }),
  };

  async #call<T>(action: string, args: readonly unknown[], work: () => T): Promise<T> {
    this.calls.push({ action, args });
    if (this.latencyMs > 0) await this.#clock.sleep(this.latencyMs);
    this.onCall(action, args);
    const answer = work();
    this.#changed();
    return answer;
  }

  #describe(request: { ids?: readonly string[]; filters?: readonly Filter[] }): Eni[] {
    const all = request.ids?.map((id) => this.#eni(id)) ?? [...this.enis.values()];
    const matches = (eni: Eni, { name, values }: Filter): boolean => {
      if (name === "status") return values.includes(eni.status);
      if (name === "vpc-id") return values.includes(eni.vpcId);
      if (name === "tag-key") return eni.tags.some(({ key }) => values.includes(key));
      const key = name.replace(/^tag:/, "");
      return eni.tags.some((tag) => tag.key === key && values.includes(tag.value));
    };
    const found = all.filter((eni) => (request.filters ?? []).every((filter) => matches(eni, filter)));
    return structuredClone(found);
  }

  #create(request: CreateEniRequest): Eni {
    const id = `eni-${this.#nextId++}`;
    const mac = `02:00:00:00:ff:${this.#nextId.toString(16).padStart(2, "0")}`;
    const eni: Mutable<Eni> = {
      ...this.#blank(id, mac),
      subnetId: request.subnetId,
      description: request.description,
      groups: request.groups,
      tags: request.tags,
      privateIpAddresses: [{ address: this.#fresh(), primary: true }],
    };
    this.enis.set(id, eni);
    if (request.secondaryPrivateIpAddressCount !== undefined)
      this.#assign(id, { addressCount: request.secondaryPrivateIpAddressCount });
    if (request.ipv4PrefixCount !== undefined) this.#assign(id, { prefixCount: request.ipv4PrefixCount });
    return structuredClone(eni);
  }

  #assign(id: string, want: { addressCount: number } | { prefixCount: number }): AssignedAddresses {
    const eni = this.#eni(id);
    const count = "addressCount" in want ? want.addressCount : want.prefixCount;
    const taken = eni.privateIpAddresses.length + eni.ipv4Prefixes.length;
    if (taken + count > 10)
      throw refusal("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.");
    if ("prefixCount" in want) {
      const prefixes = Array.from({ length: count }, () => {
        const base = ipv4((this.#nextAddress + 15) & ~15);
        this.#nextAddress = ipv4(base + 16);
        return `${formatIpv4(base)}/28`;
      });
      eni.ipv4Prefixes = [...eni.ipv4Prefixes, ...prefixes];
      return { addresses: [], prefixes };
    }
    const addresses = Array.from({ length: count }, () => this.#fresh());
    eni.privateIpAddresses = [
      ...eni.privateIpAddresses,
      ...addresses.map((address) => ({ address, primary: false })),
    ];
    return { addresses, prefixes: [] };
  }

  #fresh(): string {
    const address = formatIpv4(this.#nextAddress);
    this.#nextAddress = ipv4(this.#nextAddress + 1);
    return address;
  }

  #eni(id: string): Mutable<Eni> {
    const eni = this.enis.get(id);
    if (eni !== undefined) return eni;
    throw refusal("InvalidNetworkInterfaceID.NotFound", `The networkInterface ID '${id}' does not exist`);
  }

  #blank(id: string, mac: string): Mutable<Eni> {
    return {
      networkInterfaceId: id,
      interfaceType: "interface",
      macAddress: mac,
      subnetId: "subnet-1",
      vpcId: "vpc-1",
      availabilityZone: "us-west-2a",
      description: "",
      status: "available",
      sourceDestCheck: true,
      privateIpAddresses: [],
      ipv4Prefixes: [],
      ipv6Addresses: [],
      ipv6Prefixes: [],
      groups: ["sg-1"],
      tags: [],
    };
  }

  #changed(): void {
    const attached = [...this.enis.values()].filter(({ attachment }) => attachment !== undefined);
    this.#imds.push({ at: this.#clock.now() + this.imdsLagMs, enis: structuredClone(attached) });
    this.#imds = this.#imds.slice(-50);
  }

  #shown(): readonly Eni[] {
    return this.#imds.findLast(({ at }) => at <= this.#clock.now())?.enis ?? [];
  }

  #metadata(path: string): string | undefined {
    const primary = this.enis.get(primaryEniId)?.macAddress ?? "";
    const fixed: Readonly<Record<string, string>> = {
      "dynamic/instance-identity/document": '{"region":"us-west-2"}',
      "meta-data/placement/availability-zone": "us-west-2a",
      "meta-data/local-ipv4": "10.0.0.10",
      "meta-data/ipv6": "2001:db8::10",
      "meta-data/instance-id": instanceId,
      "meta-data/instance-type": this.instanceType,
      "meta-data/mac": primary,
      "meta-data/network/interfaces/macs/": this.#shown()
        .map((eni) => `${eni.macAddress}/`)
        .join("\n"),
    };
    if (fixed[path] !== undefined) return fixed[path];
    const match = /^meta-data\/network\/interfaces\/macs\/([^/]+)\/(.*)$/.exec(path);
    const eni = this.#shown().find((each) => each.macAddress === match?.[1]);
    if (match === null || eni === undefined) return undefined;
    const leaves = this.#leaves(eni);
    return match[2] === "" ? Object.keys(leaves).join("\n") : leaves[match[2] ?? ""];
  }

  #leaves(eni: Eni): Record<string, string> {
    const subnet = this.subnets.find(({ subnetId }) => subnetId === eni.subnetId);
    return {
      "interface-id": eni.networkInterfaceId,
      "device-number": String(eni.attachment?.deviceIndex ?? 0),
      "network-card": String(eni.attachment?.networkCardIndex ?? 0),
      "subnet-id": eni.subnetId,
      "vpc-id": eni.vpcId,
      "security-group-ids": this.securityGroups.join("\n"),
      "local-ipv4s": eni.privateIpAddresses.map(({ address }) => address).join("\n"),
      "subnet-ipv4-cidr-block": subnet?.cidrBlock ?? "",
      "vpc-ipv4-cidr-blocks": this.vpcCidrs.join("\n"),
      "vpc-ipv6-cidr-blocks": "2001:db8::/56",
      ...(eni.ipv4Prefixes.length > 0 ? { "ipv4-prefix": eni.ipv4Prefixes.join("\n") } : {}),
      ...(eni.ipv6Addresses.length > 0 ? { ipv6s: eni.ipv6Addresses.join("\n") } : {}),
      ...(eni.ipv6Prefixes.length > 0 ? { "ipv6-prefix": eni.ipv6Prefixes.join("\n") } : {}),
      "subnet-ipv6-cidr-blocks": subnet?.ipv6CidrBlocks.join("\n") ?? "",
    };
  }
}

/** EC2's refusal as the SDK adapter would throw it. */
export function refusal(ec2Code: string, ec2Message: string): EniverseError {
  return new EniverseError(codeOfEc2(ec2Code, ec2Message), {
    attempted: "call EC2",
    found: `${ec2Code}: ${ec2Message}`,
    facts: { ec2Code, ec2Message },
  });
}
