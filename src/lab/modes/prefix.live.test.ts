import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { setTimeout as pause } from "node:timers/promises";
import {
  CreateNetworkInterfaceCommand,
  DeleteNetworkInterfaceCommand,
  DescribeSubnetsCommand,
} from "@aws-sdk/client-ec2";
import { type AddressRow, labBed, until } from "../lab-bed.ts";

// Prefix delegation as users work it: a Nitro node beside a Xen one, reservations in lab.yaml, `kubectl set env`.
const bed = labBed("prefix");

const patience = 90_000;

/** A t3.small takes 3 ENIs with 3 slots each: the rows of the official table are for it. */
const lab = `
vpc:
  cidrs: [10.0.0.0/16]
  subnets:
    - name: nitro
      zone: us-west-2a
      cidr: 10.0.32.0/24
      publicAddresses: true
      routeTable: out
      reservations: [{cidr: 10.0.32.128/25, type: prefix}]
    - name: xen
      zone: us-west-2b
      cidr: 10.0.33.0/24
      publicAddresses: true
      routeTable: out
      reservations: [{cidr: 10.0.33.0/25, type: explicit}]
  routeTables:
    - {name: out, routes: [{destination: 0.0.0.0/0, target: internet-gateway}]}
nodeGroups:
  - {name: nitro, instanceType: t3.small, count: 1, subnets: [nitro], maxPods: 110, labels: {hypervisor: nitro}}
  - name: xen
    instanceType: m4.large
    count: 1
    subnets: [xen]
    taints: [{key: xen, effect: NoSchedule}]
awsNode:
  env: {ENABLE_PREFIX_DELEGATION: "true", WARM_PREFIX_TARGET: "1", IP_COOLDOWN_PERIOD: "0"}
`;

const nitro = (): AddressRow[] => bed.addresses().filter(({ node }) => node?.startsWith("ip-10-0-32-"));
const xen = (): AddressRow[] => bed.addresses().filter(({ node }) => node?.startsWith("ip-10-0-33-"));
const prefixes = (): string[] =>
  nitro()
    .filter(({ state }) => state === "prefix")
    .map(({ address }) => address);
const podAddresses = (): Map<string, string> =>
  new Map(
    nitro().flatMap(({ state, address, pod }) => (state === "assigned" && pod ? [[pod, address]] : [])),
  );
const isInUse = (prefix: string): boolean =>
  [...podAddresses().values()].some((address) => lastOctet(address) >> 4 === lastOctet(prefix) >> 4);
const lastOctet = (address: string): number => Number(address.split("/")[0]?.split(".")[3]);

/** Prefixes on each ENI that has any: "3,1". */
async function perEni(): Promise<string> {
  const counts = (await bed.enis("ip-10-0-32-")).map(({ Ipv4Prefixes = [] }) => Ipv4Prefixes.length);
  return counts.filter((count) => count > 0).join();
}

const holds = (counts: string): Promise<void> =>
  until(`the node holds ${counts} prefixes`, async () => (await perEni()) === counts);
const scale = (pods: number): string => bed.succeed("scale", "web", "--replicas", String(pods));

