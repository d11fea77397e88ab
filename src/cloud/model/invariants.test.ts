import { describe, expect, test } from "bun:test";
import type { Ipv4 } from "../../addr/ipv4.ts";
import { encode } from "../store.ts";
import { block28, spaceOf } from "./address-taking.ts";
import { detachEni } from "./attachment.ts";
import { Ec2Fault } from "./fault.ts";
import { startInstances, stopInstances, terminateInstances } from "./instance.ts";
import { runInstances } from "./instance-launch.ts";
import { checkCloud } from "./invariants.ts";
import { assignIpv6Addresses } from "./ipv6-addresses.ts";
import { cidr, ip, ModelBed } from "./model-bed.ts";
import { deleteEni, type NetworkInterface } from "./network-interface.ts";
import { assignPrivateAddresses, unassignPrivateAddresses } from "./private-addresses.ts";
import { rebuild } from "./rebuild.ts";
import { CloudState, type ResourceKind } from "./state.ts";
import { createReservation, deleteReservation } from "./subnet-reservation.ts";

/** Everything that a change could change: the resources, and what is counted beside them. */
function picture({ state }: ModelBed): string {
  const spaces = [...state.spaces].map(([id, space]) => [id, space.freeCount, space.freeBlocks28Count]);
  return encode([state.tables, spaces, state.due, [...state.attachments], [...state.macs]]);
}

/** One random operation on the model, by the means that users have. */
function step(bed: ModelBed): void {
  const { ctx, random, state } = bed;
  const subnets = [...state.subnets.values()];
  const subnet = random.pick(subnets);
  const enis = [...state.enis.values()];
  const eni: NetworkInterface | undefined = enis.length === 0 ? undefined : random.pick(enis);
  const eniId = eni?.eniId ?? "eni-0123456789abcdef0";
  const instances = [...state.instances.values()];
  const instanceId = instances.length === 0 ? "i-0123456789abcdef0" : random.pick(instances).instanceId;
  const attachment = eni?.attachment?.attachmentId ?? "eni-attach-0123456789abcdef0";
  const operations: readonly (() => unknown)[] = [
    () => bed.eni(subnet, { addressCount: random.int(6) }),
    () => bed.eni(subnet, { prefixCount: random.int(3), ipv6AddressCount: random.int(2) }),
    () => bed.eni(subnet, { primaryAddress: ip(`10.0.0.${random.int(64)}`) }),
    () => deleteEni(ctx, eniId),
    () =>
      runInstances(
        ctx,
        { instanceType: random.pick(["m5.large", "t2.micro"]), subnetId: subnet.subnetId, maxCount: 2 },
        "me",
      ),
    () => bed.instance(subnet, "c5.large"),
    () => terminateInstances(ctx, [instanceId]),
    () => stopInstances(ctx, [instanceId]),
    () => startInstances(ctx, [instanceId]),
    () => eni && bed.attach(eni, state.instances.get(instanceId) ?? ({ instanceId } as never), random.int(4)),
    () => detachEni(ctx, attachment),
    () => assignPrivateAddresses(ctx, { eniId, addressCount: 1 + random.int(5) }),
    () => assignPrivateAddresses(ctx, { eniId, prefixCount: 1 + random.int(2) }),
    () => assignIpv6Addresses(ctx, { eniId, prefixCount: 1 }),
    () => {
      const address = enis.at(random.int(8))?.addresses.at(-1) ?? ip("10.0.0.9");
      assignPrivateAddresses(ctx, { eniId, addresses: [address], allowReassignment: random.int(2) === 0 });
    },
    () => unassignPrivateAddresses(ctx, { eniId, addresses: eni?.addresses.slice(random.int(2)) ?? [] }),
    () => unassignPrivateAddresses(ctx, { eniId, prefixes: (eni?.prefixes ?? []).map(block28) }),
    () =>
      createReservation(ctx, {
        subnetId: subnet.subnetId,
        cidr: cidr(`10.0.0.${random.int(8) * 16}/28`),
        type: random.pick(["prefix", "explicit"]),
      }),
    () => deleteReservation(ctx, [...state.reservations.keys()][0] ?? "scr-0"),
    () => bed.pass(random.int(3000)),
  ];
  random.pick(operations)();
}

