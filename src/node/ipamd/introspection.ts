import { rmSync } from "node:fs";
import { formatCidr, parseCidr } from "../../addr/cidr.ts";
import type { AddressView, CidrView, EniView, Pool } from "../../ipam/types.ts";
import type { NodeEnvironment } from "../environment.ts";
import type { DecisionLog } from "./decision-log.ts";
import { poolPage } from "./pool-page.ts";

export type { PoolEntry, PoolPage } from "./pool-page.ts";

/**
 * What ipamd tells about itself over HTTP. `/v1/enis` and the settings pages have the official shapes; `/v1/pool`
 * (every address and its state) and `/v1/decisions` (what was done or not done, and why) are ours.
 */
export interface IntrospectionSource {
  readonly env: NodeEnvironment;
  readonly pools: () => readonly Pool[];
  readonly now: () => number;
  /** The name of this node's ENIConfig; undefined when the node cannot be read. */
  readonly eniConfigName: () => string | undefined;
  readonly decisions: DecisionLog;
}

const zeroTime = "0001-01-01T00:00:00Z";

/** Answers a request; any method, no content type of its own, as the official server. */
export function introspect(source: IntrospectionSource, path: string): Response {
  const page = pages[path];
  const body = page === undefined ? { AvailableCommands: Object.keys(pages) } : page(source);
  if (body === undefined) return new Response("", { status: 404 });
  return new Response(JSON.stringify(body), { headers: { "content-type": "text/plain; charset=utf-8" } });
}

const pages: Readonly<Record<string, (source: IntrospectionSource) => unknown>> = {
  "/v1/enis": ({ pools, now }) => enisPage(pools(), now()),
  "/v1/eni-configs": ({ eniConfigName }) => eniConfigName(),
  "/v1/networkutils-env-settings": ({ env }) => networkSettings(env),
  "/v1/ipamd-env-settings": ({ env }) => ipamdSettings(env),
  "/v1/pool": ({ pools, now }) => poolPage(pools(), now()),
  "/v1/decisions": ({ decisions }) => decisions.entries(),
};

/** Starts to listen at "host:port" or "unix:path"; stop it with the returned function. */
export function serveIntrospection(source: IntrospectionSource, bindAddress: string): () => Promise<void> {
  const fetch = (request: Request): Response => introspect(source, pathOf(request));
  if (bindAddress.startsWith("unix:")) {
    const unix = bindAddress.slice("unix:".length);
    rmSync(unix, { force: true });
    const server = Bun.serve({ unix, development: false, fetch });
    return () => server.stop(true);
  }
  const colon = bindAddress.lastIndexOf(":");
  const hostname = bindAddress.slice(0, colon) || "0.0.0.0";
  const server = Bun.serve({
    hostname,
    port: Number(bindAddress.slice(colon + 1)),
    idleTimeout: 5,
    development: false,
    fetch,
  });
  return () => server.stop(true);
}

/** The path of a request; one without a Host header, as HTTP/1.0 allows, has nothing before it. */
export function pathOf(request: Request): string {
  return request.url.replace(/^https?:\/\/[^/]*/, "").replace(/[?#].*$/, "") || "/";
}

/** Every card, ENI, block and address that was ever handed out; sandbox ids are blanked since 1.23. */
export function enisPage(pools: readonly Pool[], now: number): Record<string, unknown> {
  return Object.fromEntries(
    pools.map((pool) => {
      const { total, assigned } = pool.stats(now);
      const enis = Object.fromEntries(pool.enis().map((eni) => [eni.id, eniEntry(eni)]));
      return [String(pool.card), { TotalIPs: total, AssignedIPs: assigned, ENIs: enis }];
    }),
  );
}

function eniEntry(eni: EniView): unknown {
  const blocks = eni.cidrs();
  const family = (v6: boolean): Record<string, unknown> =>
    Object.fromEntries(
      blocks.filter(({ cidr }) => cidr.includes(":") === v6).map((block) => [block.cidr, blockEntry(block)]),
    );
  return {
    ID: eni.id,
    IsPrimary: eni.primary,
    IsTrunk: eni.trunk,
    IsEFA: eni.efa,
    DeviceNumber: eni.deviceNumber,
    AvailableIPv4Cidrs: family(false),
    IPv6Cidrs: family(true),
    IsExcludedForPodIPs: eni.excluded,
    RouteTableID: eni.routeTable,
    SubnetID: eni.subnetId,
  };
}

function blockEntry(block: CidrView): unknown {
  return {
    Cidr: { IP: block.cidr.slice(0, block.cidr.indexOf("/")), Mask: maskBase64(block.cidr) },
    IPAddresses: Object.fromEntries(block.addresses().map((entry) => [entry.address, addressEntry(entry)])),
    IsPrefix: block.prefix,
    AddressFamily: "",
  };
}

function addressEntry(entry: AddressView): unknown {
  const metadata: Record<string, unknown> = {};
  if (entry.metadata !== undefined && entry.metadata.namespace !== "")
    metadata.k8sPodNamespace = entry.metadata.namespace;
  if (entry.metadata !== undefined && entry.metadata.name !== "") metadata.k8sPodName = entry.metadata.name;
  if (entry.metadata !== undefined) metadata.interfacesCount = entry.metadata.interfaces;
  return {
    Address: entry.address,
    IPAMKey: { networkName: entry.key?.networkName ?? "", containerID: "", ifName: "" },
    IPAMMetadata: metadata,
    AssignedTime: timeText(entry.assignedAt),
    UnassignedTime: timeText(entry.releasedAt),
  };
}

function timeText(time: number | undefined): string {
  return time === undefined ? zeroTime : new Date(time).toISOString();
}

/** Go writes a mask as base64 of its bytes: "////8A==" for a /28. */
function maskBase64(cidr: string): string {
  const { family, bits } = parseCidr(cidr);
  const mask = new Uint8Array(family === 4 ? 4 : 16);
  for (let bit = 0; bit < bits; bit++) mask[bit >> 3] = (mask[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return Buffer.from(mask).toString("base64");
}

function networkSettings(env: NodeEnvironment): unknown {
  const list = (cidrs: readonly unknown[], texts: () => string[]): string[] | null =>
    cidrs.length === 0 ? null : texts();
  return {
    AWS_VPC_K8S_CNI_CONNMARK: env.connmark,
    AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: list(env.excludeSnatCidrs, () =>
      env.excludeSnatCidrs.map(formatCidr),
    ),
    AWS_VPC_K8S_CNI_EXTERNALSNAT: env.externalSnat,
    AWS_EXTERNAL_SERVICE_CIDRS: list(env.externalServiceCidrs, () =>
      env.externalServiceCidrs.map(formatCidr),
    ),
    AWS_VPC_ENI_MTU: env.eniMtu,
    AWS_VPC_K8S_CNI_VETHPREFIX: env.vethPrefix,
    AWS_VPC_CNI_NODE_PORT_SUPPORT: env.nodePortSupport,
    AWS_VPC_K8S_CNI_RANDOMIZESNAT: { none: 0, hashrandom: 1, prng: 2 }[env.randomizeSnat],
  };
}

function ipamdSettings(env: NodeEnvironment): unknown {
  return {
    WARM_IP_TARGET: env.warmIpTarget,
    WARM_ENI_TARGET: env.warmEniTarget,
    AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: env.customNetworkCfg,
    AWS_MANAGE_ENIS_NON_SCHEDULABLE: env.manageEnisNonSchedulable,
    ENABLE_SUBNET_DISCOVERY: env.enableSubnetDiscovery,
  };
}