describe.skipIf(process.getuid?.() !== 0)("prefix delegation", () => {
  beforeAll(async () => {
    await bed.upFrom(lab);
    bed.succeed("run", "web", "--replicas", "1");
  }, patience);

  afterAll(() => bed.down(), patience);

  test(
    "prefixes are aligned /28s of the reservation, each on one ENI; single addresses are outside of it",
    async () => {
      await holds("2");
      const found = prefixes();
      expect(new Set(found).size).toBe(2);
      for (const prefix of found) {
        expect(prefix).toMatch(/^10\.0\.32\.\d+\/28$/);
        expect(lastOctet(prefix) % 16).toBe(0);
        expect(lastOctet(prefix)).toBeGreaterThanOrEqual(128);
      }
      for (const { address, state } of nitro())
        if (state === "primary") expect(lastOctet(address)).toBeLessThan(128);
      const [pod] = [...podAddresses().values()];
      expect(
        found.some((prefix) => lastOctet(prefix) === lastOctet(pod ?? "") - (lastOctet(pod ?? "") % 16)),
      ).toBe(true);
    },
    patience,
  );

  test(
    "a Xen type says why, goes on with secondary addresses, and none is of the explicit reservation",
    () => {
      const rows = xen();
      expect(rows.filter(({ state }) => state === "prefix")).toEqual([]);
      expect(rows.filter(({ state }) => state === "warm").length).toBe(9);
      for (const { address } of rows) expect(lastOctet(address)).toBeGreaterThanOrEqual(128);
      const [node = ""] = rows.flatMap((row) => row.node ?? []);
      expect(bed.on(node, "cat", "/var/log/aws-routed-eni/ipamd.log")).toContain(
        "ENABLE_PREFIX_DELEGATION needs a Nitro or bare-metal instance type; secondary addresses are used instead",
      );
    },
    patience,
  );

  test(
    "steady states: by address W=1 M=1, W=16, W=7 M=20, then P=1",
    async () => {
      const byAddress = (warm: string | null, minimum: string | null): Promise<void> =>
        bed.rollOut({ WARM_IP_TARGET: warm, MINIMUM_IP_TARGET: minimum });
      await byAddress("1", "1");
      await holds("1");
      scale(15);
      await holds("1");
      scale(16);
      await holds("2");
      await byAddress("16", null);
      await holds("2");
      await byAddress("7", "20");
      await holds("2");
      await byAddress(null, null);
      await holds("2");
      scale(17);
      await holds("3");
      expect(new Set(podAddresses().values()).size).toBe(17);
      expect(bed.run("verify").status).toBe(0);
    },
    patience,
  );

  test(
    "switched to secondary addresses and back: every pod keeps its address, what is unused is freed",
    async () => {
      scale(6);
      const before = podAddresses();
      await bed.rollOut({ ENABLE_PREFIX_DELEGATION: "false" });
      await until("only prefixes in use are left", () => prefixes().every(isInUse));
      scale(9);
      const mixed = podAddresses();
      for (const [pod, address] of before) expect(mixed.get(pod)).toBe(address);
      expect([...mixed.values()].filter((address) => lastOctet(address) < 128).length).toBe(3);
      expect(bed.run("verify").status).toBe(0);

      await bed.rollOut({ ENABLE_PREFIX_DELEGATION: "true" });
      scale(12);
      const after = podAddresses();
      for (const [pod, address] of mixed) expect(after.get(pod)).toBe(address);
      await until("no single address is left without a pod", () =>
        nitro().every(({ address, state }) => state !== "warm" || lastOctet(address) >= 128),
      );
      expect([...after.values()].filter((address) => lastOctet(address) < 128).length).toBe(3);
      expect(bed.run("verify").status).toBe(0);
    },
    patience,
  );

  test(
    "a fragmented subnet: the events say so, EC2 is left in peace, and pods come when there is room",
    async () => {
      const ec2 = await bed.ec2();
      const { Subnets = [] } = await ec2.send(new DescribeSubnetsCommand({}));
      const SubnetId = Subnets.find(({ CidrBlock }) => CidrBlock === "10.0.32.0/24")?.SubnetId;
      const taken = new Set(nitro().map(({ address }) => lastOctet(address) >> 4));
      const crumbs = Array.from({ length: 16 }, (_, block) => block).filter((block) => !taken.has(block));
      const { NetworkInterface } = await ec2.send(
        new CreateNetworkInterfaceCommand({
          SubnetId,
          PrivateIpAddresses: crumbs.map((block, index) => ({
            PrivateIpAddress: `10.0.32.${block * 16 + 9}`,
            Primary: index === 0,
          })),
        }),
      );
      const pods = 16 * prefixes().length + 9;
      bed.succeed("scale", "web", "--replicas", String(pods), "--no-wait");
      await until("the pool says that it cannot grow", async () =>
        (await bed.warnings()).some(
          ({ reason, message, involvedObject }) =>
            reason === "InsufficientCidrBlocks" &&
            involvedObject.name?.startsWith("aws-node-") &&
            message?.includes("InsufficientCidrBlocks"),
        ),
      );
      const [node = ""] = nitro().flatMap((row) => row.node ?? []);
      const tries = (): number => {
        const page = bed.on(node, "curl", "-s", "http://127.0.0.1:61679/v1/decisions");
        return (JSON.parse(page) as { outcome?: { kind: string } }[]).filter(
          ({ outcome }) => outcome?.kind === "failed",
        ).length;
      };
      const triedOnce = tries();
      await pause(2000);
      expect(tries()).toBe(triedOnce);
      await ec2.send(
        new DeleteNetworkInterfaceCommand({ NetworkInterfaceId: NetworkInterface?.NetworkInterfaceId }),
      );
      await bed.rollOut({ AWS_VPC_K8S_CNI_LOGLEVEL: "INFO" });
      await until("every pod has an address", () => podAddresses().size === pods);
    },
    patience,
  );
});
