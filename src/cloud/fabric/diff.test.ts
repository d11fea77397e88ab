import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Cidr, formatCidr } from "../../addr/cidr.ts";
import { ipv4 } from "../../addr/ipv4.ts";
import { blocksOf, diffRouter, emptyRouter, isEmpty, type RouterChanges, uncheckedOf } from "./diff.ts";
import type { FabricEni, FabricSpec } from "./spec.ts";
import { eniB, eniC, eniD, spec } from "./test-spec.ts";
import { hopKey, type RouterState, routeKey, ruleKey, wantedRouter } from "./wanted.ts";

const places = new Map(["a", "b", "c", "d", "nat/nat-1"].map((place, index) => [place, index]));
const wanted = (of: FabricSpec): RouterState => wantedRouter(of, places);

/** What a kernel has: routes go with the device that they lead through. */
class Kernel {
  readonly devices = new Set<string>();
  readonly blocks = new Map<string, string>();
  readonly routes = new Map<string, string>();
  readonly rules = new Set<string>();
  readonly addresses = new Set<string>();
  unchecked: readonly string[] = [];

  carryOut(changes: RouterChanges): void {
    for (const { device } of changes.removePorts) {
      this.devices.delete(device);
      for (const routes of [this.blocks, this.routes])
        for (const [key, through] of routes)
          if (through === device || through === `port ${device}`) routes.delete(key);
    }
    for (const address of changes.addAddresses) this.addresses.add(String(address));
    for (const { device } of changes.addPorts) {
      if (this.devices.has(device)) throw new Error(`${device} is there already`);
      this.devices.add(device);
    }
    for (const { port, block } of changes.addBlocks)
      this.blocks.set(formatCidr(block), this.#known(port.device));
    for (const { port, block } of changes.removeBlocks)
      if (this.blocks.get(formatCidr(block)) === port.device) this.blocks.delete(formatCidr(block));
    for (const route of changes.addRoutes) {
      if (route.hop.kind === "port") this.#known(route.hop.device);
      this.routes.set(routeKey(route), hopKey(route.hop));
    }
    for (const route of changes.removeRoutes) this.routes.delete(routeKey(route));
    for (const rule of changes.addRules) this.rules.add(ruleKey(rule));
    for (const rule of changes.removeRules) this.rules.delete(ruleKey(rule));
    for (const address of changes.removeAddresses) this.addresses.delete(String(address));
    this.unchecked = changes.unchecked ?? this.unchecked;
  }

  #known(device: string): string {
    if (!this.devices.has(device)) throw new Error(`no device ${device}`);
    return device;
  }

  picture(): unknown {
    const sorted = (items: Iterable<unknown>): string[] => [...items].map(String).sort();
    return {
      devices: sorted(this.devices),
      blocks: sorted(this.blocks),
      routes: sorted(this.routes),
      rules: sorted(this.rules),
      addresses: sorted(this.addresses),
      unchecked: this.unchecked,
    };
  }
}

const made = (state: RouterState): Kernel => {
  const kernel = new Kernel();
  kernel.carryOut(diffRouter(emptyRouter, state));
  return kernel;
};

/** Specifications that share ENIs, addresses and routes, so that every kind of change comes up. */
const specs = fc
  .record({
    owners: fc.array(fc.nat(2), { minLength: 12, maxLength: 12 }),
    attached: fc.array(fc.constantFrom("b", "c", "d", undefined), { minLength: 3, maxLength: 3 }),
    open: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
    target: fc.constantFrom(0, 1, 2, undefined),
    subnets: fc.integer({ min: 1, max: 2 }),
    prefixOwner: fc.nat(2),
  })
  .map(({ owners, attached, open, target, subnets, prefixOwner }): FabricSpec => {
    const enis = [eniB, eniC, eniD].map((eni, index): FabricEni => {
      const { place: _, ...detached } = eni;
      const place = attached[index];
      const more = owners.flatMap((owner, last) => (owner === index ? [ipv4(0x0a00c800 + last)] : []));
      return {
        ...detached,
        subnetId: "subnet-public",
        addresses: [...eni.addresses.slice(0, 1), ...more],
        prefixes: prefixOwner === index ? eniB.prefixes : [],
        sourceDestCheck: open[index] === false,
        ...(place === undefined ? {} : { place: { place, device: `eth${index}` } }),
      };
    });
    const destination = { family: 4, base: ipv4(0xac1f0000), bits: 16 } as const;
    const inside = { family: 4, base: ipv4(0x0a000500), bits: 24 } as const;
    const hop = { kind: "eni", eniId: enis[target ?? 0]?.eniId ?? "" } as const;
    const extra =
      target === undefined ? [] : [destination, inside].map((to) => ({ destination: to, target: hop }));
    return {
      ...spec,
      natGateways: [],
      enis,
      subnets: spec.subnets
        .slice(0, subnets)
        .map((subnet) => ({ ...subnet, routes: [...subnet.routes, ...extra] })),
    };
  });

