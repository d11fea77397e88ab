import { describe, expect, test } from "bun:test";
import { createPool } from "../../ipam/pool.ts";
import type { Pool } from "../../ipam/types.ts";
import { readEnvironment } from "../environment.ts";
import { DecisionLog } from "./decision-log.ts";
import { type IntrospectionSource, introspect } from "./introspection.ts";
import { poolPage } from "./pool-page.ts";

const now = Date.parse("2026-08-20T10:00:00.123Z");

function pool(): Pool {
  const held = createPool({ card: 0, mode: "secondary-ip", cooldownMs: 30_000 });
  held.addEni(
    {
      id: "eni-1",
      deviceNumber: 0,
      routeTable: 254,
      subnetId: "subnet-1",
      primaryAddress: "10.0.1.10",
      primary: true,
      trunk: false,
      efa: false,
      excluded: false,
    },
    now,
  );
  for (const last of [17, 18, 19]) held.addCidr("eni-1", `10.0.1.${last}/32`);
  const metadata = (name: string) => ({ namespace: "default", name, interfaces: 1 });
  held.assign({ networkName: "aws-cni", containerId: "sandbox", ifName: "eth0" }, metadata("web-0"), now);
  const second = { networkName: "aws-cni", containerId: "other", ifName: "eth0" };
  held.assign(second, metadata("web-1"), now);
  held.unassign(second, now);
  return held;
}

function source(env: Readonly<Record<string, string>> = {}): IntrospectionSource {
  const held = pool();
  return {
    env: readEnvironment(env).settings,
    pools: () => [held],
    now: () => now,
    eniConfigName: () => undefined,
    decisions: new DecisionLog(),
  };
}

const page = async (path: string, env?: Readonly<Record<string, string>>): Promise<unknown> =>
  introspect(source(env), path).json();

describe("the official pages", () => {
  test("S32: /v1/enis shows pods, and neither sandbox nor interface", async () => {
    expect(await page("/v1/enis")).toEqual({
      "0": {
        TotalIPs: 3,
        AssignedIPs: 1,
        ENIs: {
          "eni-1": {
            ID: "eni-1",
            IsPrimary: true,
            IsTrunk: false,
            IsEFA: false,
            DeviceNumber: 0,
            AvailableIPv4Cidrs: {
              "10.0.1.17/32": {
                Cidr: { IP: "10.0.1.17", Mask: "/////w==" },
                IPAddresses: {
                  "10.0.1.17": {
                    Address: "10.0.1.17",
                    IPAMKey: { networkName: "aws-cni", containerID: "", ifName: "" },
                    IPAMMetadata: { k8sPodNamespace: "default", k8sPodName: "web-0", interfacesCount: 1 },
                    AssignedTime: "2026-08-20T10:00:00.123Z",
                    UnassignedTime: "0001-01-01T00:00:00Z",
                  },
                },
                IsPrefix: false,
                AddressFamily: "",
              },
              "10.0.1.18/32": {
                Cidr: { IP: "10.0.1.18", Mask: "/////w==" },
                IPAddresses: {
                  "10.0.1.18": expect.objectContaining({
                    IPAMKey: { networkName: "", containerID: "", ifName: "" },
                    IPAMMetadata: {},
                    UnassignedTime: "2026-08-20T10:00:00.123Z",
                  }),
                },
                IsPrefix: false,
                AddressFamily: "",
              },
              "10.0.1.19/32": {
                Cidr: { IP: "10.0.1.19", Mask: "/////w==" },
                IPAddresses: {},
                IsPrefix: false,
                AddressFamily: "",
              },
            },
            IPv6Cidrs: {},
            IsExcludedForPodIPs: false,
            RouteTableID: 254,
            SubnetID: "subnet-1",
          },
        },
      },
    });
  });

  test("settings", async () => {
    const env = { AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: "10.9.1.2/16", WARM_IP_TARGET: "5" };
    expect(await page("/v1/networkutils-env-settings", env)).toEqual({
      AWS_VPC_K8S_CNI_CONNMARK: 128,
      AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: ["10.9.0.0/16"],
      AWS_VPC_K8S_CNI_EXTERNALSNAT: false,
      AWS_EXTERNAL_SERVICE_CIDRS: null,
      AWS_VPC_ENI_MTU: 9001,
      AWS_VPC_K8S_CNI_VETHPREFIX: "eni",
      AWS_VPC_CNI_NODE_PORT_SUPPORT: true,
      AWS_VPC_K8S_CNI_RANDOMIZESNAT: 2,
    });
    expect(await page("/v1/ipamd-env-settings", env)).toEqual({
      WARM_IP_TARGET: 5,
      WARM_ENI_TARGET: 1,
      AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: false,
      AWS_MANAGE_ENIS_NON_SCHEDULABLE: false,
      ENABLE_SUBNET_DISCOVERY: true,
    });
  });

  test("anything else lists what there is; an unreadable node has no ENIConfig", async () => {
    expect(await page("/")).toMatchObject({ AvailableCommands: expect.arrayContaining(["/v1/enis"]) });
    expect(await page("/v2/nonsense")).toMatchObject({ AvailableCommands: expect.any(Array) });
    expect(introspect(source(), "/v1/eni-configs").status).toBe(404);
    expect(introspect(source(), "/v1/enis").headers.get("content-type")).toBe("text/plain; charset=utf-8");
  });
});

