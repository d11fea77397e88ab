import { expect, test } from "bun:test";
import { noLog } from "../../base/log.ts";
import { seededRandom } from "../../base/random.ts";
import { hostVethName } from "../../hostnet/names.ts";
import { NodeLedger } from "../../ipam/node.ts";
import { createPool } from "../../ipam/pool.ts";
import { releaseGonePods } from "./gone-pods.ts";

test("addresses of pods without a veth are released after a minute, and no others", () => {
  const pool = createPool({ card: 0, mode: "secondary-ip", cooldownMs: 30_000 });
  const facts = { id: "eni-1", deviceNumber: 0, routeTable: 254, subnetId: "subnet-1" };
  pool.addEni({ ...facts, primary: true, trunk: false, efa: false, excluded: false }, 0);
  for (const last of [1, 2, 3, 4]) pool.addCidr("eni-1", `10.0.0.${last}/32`);
  const assign = (name: string, now: number): string => {
    const metadata = name === "" ? undefined : { namespace: "default", name, interfaces: 1 };
    const key = { networkName: "aws-cni", containerId: `of-${name}`, ifName: "eth0" };
    const answer = pool.assign(key, metadata, now);
    return answer.ok ? answer.assignment.address : "none";
  };
  const gone = assign("gone", 0);
  assign("there", 0);
  assign("", 0);
  assign("young", 50_000);
  const withoutRules: string[] = [];
  const ctx = {
    log: noLog,
    clock: { now: () => 60_001, sleep: () => Promise.resolve() },
    host: {
      linkNames: () => ["lo", "eth0", hostVethName("eni", "default", "there")],
      removePodRules: (address: string) => void withoutRules.push(address),
    },
  } as unknown as Parameters<typeof releaseGonePods>[0];
  const released = releaseGonePods(ctx, new NodeLedger([{ pool, unmanagedEnis: 0 }], seededRandom(1)));
  expect(released.map(({ address }) => address)).toEqual([gone]);
  expect(withoutRules).toEqual([gone]);
  expect(pool.assignments().length).toBe(3);
  expect(pool.coolingAddresses(60_001).map(({ address }) => address)).toEqual([gone]);
});
