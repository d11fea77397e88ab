import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { DescribeSubnetsCommand } from "@aws-sdk/client-ec2";
import { labBed, until } from "../lab-bed.ts";

// A subnet that has fewer addresses left than an ENI could hold: EC2 gives all that is asked for or nothing. One
// m5.large fills its primary ENI (9 slots) at once and would fill the next one too.
const bed = labBed("short");

const lab = `
vpc:
  cidrs: [10.0.0.0/16]
  subnets:
    - {name: nodes-a, zone: us-west-2a, cidr: 10.0.32.0/26, publicAddresses: true, routeTable: out}
    - {name: nodes-b, zone: us-west-2b, cidr: 10.0.33.0/26, routeTable: out}
  routeTables:
    - {name: out, routes: [{destination: 0.0.0.0/0, target: internet-gateway}]}
cluster: {subnets: [nodes-a, nodes-b]}
nodeGroups:
  - {name: workers, instanceType: m5.large, count: 1, subnets: [nodes-a]}
`;

/** Addresses of a /26 that EC2 gives out. */
const usable = 59;

async function freeAddresses(): Promise<number> {
  const { Subnets = [] } = await (await bed.ec2()).send(new DescribeSubnetsCommand({}));
  const subnet = Subnets.find(({ CidrBlock }) => CidrBlock === "10.0.32.0/26");
  return subnet?.AvailableIpAddressCount ?? 0;
}

const countsOfEnis = async (): Promise<number[]> =>
  (await bed.enis("ip-10-0-32-")).map(({ PrivateIpAddresses = [] }) => PrivateIpAddresses.length - 1);

describe.skipIf(process.getuid?.() !== 0)("a subnet that is nearly full", () => {
  beforeAll(async () => {
    await bed.upFrom(lab);
    await until("the primary ENI is full", async () => (await countsOfEnis())[0] === 9);
  });

  afterAll(() => bed.down());

  test("pods get its last addresses", async () => {
    // Rounded up to whole addresses.
    bed.succeed("break", "subnet", "nodes-a", "--fill", `${(100 * (usable - 4.5)) / usable}%`);
    expect(await freeAddresses()).toBe(4);
    // Waits until all are Ready: nine have a place, and three want a new ENI, which takes an address for itself.
    bed.succeed("run", "web", "--replicas", "12");
    expect(await countsOfEnis()).toEqual([9, 3]);
    expect(await freeAddresses()).toBe(0);
    expect(bed.run("verify").status).toBe(0);
    expect((await bed.warnings()).map(({ reason }) => reason)).toContain("InsufficientFreeAddressesInSubnet");
  });
});
