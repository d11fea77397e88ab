import { ipv4, parseIpv4 } from "../addr/ipv4.ts";
import { HostNetns } from "../hostnet/host.ts";
import { type PodInterface, setUpPodNetwork, tearDownPodNetwork } from "../hostnet/pod-network.ts";
import { FreshNamespaces } from "./fresh-namespaces.ts";
import { rounded, type Section } from "./report.ts";
import { summarise } from "./statistics.ts";

const firstAddress = parseIpv4("10.0.32.10");
/** Table of the second ENI: pods of it have a rule more than those of the primary one. */
const routeTable = 2;

/** What ipamd does in the kernel for each pod, without plugin, pool and checkpoint. */
export const wiring: Section = {
  name: "wiring",
  title: "Wiring a pod, alone",
  run: async ({ quick }) => {
    const pods = quick ? 50 : 300;
    const setUp: number[] = [];
    const tearDown: number[] = [];
    using namespaces = new FreshNamespaces();
    const node = namespaces.make("node");
    using host = HostNetns.open(node);
    const wired: PodInterface[] = [];
    for (let pod = 0; pod < pods; pod++) {
      const netns = namespaces.make(`pod-${pod}`);
      const wanted = podInterface(pod);
      const start = performance.now();
      await setUpPodNetwork(host, netns.path, [wanted]);
      setUp.push(performance.now() - start);
      wired.push(wanted);
    }
    for (const pod of wired) {
      const start = performance.now();
      tearDownPodNetwork(host, [pod]);
      tearDown.push(performance.now() - start);
    }
    const steps = { "set up": summarise(setUp), "tear down": summarise(tearDown) };
    return {
      about:
        `${pods} pods after each other in one fresh node namespace, each in a fresh namespace of its own: veth pair, ` +
        "addresses, routes, neighbour, rules and IPv6 settings over netlink. Taking down removes rules and routes; the veth pair goes with the pod's namespace.",
      table: {
        columns: ["Step (ms)", "p50", "p99", "max"],
        rows: Object.entries(steps).map(([step, { p50, p99, max }]) => [
          step,
          ...[p50, p99, max].map(rounded),
        ]),
      },
      goals: [],
      raw: { setUp, tearDown },
    };
  },
};

function podInterface(pod: number): PodInterface {
  return {
    index: 0,
    hostName: `eni${pod.toString(16).padStart(11, "0")}`,
    containerName: "eth0",
    address: ipv4(firstAddress + pod),
    routeTable,
    mtu: 9001,
  };
}