test("diffRouter leads from any state to any other, as if that had been made at once", () => {
  fc.assert(
    fc.property(fc.array(specs, { minLength: 2, maxLength: 4 }), (steps) => {
      const kernel = new Kernel();
      let found = emptyRouter;
      for (const step of steps) {
        const next = wanted(step);
        kernel.carryOut(diffRouter(found, next));
        found = next;
        expect(kernel.picture()).toEqual(made(next).picture());
      }
    }),
    { numRuns: 200 },
  );
});

test("diffRouter finds nothing to do where nothing changed, whatever the order", () => {
  const again = {
    ...spec,
    enis: spec.enis.map((eni) => {
      const [primary, ...others] = eni.addresses;
      return { ...eni, addresses: primary === undefined ? [] : [primary, ...others.reverse()] };
    }),
  };
  expect(isEmpty(diffRouter(wanted(spec), wanted(again)))).toBe(true);
});

test("diffRouter touches one ENI only when its addresses change", () => {
  const more = [...eniC.addresses, ipv4(0x0a00c801)];
  const next = { ...spec, enis: spec.enis.map((eni) => (eni === eniC ? { ...eni, addresses: more } : eni)) };
  const changes = diffRouter(wanted(spec), wanted(next));
  const blocks = changes.addBlocks.map(({ port, block }) => [port.eniId, formatCidr(block)]);
  expect(blocks).toEqual([[eniC.eniId, "10.0.200.1/32"]]);
  expect(isEmpty({ ...changes, addBlocks: [] })).toBe(true);
});

test("diffRouter makes a device anew in the new namespace of a rebooted machine, with the routes through it", () => {
  const opened: FabricSpec = {
    ...spec,
    enis: spec.enis.map((eni) => (eni === eniD ? { ...eni, sourceDestCheck: false } : eni)),
    subnets: spec.subnets.map((subnet) => ({
      ...subnet,
      routes: [
        { destination: { family: 4, base: ipv4(0), bits: 0 }, target: { kind: "eni", eniId: eniD.eniId } },
      ],
    })),
  };
  const rebooted = new Map([...places, ["d", 99]]);
  const changes = diffRouter(wantedRouter(opened, places), wantedRouter(opened, rebooted));
  expect(changes.removePorts.map((port) => port.eniId)).toEqual([eniD.eniId]);
  expect(changes.addPorts.map((port) => port.eniId)).toEqual([eniD.eniId]);
  expect(changes.addRoutes).toHaveLength(2);
  expect(changes.addRules).toEqual([]);
});

test("blocksOf lists the primary address first, then all else", () => {
  const port = wanted(spec).ports.get("e-bbbbbbbbbbbbb");
  const blocks: readonly Cidr[] = port === undefined ? [] : blocksOf(port);
  expect(blocks.map(formatCidr)).toEqual([
    "10.0.1.10/32",
    "10.0.1.20/32",
    "10.0.1.64/28",
    "2001:db8:1:1::b/128",
    "2001:db8:1:1:b::/80",
  ]);
});

test("uncheckedOf names the devices without source check", () => {
  expect(uncheckedOf(wanted(spec))).toEqual(["e-eeeeeeeeeeeee"]);
});
