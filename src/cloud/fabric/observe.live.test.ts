import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { endHolder, type Holder, startNamespaceHolder } from "../../linux/holder.ts";
import { Netns } from "../../linux/netns.ts";
import { listNftRuleset } from "../../linux/nft.ts";
import { Rtnetlink } from "../../linux/rtnetlink/rtnetlink.ts";
import { diffRouter, isEmpty } from "./diff.ts";
import { createFabric, type LiveFabric } from "./fabric.ts";
import { FabricNamespaces } from "./namespaces.ts";
import { type KnownPlace, observeRouter } from "./observe.ts";
import { setElements } from "./read-drops.ts";
import { uncheckedSet } from "./ruleset.ts";
import { eniB, eniC, spec } from "./test-spec.ts";
import { type RouterState, wantedRouter } from "./wanted.ts";

const isRoot = process.getuid?.() === 0;
const labName = `observe-test-${process.pid}`;

// Routes of every kind: through a port, inside the VPC, to the sink.
const full = {
  ...spec,
  enis: spec.enis.map((eni) => (eni === eniC ? { ...eni, sourceDestCheck: false } : eni)),
  subnets: spec.subnets.map((subnet) => ({
    ...subnet,
    routes: [
      ...subnet.routes,
      { destination: eniB.prefixes[0] ?? subnet.cidr, target: { kind: "eni", eniId: eniC.eniId } as const },
    ],
  })),
};

describe.skipIf(!isRoot)("observeRouter", () => {
  const holders: Holder[] = [];
  const places = new Map<string, KnownPlace>();
  let fabric: LiveFabric;

  beforeAll(async () => {
    fabric = await createFabric({ labName });
    for (const place of ["a", "b", "c", "d"]) {
      const holder = await startNamespaceHolder({ net: true }, { label: `${labName}/${place}` });
      holders.push(holder);
      fabric.addPlace(place, holder.netnsPath);
      places.set(place, known(holder.netnsPath));
    }
    await fabric.apply(full);
    const nat = await new FabricNamespaces(labName).get("nat/nat-1");
    places.set("nat/nat-1", known(nat.netnsPath));
  });

  afterAll(async () => {
    await fabric?.destroy();
    for (const holder of holders) await endHolder(holder);
  });

  function known(path: string): KnownPlace {
    using netns = Netns.open(path);
    return { path, netns: netns.inode, configure: false };
  }

  function observed(): RouterState {
    using netns = Netns.open(fabric.routerNetns);
    using rtnetlink = Rtnetlink.open(netns);
    return observeRouter(rtnetlink, places, new Set(setElements(listNftRuleset(netns), uncheckedSet)));
  }

  const wanted = (): RouterState =>
    wantedRouter(full, new Map([...places].map(([place, { netns }]) => [place, netns])));

  test("reads back all that was applied", () => {
    const changes = diffRouter(observed(), wanted());
    expect(changes).toEqual(diffRouter(wanted(), wanted()));
    expect(isEmpty(changes)).toBe(true);
  });

  test("sees a route, a rule and a device that somebody took away or added", () => {
    using netns = Netns.open(fabric.routerNetns);
    using rtnetlink = Rtnetlink.open(netns);
    const [lost] = eniB.prefixes;
    if (lost === undefined) throw new Error("no prefix");
    rtnetlink.deleteRoute({ destination: lost });
    const [rule] = rtnetlink.rules(4).filter(({ priority }) => priority === 33001);
    if (rule === undefined) throw new Error("no rule");
    rtnetlink.deleteRule(rule);
    rtnetlink.addVeth({ name: "e-stray", peer: { name: "stray-end" } });
    const changes = diffRouter(observed(), wanted());
    expect(changes.addBlocks.map(({ block }) => block)).toEqual([lost]);
    expect(changes.addRules).toHaveLength(1);
    expect(changes.removePorts.map(({ device }) => device)).toEqual(["e-stray"]);
    expect(changes.addPorts).toEqual([]);
  });
});
