import { tryParseIpv4 } from "../../addr/ipv4.ts";
import { formatIpv6, tryParseIpv6 } from "../../addr/ipv6.ts";
import { EniverseError } from "../../base/error.ts";

/** What is asked about. */
export type Subject =
  | { readonly kind: "pod"; readonly namespace: string; readonly name: string }
  | { readonly kind: "node"; readonly name: string }
  | { readonly kind: "address"; readonly address: string }
  | { readonly kind: "eni"; readonly eniId: string };

const kinds = "pod/NAME, address/IP, eni/ID or node/NAME";
const kindOf: ReadonlyMap<string, Subject["kind"]> = new Map([
  ["pod", "pod"],
  ["pods", "pod"],
  ["po", "pod"],
  ["node", "node"],
  ["nodes", "node"],
  ["no", "node"],
  ["address", "address"],
  ["addresses", "address"],
  ["ip", "address"],
  ["eni", "eni"],
  ["network-interface", "eni"],
]);

/**
 * Reads "pod/web-1", "pod/NAMESPACE/web-1", "node/ip-10-0-32-5", "address/10.0.32.17", "eni/eni-0a1b2c3d". Throws
 * `invalid_argument` for anything else.
 */
export function parseSubject(text: string, namespace: string): Subject {
  const [, word = "", name = ""] = /^([^/]*)\/(.*)$/.exec(text) ?? [];
  const refuse = (found: string, wanted = kinds): never => {
    throw new EniverseError("invalid_argument", {
      attempted: `explain ${JSON.stringify(text)}`,
      found,
      wanted,
    });
  };
  if (!text.includes("/")) return refuse("no kind before a slash");
  const kind = kindOf.get(word);
  if (kind === undefined) return refuse(`the kind ${JSON.stringify(word)}`);
  if (name === "") return refuse(`no name after ${word}/`);
  switch (kind) {
    case "pod": {
      const [, where = namespace, plain = name] = /^([^/]+)\/(.+)$/.exec(name) ?? [];
      return { kind, namespace: where, name: plain };
    }
    case "node":
      return { kind, name };
    case "address": {
      const ipv6 = tryParseIpv6(name);
      if (ipv6 !== undefined) return { kind, address: formatIpv6(ipv6) };
      if (tryParseIpv4(name) === undefined)
        return refuse(`${JSON.stringify(name)}, which is no address`, "an IPv4 or IPv6 address, 10.0.32.17");
      return { kind, address: name };
    }
    case "eni":
      if (!/^eni-[0-9a-f]+$/.test(name))
        return refuse(`${JSON.stringify(name)}, which is no ENI's id`, "an id such as eni-0a1b2c3d4e5f60718");
      return { kind, eniId: name };
  }
}
