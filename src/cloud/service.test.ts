import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AllocateAddressCommand,
  AttachNetworkInterfaceCommand,
  CreateNetworkInterfaceCommand,
  CreateTagsCommand,
  DescribeAddressesCommand,
  RunInstancesCommand,
} from "@aws-sdk/client-ec2";
import { type Clock, ManualClock } from "../base/clock.ts";
import { seededRandom } from "../base/random.ts";
import { CloudBed, ec2Error } from "./cloud-bed.ts";
import { defaultConfig, defaultSettings } from "./config.ts";
import type { FabricSpec } from "./fabric/spec.ts";
import { createCloud } from "./service.ts";
import { type CloudStore, openCloudStore } from "./store.ts";

function deferred() {
  return Promise.withResolvers<void>();
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

describe("a store that cannot be written", () => {
  test("is told to the client; the change holds, and is stored with the next one", async () => {
    const kept = openCloudStore(":memory:");
    let full = false;
    const store: CloudStore = {
      ...kept,
      save: (changes) => {
        if (full) throw new Error("database or disk is full");
        kept.save(changes);
      },
    };
    using bed = new CloudBed({ store });
    const stored = (): unknown[] => [...kept.load()].filter(({ kind }) => kind === "elastic-ip");
    const before = stored().length;
    full = true;
    expect(await ec2Error(bed.client.send(new AllocateAddressCommand({})))).toContain(
      "database or disk is full",
    );
    const { Addresses } = await bed.client.send(new DescribeAddressesCommand({}));
    expect(Addresses).toHaveLength(before + 1);
    expect(stored()).toHaveLength(before);
    full = false;
    await bed.client.send(new AllocateAddressCommand({}));
    expect(stored()).toHaveLength(before + 2);
  });
});

describe("the configured network", () => {
  test("has subnets, gateways and routes as eksctl makes them", () => {
    using bed = new CloudBed();
    const spec = bed.cloud.fabricSpec();
    expect(spec.internetGateway).toBe(true);
    expect(spec.natGateways).toHaveLength(1);
    expect(spec.subnets.map((subnet) => subnet.routes.map((route) => route.target.kind))).toEqual([
      ["internet-gateway"],
      ["nat-gateway"],
      ["internet-gateway"],
      ["nat-gateway"],
    ]);
    expect(bed.cloud.check()).toEqual([]);
  });

  test("can have a NAT gateway per zone, IPv6 with an egress-only gateway, reservations", () => {
    const base = defaultConfig();
    const subnets = base.vpc.subnets.map((subnet) =>
      subnet.public
        ? subnet
        : { ...subnet, reservations: [{ cidr: subnet.cidr.replace("/19", "/20"), type: "prefix" as const }] },
    );
    const vpc = {
      ...base.vpc,
      subnets,
      ipv6: true,
      egressOnlyInternetGateway: true,
      natGateways: "per-zone" as const,
    };
    using bed = new CloudBed({ config: { vpc } });
    const spec = bed.cloud.fabricSpec();
    expect(spec.natGateways).toHaveLength(2);
    expect(spec.egressOnlyInternetGateway).toBe(true);
    expect(spec.subnets.every((subnet) => subnet.ipv6?.bits === 64)).toBe(true);
    expect(spec.subnets[1]?.routes.map((route) => route.target.kind)).toEqual([
      "nat-gateway",
      "egress-only-internet-gateway",
    ]);
    expect(bed.cloud.state.reservations.size).toBe(2);
  });

  test("follows route tables that are spelled out", () => {
    const base = defaultConfig();
    const routeTables = [
      { name: "out", routes: [{ destination: "0.0.0.0/0", target: "internet-gateway" }] },
      {
        name: "in",
        routes: [
          { destination: "0.0.0.0/0", target: "nat-gateway:public-us-west-2a" },
          { destination: "10.99.0.0/16", target: "blackhole" },
        ],
      },
    ];
    const subnets = base.vpc.subnets.map((subnet) => ({
      ...subnet,
      routeTable: subnet.public ? "out" : "in",
    }));
    using bed = new CloudBed({ config: { vpc: { ...base.vpc, subnets, routeTables } } });
    const kinds = bed.cloud
      .fabricSpec()
      .subnets.map((subnet) => subnet.routes.map((route) => route.target.kind));
    expect(kinds).toEqual([
      ["internet-gateway"],
      ["nat-gateway", "blackhole"],
      ["internet-gateway"],
      ["nat-gateway", "blackhole"],
    ]);
    expect(bed.cloud.state.natGateways.size).toBe(1);
  });

  test.each([
    ["a VPC that is too large", { cidrs: ["10.0.0.0/8"] }, /InvalidVpcRange/],
    ["a secondary block that AWS refuses", { cidrs: ["192.168.0.0/16", "10.0.0.0/16"] }, /is restricted/],
    [
      "a route to nowhere",
      { routeTables: [{ name: "x", routes: [{ destination: "0.0.0.0/0", target: "vpn" }] }] },
      /a route to vpn/,
    ],
  ])("is refused with %s", (_, change, message) => {
    const base = defaultConfig();
    const config = { ...base, vpc: { ...base.vpc, ...change } };
    expect(() => createCloud({ config, clock: new ManualClock(), random: seededRandom(1) })).toThrow(message);
  });
});

describe("a launch", () => {
  test("is over when the machine is made and its interface applied", async () => {
    const events: string[] = [];
    const machine = deferred();
    using bed = new CloudBed({ clock: new ManualClock(1_000_000) });
    bed.cloud.connect({
      createMachine: async (instance) => {
        events.push(`create ${instance.state}`);
        await machine.promise;
      },
      bootMachine: (instance) => void events.push(`boot ${instance.state}`),
      applyFabric: async (spec) => void events.push(`fabric ${spec.enis.filter((eni) => eni.place).length}`),
    });
    await bed.cloud.resume();
    const launch = bed.cloud.runInstances({
      instanceType: "m5.large",
      subnetId: bed.subnetId("private-us-west-2a"),
    });
    await turns();
    machine.resolve();
    const [instance] = await launch;
    expect(instance).toMatchObject({ state: "running", role: "eniverse-node" });
    // The model knows the interface before the machine is there, and places it after.
    expect(events).toEqual(["fabric 0", "create pending", "fabric 0", "fabric 1", "boot running"]);
    const [eni] = bed.cloud.fabricSpec().enis.filter((one) => one.place !== undefined);
    expect(eni?.place).toEqual({ place: instance?.instanceId ?? "", device: "eth0" });
  });

  test("through EC2 answers while it is pending", async () => {
    const machine = deferred();
    using bed = new CloudBed();
    bed.cloud.connect({ createMachine: () => machine.promise });
    const { Instances } = await bed.client.send(
      new RunInstancesCommand({
        MinCount: 1,
        MaxCount: 1,
        InstanceType: "m5.large",
        SubnetId: bed.subnetId("private-us-west-2a"),
      }),
    );
    expect(Instances?.[0]?.State?.Name).toBe("pending");
    machine.resolve();
    await Bun.sleep(1);
    expect([...bed.cloud.state.instances.values()][0]?.state).toBe("running");
  });

  test("that fails ends the instance and says why", async () => {
    const logged: string[] = [];
    using bed = new CloudBed({ log: (_, msg) => void logged.push(msg) });
    bed.cloud.connect({ createMachine: () => Promise.reject(new Error("no namespaces left")) });
    const launch = bed.cloud.runInstances({
      instanceType: "m5.large",
      subnetId: bed.subnetId("private-us-west-2a"),
    });
    await expect(launch).rejects.toThrow("no namespaces left");
    expect([...bed.cloud.state.instances.values()].map((one) => one.state)).toEqual(["terminated"]);
    expect(logged).toEqual(["a machine could not be made"]);
    expect(bed.cloud.check()).toEqual([]);
  });

  test("that EC2 refuses is an error with EC2's code", async () => {
    using bed = new CloudBed();
    await expect(
      bed.cloud.runInstances({ instanceType: "m5.huge", subnetId: "subnet-0" }),
    ).rejects.toMatchObject({
      code: "conflict",
      parts: { facts: { ec2Code: "InvalidParameterValue" } },
    });
  });

  test("and its end take the machine along", async () => {
    const ended: string[] = [];
    using bed = new CloudBed();
    bed.cloud.connect({ endMachine: async (instanceId) => void ended.push(instanceId) });
    const [instance] = await bed.cloud.runInstances({
      instanceType: "m5.large",
      subnetId: bed.subnetId("private-us-west-2a"),
    });
    const instanceId = instance?.instanceId ?? "";
    await bed.cloud.terminateInstances([instanceId]);
    expect(ended).toEqual([instanceId]);
    expect(instance?.state).toBe("terminated");
    expect(bed.cloud.fabricSpec().enis.some((eni) => eni.place?.place === instanceId)).toBe(false);
  });
});

describe("the packet plane", () => {
  test("has a change before the call that makes it is answered", async () => {
    const applying = deferred();
    let hold = false;
    using bed = new CloudBed();
    bed.cloud.connect({ applyFabric: () => (hold ? applying.promise : Promise.resolve()) });
    await bed.cloud.resume();
    hold = true;
    let answered = false;
    const call = bed.client
      .send(new CreateNetworkInterfaceCommand({ SubnetId: bed.subnetId("private-us-west-2a") }))
      .then(() => {
        answered = true;
      });
    await Bun.sleep(30);
    expect(answered).toBe(false);
    applying.resolve();
    await call;
    expect(answered).toBe(true);
  });

  test("is applied once for what comes together, and not for what does not concern it", async () => {
    let applied: FabricSpec[] = [];
    using bed = new CloudBed();
    bed.cloud.connect({
      applyFabric: async (spec) => {
        await Bun.sleep(2);
        applied.push(spec);
      },
    });
    await bed.cloud.resume();
    applied = [];
    const SubnetId = bed.subnetId("private-us-west-2a");
    const created = await Promise.all(
      Array.from({ length: 10 }, () => bed.client.send(new CreateNetworkInterfaceCommand({ SubnetId }))),
    );
    expect(applied.length).toBeLessThan(6);
    expect(applied.at(-1)?.enis.length).toBe(bed.cloud.state.enis.size);
    applied = [];
    const id = created[0]?.NetworkInterface?.NetworkInterfaceId ?? "";
    await bed.client.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: "a", Value: "b" }] }));
    expect(applied).toEqual([]);
  });

  test("that fails is told by the check, and tried again with the next change", async () => {
    let fail = true;
    using bed = new CloudBed();
    bed.cloud.connect({ applyFabric: () => (fail ? Promise.reject(new Error("EPERM")) : Promise.resolve()) });
    await expect(bed.cloud.resume()).rejects.toThrow("EPERM");
    expect(bed.cloud.check()).toEqual(["the packet plane could not be applied: EPERM"]);
    fail = false;
    await bed.cloud.resume();
    expect(bed.cloud.check()).toEqual([]);
  });

  test("gets a device when the attach time is over", async () => {
    const clock = new ManualClock(1_000_000);
    const devices: string[][] = [];
    const transitionsMs = { ...defaultSettings.transitionsMs, attach: 2000 };
    using bed = new CloudBed({ clock, settings: { transitionsMs } });
    bed.cloud.connect({
      applyFabric: async (spec) => void devices.push(spec.enis.flatMap((eni) => eni.place?.device ?? [])),
    });
    const SubnetId = bed.subnetId("private-us-west-2a");
    const [instance] = await bed.cloud.runInstances({ instanceType: "m5.large", subnetId: SubnetId });
    const { NetworkInterface } = await bed.client.send(new CreateNetworkInterfaceCommand({ SubnetId }));
    await bed.client.send(
      new AttachNetworkInterfaceCommand({
        InstanceId: instance?.instanceId,
        NetworkInterfaceId: NetworkInterface?.NetworkInterfaceId,
        DeviceIndex: 1,
      }),
    );
    expect(devices.at(-1)).toEqual(["eth0"]);
    await clock.advance(2000);
    await turns();
    expect(devices.at(-1)).toEqual(["eth0", "eth1"]);
  });
});

