import { type Cidr4, type Cidr6, tryParseCidr } from "../../addr/cidr.ts";
import { type Ipv4, tryParseIpv4 } from "../../addr/ipv4.ts";
import { type Ipv6, tryParseIpv6 } from "../../addr/ipv6.ts";
import type { ConnectionTracking } from "../../aws/shapes.ts";
import { faults } from "../model/fault.ts";
import { refuseReservedKeys, type Tags } from "../model/tags.ts";
import type { Params } from "./decode-query.ts";
import type { XmlObject } from "./encode-xml.ts";

/** Parameters that many actions share, read into the model's values. */

export function ipv4Parameter(text: string, parameter: string): Ipv4 {
  const address = tryParseIpv4(text);
  if (address === undefined) throw faults.badValue(text, parameter, "Invalid IPv4 address.");
  return address;
}

export function ipv6Parameter(text: string, parameter: string): Ipv6 {
  const address = tryParseIpv6(text);
  if (address === undefined) throw faults.badValue(text, parameter, "Invalid IPv6 address.");
  return address;
}

export function cidr4Parameter(text: string, parameter: string): Cidr4 {
  const cidr = tryParseCidr(text);
  if (cidr?.family !== 4) throw faults.badValue(text, parameter, "This is not a valid CIDR block.");
  return cidr;
}

export function cidr6Parameter(text: string, parameter: string): Cidr6 {
  const cidr = tryParseCidr(text);
  if (cidr?.family !== 6) throw faults.badValue(text, parameter, "This is not a valid IPv6 CIDR block.");
  return cidr;
}

/** The tags that a create call gives to what it makes; specifications for other types are refused. */
export function tagSpecification(params: Params, resourceType: string): [string, string][] {
  return params.structs("TagSpecification").flatMap((specification) => {
    const type = specification.required("ResourceType");
    if (type !== resourceType) {
      throw faults.invalid(`'${type}' is not a valid taggable resource type for this operation.`);
    }
    return readTags(specification);
  });
}

/** The "Tag.N" list of a request or of a specification. */
export function readTags(params: Params): [string, string][] {
  const tags = params
    .structs("Tag")
    .map((tag): [string, string] => [tag.required("Key"), tag.text("Value") ?? ""]);
  refuseReservedKeys(tags.map(([key]) => key));
  const keys = tags.map(([key]) => key);
  const twice = keys.find((key, index) => keys.indexOf(key) < index);
  if (twice !== undefined) throw faults.invalid(`Duplicate tag key '${twice}' specified.`);
  return tags;
}

export function tagSet(tags: Tags): XmlObject[] {
  return [...tags].map(([key, value]) => ({ key, value }));
}

export function connectionTracking(params: Params): ConnectionTracking | undefined {
  const given = params.struct("ConnectionTrackingSpecification");
  if (given === undefined) return undefined;
  const tcpEstablishedTimeout = given.int("TcpEstablishedTimeout");
  const udpStreamTimeout = given.int("UdpStreamTimeout");
  const udpTimeout = given.int("UdpTimeout");
  return {
    ...(tcpEstablishedTimeout === undefined ? {} : { tcpEstablishedTimeout }),
    ...(udpStreamTimeout === undefined ? {} : { udpStreamTimeout }),
    ...(udpTimeout === undefined ? {} : { udpTimeout }),
  };
}

/** Leaves out what is absent, so that a request to the model says only what was said. */
export function given<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** Resources named by id, in the order of the request; `missing` throws the kind's NotFound. */
export function chosen<R>(
  all: ReadonlyMap<string, R>,
  ids: readonly string[] | undefined,
  missing: (id: string) => never,
): R[] {
  if (ids === undefined) return [...all.values()];
  return [...new Set(ids)].map((id) => all.get(id) ?? missing(id));
}
