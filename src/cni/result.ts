import { tryParseCidr } from "../addr/cidr.ts";
import { CniError, errorCode } from "./error.ts";
import { array, isObject, type Json, type JsonObject, number, object, text } from "./json.ts";
import { isAtLeast, type SpecVersion } from "./version.ts";

/** A result in the words of version 1.1.0; other versions are converted on the way in and out. */
export interface CniResult {
  readonly interfaces: readonly CniInterface[];
  readonly ips: readonly CniIp[];
  readonly routes: readonly CniRoute[];
  readonly dns: CniDns;
}

export interface CniInterface {
  readonly name: string;
  readonly mac?: string;
  readonly mtu?: number;
  /** Path of the pod's network namespace; absent for devices of the host. */
  readonly sandbox?: string;
  readonly socketPath?: string;
  readonly pciID?: string;
}

export interface CniIp {
  /** Index into `interfaces`. */
  readonly interface?: number;
  /** With a prefix length: "10.0.1.17/32". */
  readonly address: string;
  readonly gateway?: string;
}

export interface CniRoute {
  readonly dst: string;
  readonly gw?: string;
  readonly mtu?: number;
  readonly advmss?: number;
  readonly priority?: number;
  readonly table?: number;
  readonly scope?: number;
}

export interface CniDns {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

export const emptyResult: CniResult = { interfaces: [], ips: [], routes: [], dns: {} };

/** Reads a result of the given version (its own `cniVersion` is not looked at). Throws CNI error 6. */
export function parseResult(value: Json, version: SpecVersion): CniResult {
  const from = object(value, "the result");
  if (!isAtLeast(version, "0.3.0")) return parseOldResult(from);
  return {
    interfaces: array(from.interfaces, "interfaces").map((item, index) =>
      parseInterface(object(item, `interfaces[${index}]`), `interfaces[${index}]`),
    ),
    ips: array(from.ips, "ips").map((item, index) => parseIp(object(item, `ips[${index}]`), `ips[${index}]`)),
    routes: parseRoutes(from.routes, "routes"),
    dns: parseDns(from.dns),
  };
}

/**
 * The result as an object of the given version, its fields in the order of the reference library. What a version
 * has no word for is left out. Throws when 0.1.0 or 0.2.0 is wanted and there is no address.
 */
export function formatResult(result: CniResult, version: SpecVersion): JsonObject {
  if (!isAtLeast(version, "0.3.0")) return formatOldResult(result, version);
  const newest = isAtLeast(version, "1.1.0");
  const out: JsonObject = { cniVersion: version };
  if (result.interfaces.length > 0)
    out.interfaces = result.interfaces.map((item) => formatInterface(item, newest));
  if (result.ips.length > 0) out.ips = result.ips.map((item) => formatIp(item, !isAtLeast(version, "1.0.0")));
  if (result.routes.length > 0) out.routes = result.routes.map((item) => formatRoute(item, newest));
  out.dns = formatDns(result.dns);
  return out;
}

function parseInterface(from: JsonObject, place: string): CniInterface {
  return {
    name: text(from.name, `${place}.name`) ?? "",
    ...optional("mac", text(from.mac, `${place}.mac`)),
    ...optional("mtu", number(from.mtu, `${place}.mtu`)),
    ...optional("sandbox", text(from.sandbox, `${place}.sandbox`)),
    ...optional("socketPath", text(from.socketPath, `${place}.socketPath`)),
    ...optional("pciID", text(from.pciID, `${place}.pciID`)),
  };
}

function parseIp(from: JsonObject, place: string): CniIp {
  return {
    ...optional("interface", number(from.interface, `${place}.interface`)),
    address: checkedCidr(text(from.address, `${place}.address`), `${place}.address`),
    ...optional("gateway", text(from.gateway, `${place}.gateway`)),
  };
}

function parseRoutes(value: Json | undefined, place: string): CniRoute[] {
  return array(value, place).map((item, index) => {
    const at = `${place}[${index}]`;
    const from = object(item, at);
    return {
      dst: checkedCidr(text(from.dst, `${at}.dst`), `${at}.dst`),
      ...optional("gw", text(from.gw, `${at}.gw`)),
      ...optional("mtu", number(from.mtu, `${at}.mtu`)),
      ...optional("advmss", number(from.advmss, `${at}.advmss`)),
      ...optional("priority", number(from.priority, `${at}.priority`)),
      ...optional("table", number(from.table, `${at}.table`)),
      ...optional("scope", number(from.scope, `${at}.scope`)),
    };
  });
}

function parseDns(value: Json | undefined): CniDns {
  if (value === undefined || value === null) return {};
  const from = object(value, "dns");
  const list = (name: string): string[] | undefined =>
    from[name] === undefined
      ? undefined
      : array(from[name], `dns.${name}`).map((item) => text(item, `dns.${name}`) ?? "");
  return {
    ...optional("nameservers", list("nameservers")),
    ...optional("domain", text(from.domain, "dns.domain")),
    ...optional("search", list("search")),
    ...optional("options", list("options")),
  };
}

function formatInterface(item: CniInterface, newest: boolean): JsonObject {
  return {
    name: item.name,
    ...optional("mac", item.mac),
    ...(newest ? optional("mtu", item.mtu) : {}),
    ...optional("sandbox", item.sandbox),
    ...(newest ? { ...optional("socketPath", item.socketPath), ...optional("pciID", item.pciID) } : {}),
  };
}

function formatIp(item: CniIp, withVersion: boolean): JsonObject {
  return {
    ...(withVersion ? { version: familyOf(item.address) === 4 ? "4" : "6" } : {}),
    ...optional("interface", item.interface),
    address: item.address,
    ...optional("gateway", item.gateway),
  };
}

function formatRoute(item: CniRoute, newest: boolean): JsonObject {
  return newest
    ? ({ ...item } as JsonObject)
    : { dst: item.dst, ...(item.gw === undefined ? {} : { gw: item.gw }) };
}

function formatDns(dns: CniDns): JsonObject {
  return {
    ...optional("nameservers", dns.nameservers && [...dns.nameservers]),
    ...optional("domain", dns.domain),
    ...optional("search", dns.search && [...dns.search]),
    ...optional("options", dns.options && [...dns.options]),
  };
}

// 0.1.0 and 0.2.0 know no interfaces and one address of each family, routes under their family's address.

function parseOldResult(from: JsonObject): CniResult {
  const ips: CniIp[] = [];
  const routes: CniRoute[] = [];
  for (const name of ["ip4", "ip6"]) {
    const value = from[name];
    if (value === undefined || value === null) continue;
    const part = object(value, name);
    ips.push({
      address: checkedCidr(text(part.ip, `${name}.ip`), `${name}.ip`),
      ...optional("gateway", text(part.gateway, `${name}.gateway`)),
    });
    routes.push(...parseRoutes(part.routes, `${name}.routes`));
  }
  return { interfaces: [], ips, routes, dns: parseDns(from.dns) };
}

function formatOldResult(result: CniResult, version: SpecVersion): JsonObject {
  const out: JsonObject = { cniVersion: version };
  for (const family of [4, 6] as const) {
    const ip = result.ips.find((item) => familyOf(item.address) === family);
    if (ip === undefined) continue;
    const routes = result.routes.filter((route) => familyOf(route.dst) === family);
    out[`ip${family}`] = {
      ip: ip.address,
      ...optional("gateway", ip.gateway),
      ...(routes.length > 0 ? { routes: routes.map((route) => formatRoute(route, false)) } : {}),
    };
  }
  if (out.ip4 === undefined && out.ip6 === undefined) {
    throw new CniError(errorCode.internal, "cannot convert: no valid IP addresses");
  }
  out.dns = formatDns(result.dns);
  return out;
}

function familyOf(cidr: string): 4 | 6 {
  return cidr.includes(":") ? 6 : 4;
}

function checkedCidr(value: string | undefined, place: string): string {
  if (value === undefined || tryParseCidr(value) === undefined) {
    throw new CniError(
      errorCode.decodingFailure,
      `cannot read ${place} of a result: ${JSON.stringify(value ?? null)}; wanted an address with a prefix length`,
    );
  }
  return value;
}

/** `{name: value}`, or nothing when the value is absent; JSON has no "undefined". */
function optional<N extends string, T extends Json>(name: N, value: T | undefined): Partial<Record<N, T>> {
  return (value === undefined || isEmpty(value) ? {} : { [name]: value }) as Partial<Record<N, T>>;
}

function isEmpty(value: Json): boolean {
  return value === "" || value === null || (isObject(value) && Object.keys(value).length === 0);
}
