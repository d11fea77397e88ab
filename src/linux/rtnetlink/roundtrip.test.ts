import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Cidr, cidr4, cidr6 } from "../../addr/cidr.ts";
import { type Ipv4, ipv4 } from "../../addr/ipv4.ts";
import { type Ipv6, ipv6 } from "../../addr/ipv6.ts";
import { type Mac, macFromBytes } from "../../addr/mac.ts";
import { EniverseError } from "../../base/error.ts";
import { addAddressRequest, decodeAddress } from "./address.ts";
import { addVethRequest, decodeLink } from "./link.ts";
import { decodeNeighbour, replaceNeighbourRequest } from "./neighbour.ts";
import { addRouteRequest, decodeRoute } from "./route.ts";
import { addRuleRequest, decodeRule } from "./rule.ts";
import type { Family, IpAddress, RouteSpec, RuleSpec } from "./values.ts";

// The kernel lists things in the very form in which they are made, so what we send must read back.

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const index = fc.integer({ min: 1, max: 0x7fffffff });
const mac: fc.Arbitrary<Mac> = fc.uint8Array({ minLength: 6, maxLength: 6 }).map(macFromBytes);
const name = fc.stringMatching(/^[a-z][a-z0-9.-]{0,14}$/);
const v4: fc.Arbitrary<Ipv4> = u32.map(ipv4);
const v6: fc.Arbitrary<Ipv6> = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map(ipv6);
const address = (family: Family): fc.Arbitrary<IpAddress> => (family === 4 ? v4 : v6);
const block = (family: Family): fc.Arbitrary<Cidr> =>
  family === 4
    ? fc.tuple(v4, fc.integer({ min: 0, max: 32 })).map(([base, bits]) => cidr4(base, bits))
    : fc.tuple(v6, fc.integer({ min: 0, max: 128 })).map(([base, bits]) => cidr6(base, bits));
const someBlock = (family: Family): fc.Arbitrary<Cidr> => block(family).filter((cidr) => cidr.bits > 0);
const family = fc.constantFrom<Family>(4, 6);

/** Leaves out what is undefined, as the types want it. */
function record<T extends object>(
  needed: Readonly<Record<string, fc.Arbitrary<unknown>>>,
  optional: Readonly<Record<string, fc.Arbitrary<unknown>>>,
): fc.Arbitrary<T> {
  return fc
    .tuple(fc.record(needed), fc.record(optional, { requiredKeys: [] }))
    .map(([always, sometimes]) => ({ ...always, ...sometimes }) as unknown as T);
}

test("routes", () => {
  const spec = family.chain((of) =>
    record<RouteSpec>(
      { destination: block(of), type: fc.constantFrom("unicast", "blackhole", "local", "unreachable") },
      {
        table: u32.filter((table) => table > 0),
        protocol: fc.integer({ min: 0, max: 255 }),
        gateway: fc.oneof(address(of), v6),
        interfaceIndex: index,
        source: address(of),
        onlink: fc.boolean(),
        metric: u32,
        mtu: u32,
      },
    ),
  );
  fc.assert(
    fc.property(spec, (route) => {
      const read = decodeRoute(addRouteRequest(route).body);
      expect(read).toMatchObject(route);
      if (read === undefined) return;
      expect(decodeRoute(addRouteRequest(read).body)).toEqual(read);
    }),
  );
});

test("rules", () => {
  const spec = family.chain((of) =>
    record<RuleSpec>(
      { family: fc.constant(of), table: u32.filter((table) => table > 0), priority: u32 },
      {
        from: someBlock(of),
        to: someBlock(of),
        iif: name,
        oif: name,
        fwmark: u32,
        fwmask: u32,
        ipProtocol: fc.integer({ min: 0, max: 255 }),
        invert: fc.constant(true),
        suppressPrefixLength: fc.integer({ min: 0, max: 128 }),
        protocol: fc.integer({ min: 0, max: 255 }),
      },
    ),
  );
  fc.assert(
    fc.property(spec, (rule) => {
      expect(decodeRule(addRuleRequest(rule).body)).toEqual({
        action: "lookup",
        protocol: 0,
        ...rule,
      } as never);
    }),
  );
});

test("addresses", () => {
  const spec = family.chain((of) =>
    fc.record({
      interfaceIndex: index,
      address: address(of),
      bits: fc.integer({ min: 0, max: of === 4 ? 32 : 128 }),
      noPrefixRoute: fc.boolean(),
      peer: address(of),
    }),
  );
  fc.assert(
    fc.property(spec, (spec) => {
      const read = decodeAddress(addAddressRequest(spec).body);
      const { peer, ...rest } = spec;
      expect(read).toMatchObject(rest);
      expect(read?.peer).toBe(peer === spec.address ? undefined : peer);
    }),
  );
});

test("neighbours", () => {
  const spec = family.chain((of) =>
    fc.record({
      interfaceIndex: index,
      address: address(of),
      mac,
      state: fc.constantFrom("permanent" as const, "reachable" as const, "stale" as const, "noarp" as const),
      proxy: fc.boolean(),
    }),
  );
  fc.assert(
    fc.property(spec, (spec) => {
      const expected = { family: typeof spec.address === "number" ? (4 as const) : (6 as const), ...spec };
      expect(decodeNeighbour(replaceNeighbourRequest(spec).body)).toEqual(expected);
    }),
  );
});

test("links", () => {
  const end = fc.record({ name, mac, mtu: u32, index, up: fc.boolean(), txQueueLength: u32 });
  fc.assert(
    fc.property(end, end, (near, peer) => {
      expect(decodeLink(addVethRequest({ ...near, peer }).body)).toMatchObject({ ...near, kind: "veth" });
    }),
  );
});

describe("garbage", () => {
  for (const [what, decode] of Object.entries({
    decodeLink,
    decodeAddress,
    decodeRoute,
    decodeRule,
    decodeNeighbour,
  })) {
    test(`${what} returns or throws "corrupted"`, () => {
      const bodies = fc.oneof(
        fc.uint8Array({ maxLength: 64 }),
        // Good headers get further.
        fc.uint8Array({ minLength: 12, maxLength: 80 }).map((bytes) => {
          bytes[0] = 2;
          bytes[7] = 1;
          return bytes;
        }),
      );
      fc.assert(
        fc.property(bodies, (bytes) => {
          try {
            decode(bytes);
          } catch (error) {
            expect(error instanceof EniverseError && error.code).toBe("corrupted");
          }
        }),
        { numRuns: 500 },
      );
    });
  }
});

describe("refused before the kernel sees them", () => {
  test("device names", () => {
    const veth = (name: string) => () => addVethRequest({ name, peer: { name: "ok" } });
    for (const name of ["", "sixteen-letters-", "a/b", "a b", "a:b", ".", "..", "éééééééé"])
      expect(veth(name)).toThrow("wanted up to 15 bytes");
    veth("fifteen-letters")();
  });

  test("rules without a table, with blocks of the other family", () => {
    expect(() => addRuleRequest({ family: 4, priority: 1 })).toThrow("the table to look up");
    expect(() => addRuleRequest({ family: 4, table: 9, to: cidr6(ipv6(1n), 128) })).toThrow("the IPv6 block");
  });

  test("neighbours without a MAC address", () => {
    expect(() => replaceNeighbourRequest({ interfaceIndex: 1, address: ipv4(1) })).toThrow("no MAC address");
  });
});
