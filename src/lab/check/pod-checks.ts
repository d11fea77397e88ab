import { mainTable, rulePriority } from "../../hostnet/route-tables.ts";
import { egressDevice } from "../../node/egress/network.ts";
import type { Finding } from "./broken.ts";
import {
  assignedIn,
  assignedTo,
  blockOf,
  describeRule,
  isPodDevice,
  isPodRoute,
  isPodRule,
  nodeWord,
  podWord,
  tableOf,
  vethsOf,
} from "./node-facts.ts";
import type { ApiPod, LabPicture, NodePicture, Sandbox } from "./picture.ts";

const restartAgent = "Restart the node's aws-node pod: at its start ipamd makes its ENIs' routes again";
const anywhere = { 4: "0.0.0.0/0", 6: "::/0" } as const;
const familyOf = (address: string): 4 | 6 => (address.includes(":") ? 6 : 4);
const restartPod = "Delete the pod, so that its network is made anew";

/** No two pods have the same address, whoever is asked. */
export function* oneAddressOnePod({ pods, nodes }: LabPicture): Generator<Finding> {
  const fix = "Delete one of the pods, and report the seed or the steps that led here";
  const claims: (readonly [view: string, address: string, holder: string])[] = [
    ...pods.filter(isLive).flatMap((pod) => pod.ips.map((ip) => ["API server", ip, podWord(pod)] as const)),
    ...nodes.flatMap((node) =>
      assignedIn(node).map(({ address, pod, containerId = "?" }) => {
        const holder = pod === undefined ? containerId.slice(0, 12) : podWord(pod);
        return ["pools", address, `${holder} on ${nodeWord(node)}`] as const;
      }),
    ),
    ...nodes.flatMap((node) =>
      node.sandboxes.flatMap((sandbox) =>
        (sandbox.inside?.addresses ?? []).map(
          (address) => ["pods' namespaces", address, `${podWord(sandbox)} on ${nodeWord(node)}`] as const,
        ),
      ),
    ),
  ];
  const holders = new Map<string, string>();
  for (const [view, address, holder] of claims) {
    // Egress plugins give every pod of a node a link-local address of its own; only the node knows those.
    if (address.startsWith("169.254.") || address.startsWith("fd00::ac:")) continue;
    const key = `${view} ${address}`;
    const other = holders.get(key);
    if (other !== undefined) {
      yield { subject: address, evidence: `${view}: held by ${other} and by ${holder}`, fix };
    }
    holders.set(key, holder);
  }
}

const isLive = (pod: ApiPod): boolean =>
  !pod.hostNetwork && pod.phase !== "Succeeded" && pod.phase !== "Failed";

/** Pods that must have their whole network now. */
function runningPods(picture: LabPicture, node: NodePicture): { pod: ApiPod; sandbox: Sandbox }[] {
  return picture.pods
    .filter(
      (pod) => pod.nodeName === node.nodeName && !pod.hostNetwork && pod.phase === "Running" && !pod.deleting,
    )
    .flatMap((pod) => {
      const sandbox = node.sandboxes.find(({ uid }) => uid === pod.uid);
      return sandbox?.phase === "ready" && !sandbox.deleting ? [{ pod, sandbox }] : [];
    });
}

/** What the API server tells of a pod's address, its kubelet, ipamd and the pod itself tell too. */
export function* sameAddressEverywhere(picture: LabPicture): Generator<Finding> {
  for (const node of picture.nodes) {
    for (const { pod, sandbox } of runningPods(picture, node)) {
      const subject = podWord(pod);
      const [ip] = pod.ips;
      if (ip === undefined) {
        yield {
          subject,
          evidence: "it is Running, and the API server has no address of it",
          fix: restartPod,
        };
        continue;
      }
      const seen = `the API server says ${ip}`;
      if (!sandbox.ips.includes(ip)) {
        yield {
          subject,
          evidence: `${seen}, its kubelet ${sandbox.ips.join(", ") || "none"}`,
          fix: restartPod,
        };
      }
      const inside = sandbox.inside?.addresses ?? [];
      if (!inside.includes(ip)) {
        yield { subject, evidence: `${seen}, in the pod is ${inside.join(", ") || "none"}`, fix: restartPod };
      }
      // egress-cni's device leads out over the family that the pod's own has not.
      const leadOut = sandbox.inside?.defaultDevices.filter((device) => !isEgressDevice(device));
      if (leadOut !== undefined && leadOut.length !== 1) {
        const routes = leadOut.join(", ") || "none";
        yield { subject, evidence: `default routes in the pod: ${routes}`, fix: restartPod };
      }
      if (node.pool === undefined) continue;
      const pooled = assignedTo(node, sandbox).map(({ address }) => address);
      if (!pooled.includes(ip)) {
        yield {
          subject,
          evidence: `${seen}, ipamd has ${pooled.join(", ") || "none"} for it`,
          fix: restartPod,
        };
      }
      // Of further network cards only ipamd and the pod know.
      const absent = pooled.filter((address) => address !== ip && !inside.includes(address));
      if (absent.length > 0) {
        yield {
          subject,
          evidence: `ipamd has ${absent.join(", ")} for it, in the pod is ${inside.join(", ") || "none"}`,
          fix: restartPod,
        };
      }
    }
  }
}

/**
 * A running pod has one veth, one route and one rule 512 per address; on secondary ENIs only a rule 1536, to a table
 * that leads out.
 */
