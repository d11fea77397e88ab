import { EniverseError } from "../../base/error.ts";
import type { Chain } from "./chain.ts";
import { explainAddress, explainEni, explainNode } from "./explain-place.ts";
import { explainPod } from "./explain-pod.ts";
import type { NodeSeen, Observation, PodSeen } from "./observation.ts";

const kinds = "pod/NAME, address/IP, eni/ID or node/NAME";

/** What is asked about: "pod/web-1" of a namespace. */
export interface Question {
  readonly subject: string;
  readonly namespace: string;
}

/** Answers; throws `invalid_argument` for a subject of no known kind and `not_found` for what is not there. */
export function answerWhy(seen: Observation, question: Question): Chain {
  const chain = answer(seen, question);
  if (seen.ec2Blind === undefined) return chain;
  const blind = {
    what: "subnets and ENIs could not be looked at",
    evidence: `EC2 answered: ${seen.ec2Blind}`,
    rule: "what EC2 alone knows is missing from this answer",
  };
  return { ...chain, links: [...chain.links, blind] };
}

function answer(seen: Observation, { subject, namespace }: Question): Chain {
  const [, kind = "", name = ""] = /^([a-z-]+)\/(.+)$/.exec(subject) ?? [];
  switch (kind) {
    case "pod":
    case "pods":
    case "po":
      return explainPod(seen, podNamed(seen, name, namespace));
    case "node":
    case "no":
      return explainNode(seen, nodeNamed(seen, name));
    case "address":
    case "ip":
      return (
        explainAddress(seen, name) ?? missing(`the address ${name}`, "an address of a subnet of the VPC")
      );
    case "eni":
    case "network-interface": {
      const eni = seen.enis.find(({ eniId }) => eniId === name);
      return eni === undefined
        ? missing(`the ENI ${name}`, `one of "eniverse get network-interfaces"`)
        : explainEni(seen, eni);
    }
    default:
      throw new EniverseError("invalid_argument", {
        attempted: `explain ${JSON.stringify(subject)}`,
        found: kind === "" ? "no kind before a slash" : `the kind ${kind}`,
        wanted: kinds,
      });
  }
}

/** The pod of that name; else the one that waits longest of those whose names start so. */
function podNamed(seen: Observation, name: string, namespace: string): PodSeen {
  const [, where = namespace, plain = name] = /^([^/]+)\/(.+)$/.exec(name) ?? [];
  const inNamespace = seen.pods.filter((pod) => pod.namespace === where);
  const exact = inNamespace.find((pod) => pod.name === plain);
  if (exact !== undefined) return exact;
  const similar = inNamespace.filter((pod) => pod.name.startsWith(plain));
  const waiting = similar.filter(({ ready }) => !ready).sort((a, b) => a.createdAt - b.createdAt);
  return waiting[0] ?? similar[0] ?? missing(`the pod ${where}/${plain}`, podsOf(inNamespace));
}

const podsOf = (pods: readonly PodSeen[]): string =>
  pods.length === 0
    ? "a pod; the namespace has none"
    : `one of ${pods
        .slice(0, 5)
        .map(({ name }) => name)
        .join(", ")}`;

function nodeNamed({ nodes }: Observation, name: string): NodeSeen {
  const matches = nodes.filter(
    (node) => node.name.startsWith(name) || node.instanceId === name || node.address === name,
  );
  const [node, ...others] = matches;
  if (node !== undefined && others.length === 0) return node;
  return missing(`the node ${name}`, `one of ${nodes.map((each) => each.name.split(".")[0]).join(", ")}`);
}

function missing(what: string, wanted: string): never {
  throw new EniverseError("not_found", { attempted: `find ${what}`, found: "the lab has none", wanted });
}