describe("changes", () => {
  test("are told to those who listen, until they do not", async () => {
    using bed = new CloudBed();
    const seen: string[] = [];
    const stop = bed.cloud.onChange(
      (changes) => void seen.push(...changes.map(({ kind, change }) => `${kind} ${change}`)),
    );
    const SubnetId = bed.subnetId("private-us-west-2a");
    await bed.client.send(new CreateNetworkInterfaceCommand({ SubnetId }));
    stop();
    await bed.client.send(new CreateNetworkInterfaceCommand({ SubnetId }));
    expect(seen).toEqual(["network-interface created"]);
  });

  test("of settings are merged", () => {
    using bed = new CloudBed();
    bed.cloud.changeSettings({ imds: { lagMs: 5 }, actionDelayMs: { A: 1 } });
    bed.cloud.changeSettings({ actionDelayMs: { B: 2 }, addressChoice: "lowest" });
    expect(bed.cloud.settings()).toMatchObject({
      imds: { lagMs: 5, leafLagMs: 0 },
      actionDelayMs: { A: 1, B: 2 },
      addressChoice: "lowest",
      limits: defaultSettings.limits,
    });
  });
});

describe("the store", () => {
  function withFolder(run: (path: string) => Promise<void>): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), "eniverse-cloud-"));
    return run(join(folder, "cloud.sqlite")).finally(() => rmSync(folder, { recursive: true }));
  }

  test("gives a cloud back as it was, and launches go on", () =>
    withFolder(async (path) => {
      const clock: Clock = new ManualClock(1_000_000);
      let before: unknown;
      {
        using bed = new CloudBed({ clock, store: openCloudStore(path) });
        bed.cloud.connect({
          createMachine: (instance) =>
            instance.launchIndex === 0 ? Promise.resolve() : new Promise(() => {}),
        });
        const subnetId = bed.subnetId("private-us-west-2a");
        const subnetIds = bed.cloud.network.subnets.map((subnet) => subnet.subnetId);
        await bed.cloud.createCluster({ name: "demo", version: "1.34", subnetIds, ipFamily: "ipv4" });
        await bed.cloud.runInstances({ instanceType: "m5.large", subnetId });
        const { Instances } = await bed.client.send(
          new RunInstancesCommand({ MinCount: 2, MaxCount: 2, InstanceType: "m5.large", SubnetId: subnetId }),
        );
        expect(Instances).toHaveLength(2);
        await turns();
        before = bed.cloud.fabricSpec();
        expect([...bed.cloud.state.instances.values()].map((one) => one.state)).toEqual([
          "running",
          "running",
          "pending",
        ]);
      }
      using bed = new CloudBed({ clock, store: openCloudStore(path) });
      expect(bed.cloud.fabricSpec()).toEqual(before as FabricSpec);
      expect(bed.cloud.check()).toEqual([]);
      expect(bed.cloud.state.clusters.get("demo")?.eniIds).toHaveLength(2);
      bed.cloud.connect({});
      await bed.cloud.resume();
      await turns();
      expect([...bed.cloud.state.instances.values()].map((one) => one.state)).toEqual([
        "running",
        "running",
        "running",
      ]);
      // New ids do not repeat those that are there.
      expect(
        await ec2Error(
          bed.client.send(
            new CreateNetworkInterfaceCommand({ SubnetId: bed.subnetId("private-us-west-2a") }),
          ),
        ),
      ).toBe("no error");
      expect(bed.cloud.check()).toEqual([]);
    }));

  test("refuses a file that is no database", () =>
    withFolder(async (path) => {
      await Bun.write(
        path,
        "not a database at all, but long enough to look like a file of some kind".repeat(20),
      );
      expect(() => openCloudStore(path)).toThrow(/cannot open the cloud's store .*Remove the file/s);
    }));
});