describe("random histories", () => {
  test.each([1, 2, 3, 4, 5, 6])("of seed %d keep every invariant, and a refusal changes nothing", (seed) => {
    const bed = new ModelBed({}, seed);
    bed.settings = {
      ...bed.settings,
      transitionsMs: {
        ...bed.settings.transitionsMs,
        attach: 1000,
        detach: 500,
        terminate: 800,
        forgetTerminated: 5000,
      },
    };
    const subnet = bed.ipv6Subnet("10.0.0.0/25");
    const vpc = bed.state.vpcs.get(subnet.vpcId);
    if (vpc !== undefined) bed.subnet(vpc, "10.0.0.128/27", { zone: "us-west-2b" });
    let refusals = 0;
    for (let n = 0; n < 400; n++) {
      const before = picture(bed);
      try {
        step(bed);
      } catch (fault) {
        if (!(fault instanceof Ec2Fault)) throw fault;
        refusals++;
        expect(picture(bed)).toBe(before);
      }
      expect(checkCloud(bed.state)).toEqual([]);
    }
    expect(refusals).toBeGreaterThan(50);
    // What is stored is enough to build all of it again.
    const again = new CloudState();
    rebuild(
      again,
      Object.entries(bed.state.tables).flatMap(([kind, table]) =>
        [...table].map(([id, resource]) => ({ kind: kind as ResourceKind, id, resource })),
      ),
    );
    expect(checkCloud(again)).toEqual([]);
    expect([...again.spaces].map(([id, space]) => [id, space.freeCount])).toEqual(
      [...bed.state.spaces].map(([id, space]) => [id, space.freeCount]),
    );
  });
});

describe("the check sees", () => {
  function sound() {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    const instance = bed.instance(subnet);
    const eni = bed.eni(subnet, { primaryAddress: ip("10.0.0.99"), addresses: [ip("10.0.0.100")] });
    expect(checkCloud(bed.state)).toEqual([]);
    return { bed, subnet, instance, eni };
  }

  test.each<[string, (parts: ReturnType<typeof sound>) => void, RegExp]>([
    [
      "an address held twice",
      ({ bed, eni, instance }) => bed.primaryOf(instance).addresses.push(eni.addresses[0] as Ipv4),
      /10\.0\.0\.99 is held twice/,
    ],
    [
      "an address of another subnet",
      ({ eni }) => eni.addresses.push(ip("10.9.0.9")),
      /10\.9\.0\.9 of eni-\w+ is not in subnet-/,
    ],
    [
      "an address nobody indexed",
      ({ bed, subnet }) => bed.state.owners.of(subnet.vpcId).addresses.delete(ip("10.0.0.99")),
      /indexed as nobody's/,
    ],
    [
      "a free count that does not add up",
      ({ bed, subnet }) => spaceOf(bed.state, subnet.subnetId).release(ip("10.0.0.99")),
      /says freeCount 249, and its interfaces leave 248/,
    ],
    [
      "an address within a prefix",
      ({ eni }) => eni.prefixes.push(ip("10.0.0.96")),
      /is in the prefix 10\.0\.0\.96\/28/,
    ],
    [
      "an interface without a primary address",
      ({ eni }) => {
        eni.addresses.length = 0;
      },
      /has no primary address/,
    ],
    [
      "an available interface that is attached",
      ({ bed, instance }) => {
        bed.primaryOf(instance).status = "available";
      },
      /is "available" with an attachment/,
    ],
    [
      "an attachment that the instance does not know",
      ({ instance }) => {
        instance.eniIds.length = 0;
      },
      /which does not know it/,
    ],
    [
      "an instance that lists a stranger",
      ({ eni, instance }) => instance.eniIds.push(eni.eniId),
      /lists eni-\w+, which is not attached to it/,
    ],
    [
      "a group that is gone",
      ({ eni }) => {
        eni.groups = ["sg-0"];
      },
      /is in sg-0, which does not exist/,
    ],
    [
      "a lost route table",
      ({ bed, subnet }) => {
        const vpc = bed.state.vpcs.get(subnet.vpcId);
        if (vpc) vpc.mainRouteTableId = "rtb-0";
      },
      /has no main route table/,
    ],
    [
      "a public address given twice",
      ({ bed, eni, instance }) => {
        eni.autoPublicIp = ip("203.0.113.9");
        bed.primaryOf(instance).autoPublicIp = ip("203.0.113.9");
      },
      /203\.0\.113\.9 is public for both/,
    ],
  ])("%s", (_, damage, evidence) => {
    const parts = sound();
    damage(parts);
    expect(checkCloud(parts.bed.state).join("\n")).toMatch(evidence);
  });
});

test("the model is quick enough for a simulator: 1,000 nodes with 30 addresses each", () => {
  const bed = new ModelBed();
  bed.settings = { ...bed.settings, limits: { ...bed.settings.limits, networkInterfaces: 1e6 } };
  const subnet = bed.loneSubnet("10.0.0.0/16");
  for (let n = 0; n < 1000; n++) {
    const eni = bed.primaryOf(bed.instance(subnet, "m5.4xlarge"));
    assignPrivateAddresses(bed.ctx, { eniId: eni.eniId, addressCount: 29 });
  }
  expect(spaceOf(bed.state, subnet.subnetId).freeCount).toBe(65531 - 30_000);
  const [first] = bed.state.enis.values();
  expect(bed.state.owners.of(subnet.vpcId).ofIpv4(first?.addresses[7] as Ipv4)).toBe(first?.eniId ?? "");
});
