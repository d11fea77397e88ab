import { parseIpv4 } from "../addr/ipv4.ts";
import { Netns } from "../linux/netns.ts";
import { HostNetns } from "./host.ts";
import { setUpPodNetwork } from "./pod-network.ts";

/**
 * For `pod-crash.live.test.ts`: sets a pod up and kills itself, as kill -9 does, before the given change of the
 * host's network. Arguments: the node's and the pod's namespace, the number of the change.
 */
const [nodePath = "", podPath = "", last = ""] = process.argv.slice(2);
using node = Netns.open(nodePath);
const real = HostNetns.open(node);
let changes = 0;
const rt = new Proxy(real.rt, {
  get: (target, name) => {
    const found: unknown = Reflect.get(target, name);
    if (typeof found !== "function") return found;
    return (...args: unknown[]): unknown => {
      if (++changes === Number(last)) process.kill(process.pid, "SIGKILL");
      return found.apply(target, args);
    };
  },
});
const host: HostNetns = Object.create(real, { rt: { value: rt } });
await setUpPodNetwork(host, podPath, [
  {
    index: 0,
    hostName: "enicc21c2d7785",
    containerName: "eth0",
    address: parseIpv4("10.0.2.17"),
    routeTable: 2,
    mtu: 9001,
  },
]);