export function* wholeHostSide(picture: LabPicture): Generator<Finding> {
  for (const node of picture.nodes) {
    if (node.pool === undefined) continue;
    const { kernel } = node;
    for (const { pod, sandbox } of runningPods(picture, node)) {
      const entries = assignedTo(node, sandbox);
      const veths = vethsOf(node, sandbox, entries.length);
      const tell = (evidence: string): Finding => ({
        subject: `${podWord(pod)} on ${nodeWord(node)}`,
        evidence,
        fix: restartPod,
      });
      for (const name of veths) {
        const link = kernel.links.find((candidate) => candidate.name === name);
        if (link === undefined) yield tell(`it has no device ${name}`);
        else if (!link.up) yield tell(`its device ${name} is down`);
      }
      for (const [index, entry] of entries.entries()) {
        const block = blockOf(entry.address);
        const routes = kernel.routes.filter(
          ({ destination, table }) => destination === block && table === mainTable,
        );
        const devices = routes.map(({ device }) => device);
        if (devices.length !== 1 || devices[0] !== veths[index]) {
          yield tell(
            `routes to ${entry.address} lead to ${devices.join(", ") || "nowhere"}, not to ${veths[index]}`,
          );
        }
        const table = tableOf(entry);
        const wanted = [
          `${rulePriority.toPod}: from all to ${block} lookup ${mainTable}`,
          ...(table === mainTable ? [] : [`${rulePriority.fromPod}: from ${block} lookup ${table}`]),
        ];
        const found = kernel.rules
          .filter((rule) => isPodRule(rule) && (rule.to === block || rule.from === block))
          .map(describeRule);
        if ([...found].sort().join() !== wanted.sort().join()) {
          yield tell(`its rules are [${found.join("; ")}], wanted [${wanted.join("; ")}]`);
        }
        const leadsOut = kernel.routes.some(
          (route) => route.table === table && route.destination === anywhere[familyOf(entry.address)],
        );
        if (table !== mainTable && !leadsOut) {
          yield {
            ...tell(`table ${table}, by which ${entry.address} leaves, has no default route`),
            fix: restartAgent,
          };
        }
      }
    }
  }
}

/** Nothing on a node is for a pod that is not there. */
export function* nothingWithoutPod({ nodes }: LabPicture): Generator<Finding> {
  for (const node of nodes) {
    if (node.blind.some(({ view }) => view === "kernel")) continue;
    const owned = node.sandboxes.filter(({ hostNetwork }) => !hostNetwork);
    const names = new Set(
      owned.flatMap((sandbox) => vethsOf(node, sandbox, assignedTo(node, sandbox).length)),
    );
    const pooled = assignedIn(node)
      .filter(({ containerId }) => owned.some(({ id }) => id === containerId))
      .map(({ address }) => address);
    const addresses = new Set([
      ...pooled,
      ...owned.flatMap(({ ips, inside }) => [...ips, ...(inside?.addresses ?? [])]),
    ]);
    const blocks = new Set([...addresses].map(blockOf));
    const fix =
      "Restart the node's aws-node pod; what it then leaves, delete by hand (ip link, ip route, ip rule)";
    const on = `on ${nodeWord(node)}`;
    for (const { name } of node.kernel.links) {
      if (!isPodDevice(node, name) || names.has(name)) continue;
      yield {
        subject: `${name} ${on}`,
        evidence: `the device ${name} belongs to no pod of the kubelet`,
        fix,
      };
    }
    for (const route of node.kernel.routes) {
      if (!isPodRoute(node, route) || blocks.has(route.destination)) continue;
      const evidence = `the route ${route.destination} dev ${route.device} belongs to no pod of the kubelet`;
      yield { subject: `${route.destination} ${on}`, evidence, fix };
    }
    for (const rule of node.kernel.rules) {
      const block = rule.to ?? rule.from;
      if (!isPodRule(rule) || block === undefined || blocks.has(block)) continue;
      yield {
        subject: `${describeRule(rule)} ${on}`,
        evidence: `the rule "${describeRule(rule)}" belongs to no pod of the kubelet`,
        fix,
      };
    }
  }
}

/** Kubelets and the API server have the same pods. */
export function* kubeletsAgree({ pods, nodes }: LabPicture): Generator<Finding> {
  for (const node of nodes) {
    const bound = pods.filter(({ nodeName }) => nodeName === node.nodeName);
    for (const sandbox of node.sandboxes) {
      if (bound.some(({ uid }) => uid === sandbox.uid)) continue;
      yield {
        subject: `${podWord(sandbox)} on ${nodeWord(node)}`,
        evidence: `the kubelet has a pod (uid ${sandbox.uid}) that the API server does not know`,
        fix: "Wait for the kubelet to hear of it; see /var/log/kubelet.log on the node",
      };
    }
    for (const pod of bound) {
      if (pod.phase !== "Running" || pod.deleting) continue;
      if (node.sandboxes.some(({ uid, phase }) => uid === pod.uid && phase === "ready")) continue;
      yield {
        subject: `${podWord(pod)} on ${nodeWord(node)}`,
        evidence: "the API server says Running, and its kubelet has no sandbox of it",
        fix: "See /var/log/kubelet.log on the node; delete the pod",
      };
    }
  }
}

function isEgressDevice(device: string): boolean {
  return device === egressDevice[4] || device === egressDevice[6];
}