test("/v1/pool has every address of the node with its state", () => {
  const { cards, addresses } = poolPage([pool()], now);
  expect(cards).toEqual([
    { card: 0, mode: "secondary-ip", total: 3, assigned: 1, cooling: 1, assignable: 1, prefixes: 0 },
  ]);
  const place = { eni: "eni-1", deviceNumber: 0, card: 0, count: 1 };
  const block = (address: string) => ({ ...place, address, cidr: `${address}/32` });
  expect(addresses).toEqual([
    { ...block("10.0.1.10"), state: "primary" },
    {
      ...block("10.0.1.17"),
      state: "assigned",
      pod: { namespace: "default", name: "web-0" },
      containerId: "sandbox",
      assignedAt: "2026-08-20T10:00:00.123Z",
    },
    { ...block("10.0.1.18"), state: "cooling", readyAt: "2026-08-20T10:00:30.123Z" },
    { ...block("10.0.1.19"), state: "warm" },
  ]);
});

test("a prefix is one entry for what was never touched, and one for each address that was", () => {
  const held = createPool({ card: 0, mode: "prefix", cooldownMs: 30_000 });
  const facts = { id: "eni-1", deviceNumber: 1, routeTable: 2, subnetId: "s", primary: false };
  held.addEni({ ...facts, trunk: false, efa: false, excluded: false }, now);
  held.addCidr("eni-1", "10.0.1.16/28");
  held.assign({ networkName: "n", containerId: "c", ifName: "eth0" }, undefined, now);
  expect(poolPage([held], now).addresses).toMatchObject([
    { address: "10.0.1.16", cidr: "10.0.1.16/28", state: "assigned", count: 1 },
    { address: "10.0.1.16/28", state: "warm", count: 15 },
  ]);
});

test("the decision log notes a standing reason once and keeps the last 200", () => {
  const log = new DecisionLog();
  const reason = { rule: "max-eni", card: 0, settings: ["MAX_ENI"], values: { enis: 3 } } as const;
  log.notDone([reason], now);
  log.notDone([reason], now + 1);
  expect(log.entries()).toHaveLength(1);
  const end = log.action({ action: { kind: "free-eni", card: 0, eniId: "eni-9" }, reason }, now);
  expect(log.entries()[1]).not.toHaveProperty("outcome");
  end({ kind: "done" }, now + 40);
  expect(log.entries()[1]).toMatchObject({ kind: "action", outcome: { kind: "done" }, tookMs: 40 });
  for (let index = 0; index < 300; index++) log.notDone([{ ...reason, card: index }], now);
  expect(log.entries()).toHaveLength(200);
});
