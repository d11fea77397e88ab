import { EniverseError } from "../../base/error.ts";
import type { Chain } from "./chain.ts";
import { explainAddress } from "./explain-address.ts";
import { explainEni } from "./explain-eni.ts";
import { explainNode } from "./explain-node.ts";
import { explainPod } from "./explain-pod.ts";
import type { NodeSeen, Observation, PodSeen } from "./observation.ts";
import type { Subject } from "./subject.ts";
import { shortName } from "./words.ts";

/** Pure: answers; throws `not_found` for what is not there. */
export function answerWhy(seen: Observation, subject: Subject): Chain {
  const chain = answer(seen, subject);
  if (seen.ec2Blind === undefined) return chain;
  const blind = {
    what: "subnets and ENIs could not be looked at",
    evidence: `EC2 answered: ${seen.ec2Blind}`,
    rule: "what EC2 alone knows is missing from this answer",
  };
  return { ...chain, links: [...chain.links, blind] };
}

function answer(seen: Observation, subject: Subject): Chain {
  switch (subject.kind) {
    case "pod":
      return explainPod(seen, podNamed(seen, subject.name, subject.namespace));
    case "node":
      return explainNode(seen, nodeNamed(seen, subject.name));
    case "address":
      return (
        explainAddress(seen, subject.address) ??
        missing(
          `who holds ${subject.address}`,
          "it is in none of the VPC's subnets",
          `an address of ${seen.subnets.flatMap(({ cidr, ipv6Cidr }) => [cidr, ipv6Cidr ?? []].flat()).join(", ")}`,
        )
      );
    case "eni": {
      const eni = seen.enis.find(({ eniId }) => eniId === subject.eniId);
      return eni === undefined
        ? missing(
            `the ENI ${subject.eniId}`,
            "EC2 has none of that id",
            'one of "eniverse get network-interfaces"',
          )
        : explainEni(seen, eni);
    }
  }
}

/** The pod of that name; else the one that waits longest of those whose names start so. */
function podNamed(seen: Observation, name: string, namespace: string): PodSeen {
  const inNamespace = seen.pods.filter((pod) => pod.namespace === namespace);
  const exact = inNamespace.find((pod) => pod.name === name);
  if (exact !== undefined) return exact;
  const similar = inNamespace.filter((pod) => pod.name.startsWith(name));
  const waiting = similar.filter(({ ready }) => !ready).sort((a, b) => a.createdAt - b.createdAt);
  const found = waiting[0] ?? similar[0];
  if (found !== undefined) return found;
  const elsewhere = seen.pods.find((pod) => pod.name.startsWith(name));
  return missing(
    `the pod ${namespace}/${name}`,
    elsewhere === undefined
      ? "no pod's name starts so"
      : `one in another namespace: pod/${elsewhere.namespace}/${elsewhere.name}`,
    podsOf(inNamespace, namespace),
  );
}

function podsOf(pods: readonly PodSeen[], namespace: string): string {
  if (pods.length === 0) return `a pod; the namespace ${namespace} has none`;
  const names = pods.slice(0, 5).map(({ name }) => name);
  return `one of ${names.join(", ")}${pods.length > 5 ? ", …" : ""}`;
}

function nodeNamed({ nodes }: Observation, name: string): NodeSeen {
  const exact = nodes.find((node) => node.name === name || shortName(node.name) === name);
  if (exact !== undefined) return exact;
  const matches = nodes.filter(
    (node) => node.name.startsWith(name) || node.instanceId === name || node.address === name,
  );
  const [node, ...others] = matches;
  if (node !== undefined && others.length === 0) return node;
  return missing(
    `the node ${name}`,
    matches.length === 0
      ? "no node of that name, address or instance"
      : `${matches.length} nodes that start so`,
    nodes.length === 0
      ? "a node; the lab has none"
      : `one of ${nodes.map((each) => shortName(each.name)).join(", ")}`,
  );
}

function missing(what: string, found: string, wanted: string): never {
  throw new EniverseError("not_found", { attempted: `find ${what}`, found, wanted });
}
