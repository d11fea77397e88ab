/**
 * Measures what wiring pods costs over netlink: `bun src/linux/measure.ts [PODS]`. Works in namespaces of its
 * own, prints one line a step with the median and the 99th percentile in microseconds.
 */

import { parseCidr } from "../addr/cidr.ts";
import { type Ipv4, ipv4, parseIpv4 } from "../addr/ipv4.ts";
import { randomMac } from "../addr/mac.ts";
import { seededRandom } from "../base/random.ts";
import { Netns } from "./netns.ts";
import { addAddressRequest } from "./rtnetlink/address.ts";
import { hostCidr } from "./rtnetlink/family.ts";
import { setLinkRequest } from "./rtnetlink/link.ts";
import { replaceNeighbourRequest } from "./rtnetlink/neighbour.ts";
import { addRouteRequest, replaceRouteRequest } from "./rtnetlink/route.ts";
import { Rtnetlink } from "./rtnetlink/rtnetlink.ts";
import { addRuleRequest } from "./rtnetlink/rule.ts";
import { routeTable } from "./rtnetlink/values.ts";
import { writeSysctl } from "./sysctl.ts";

const pods = Number(process.argv[2] ?? 200);
const gateway = parseIpv4("169.254.1.1");
const everything = parseCidr("0.0.0.0/0");
const random = seededRandom(1);
const times = new Map<string, number[]>();

function timed<T>(step: string, work: () => T): T {
  const start = performance.now();
  const result = work();
  const list = times.get(step) ?? [];
  list.push((performance.now() - start) * 1000);
  times.set(step, list);
  return result;
}

function wire(node: Netns, inNode: Rtnetlink, pod: Netns, number: number): void {
  const address: Ipv4 = ipv4(parseIpv4("10.0.0.0") + number);
  const hostName = `eni${number}`;
  const mac = randomMac(random);
  using inPod = timed("open a netlink socket in the pod", () => Rtnetlink.open(pod));
  const { index, peerIndex } = timed("veth pair", () =>
    inPod.addVeth({
      name: "eth0",
      mtu: 9001,
      up: true,
      txQueueLength: 0,
      peer: { name: hostName, mac, mtu: 9001, netns: node },
    }),
  );
  timed("3 sysctls of the host end", () => {
    for (const [key, value] of [
      ["accept_ra", 0],
      ["accept_redirects", 1],
      ["forwarding", 0],
    ] as const)
      writeSysctl(`net/ipv6/conf/${hostName}/${key}`, value, node);
  });
  timed("host end up, route, 2 rules", () =>
    inNode.batch([
      setLinkRequest(peerIndex, { up: true }),
      replaceRouteRequest({ destination: hostCidr(address), interfaceIndex: peerIndex }),
      addRuleRequest({ family: 4, priority: 512, to: hostCidr(address), table: routeTable.main }),
      addRuleRequest({ family: 4, priority: 1536, from: hostCidr(address), table: 2 }),
    ]),
  );
  timed("pod: 2 routes, address, neighbour", () =>
    inPod.batch([
      addRouteRequest({ destination: hostCidr(gateway), interfaceIndex: index, scope: "link" }),
      addRouteRequest({ destination: everything, gateway, interfaceIndex: index }),
      addAddressRequest({ interfaceIndex: index, address, bits: 32 }),
      replaceNeighbourRequest({ interfaceIndex: index, address: gateway, mac }),
    ]),
  );
}

const node = Netns.create();
const inNode = Rtnetlink.open(node);
const open: Netns[] = [];
for (let number = 1; number <= pods; number++) {
  const pod = timed("make a namespace", () => Netns.create());
  open.push(pod);
  timed("wire the pod, all told", () => wire(node, inNode, pod, number));
}
timed(`list ${inNode.rules(4).length} rules`, () => inNode.rules(4));
timed(`list ${inNode.routes().length} routes`, () => inNode.routes());
timed(`list ${inNode.links().length} links`, () => inNode.links());
timed("one link by name", () => inNode.linkByName("eni1"));
for (const ns of open) ns.close();
inNode.close();
node.close();

for (const [step, list] of times) {
  const sorted = list.toSorted((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(0).padStart(7);
  process.stdout.write(`${step.padEnd(36)} p50 ${at(0.5)} us   p99 ${at(0.99)} us\n`);
}
