import type { ChainEnd, Link } from "./chain.ts";
import { answerEnd, ec2CodeIn } from "./explain-ec2.ts";
import { explainPool } from "./explain-pool.ts";
import type { NodeSeen, Observation, PodSeen } from "./observation.ts";
import { staleEnd } from "./stale-metadata.ts";
import { shortName } from "./words.ts";

/** Why a node cannot give an address to `waiting` pods now: from the aws-node pod down to the setting or EC2. */
export function explainNodeNetwork(seen: Observation, node: NodeSeen, waiting: number): ChainEnd {
  const { ipamd, awsNode } = node;
  if (node.silent) return silentEnd(node);
  if (ipamd.answers) return explainPool(seen, node, ipamd, waiting);
  const name = shortName(node.name);
  const conditions: Link[] = node.ready
    ? []
    : [
        {
          what: `${name} is not Ready`,
          evidence: `Node ${node.name}, condition Ready: ${node.readyMessage}`,
          rule: "a node is Ready when the network plugin is set up, which aws-node does when ipamd answers",
        },
      ];
  if (awsNode === undefined) {
    const homeless = seen.pods.filter(
      (pod) =>
        pod.namespace === "kube-system" && pod.name.startsWith("aws-node-") && pod.nodeName === undefined,
    );
    const why = homeless.flatMap(({ name: pod, events }) => {
      const event = events.findLast(({ reason }) => reason === "FailedScheduling");
      return event === undefined ? [] : [`; ${pod} waits for a node: ${event.message}`];
    });
    return {
      cause: "aws-node-missing",
      summary: `no aws-node pod runs on ${name}, so nothing gives addresses there`,
      links: [
        ...conditions,
        {
          what: `the DaemonSet aws-node has no pod on ${name}`,
          evidence: `pods of kube-system with the label k8s-app=aws-node${why.join("")}`,
          rule: "ipamd is a container of aws-node; without it the plugin has nobody to ask",
        },
      ],
      change: [
        "See kubectl describe ds aws-node -n kube-system: selectors and tolerations must take this node",
      ],
    };
  }
  const down: Link = {
    what: `ipamd of ${name} does not answer`,
    evidence: `${node.ipamd.answers ? "" : node.ipamd.why}; ${describeAwsNode(awsNode)}`,
    rule: "the plugin asks ipamd for every address; while it is down, every ADD fails",
  };
  const links = [...conditions, down];
  return (
    missingEniConfig(seen, node, links) ??
    refusedByEc2(seen, node, awsNode, links) ??
    staleEnd(seen, node, [], links) ?? {
      cause: node.ready ? "ipamd-down" : "network-plugin-not-ready",
      summary: node.ready
        ? `ipamd of ${name} is down`
        : `the network plugin of ${name} is not ready: ipamd has not come up`,
      links: [...links, ...lastWords(node)],
      change: [
        `Look at its log: kubectl logs -n kube-system ${awsNode.name} -c aws-node, and /var/log/aws-routed-eni/ipamd.log on the node`,
        `Start it afresh: kubectl delete pod -n kube-system ${awsNode.name}`,
        "eniverse break --list: is it kept down on purpose?",
      ],
    }
  );
}

/** The kubelet says nothing any more: what ipamd has does not matter then. */
function silentEnd(node: NodeSeen): ChainEnd {
  const name = shortName(node.name);
  return {
    cause: "node-not-ready",
    summary: `the kubelet of ${name} does not report any more: nothing is started or ended there`,
    links: [
      {
        what: `${name} is not Ready: its state is unknown`,
        evidence: `Node ${node.name}, condition Ready: Unknown, ${node.readyMessage}`,
        rule: "a node that has not been heard of for 40 s is unreachable; its pods are evicted after their toleration, five minutes by default",
      },
    ],
    change: [
      `Look whether ${node.instanceId} runs and reaches the API server; replace it otherwise`,
      "eniverse break --list: is it cut off on purpose?",
    ],
  };
}

function describeAwsNode(pod: PodSeen): string {
  const state = pod.ready ? "Ready" : `not Ready, ${pod.phase}`;
  const waits = pod.containers.length === 0 ? "" : `, ${pod.containers.join("; ")}`;
  return `pod ${pod.namespace}/${pod.name} is ${state}, ${pod.restarts} restarts${waits}`;
}

function lastWords({ ipamd }: NodeSeen): Link[] {
  if (ipamd.answers || ipamd.lastErrors.length === 0) return [];
  return [
    {
      what: `ipamd said last: ${ipamd.lastErrors.at(-1)}`,
      evidence: "/var/log/aws-routed-eni/ipamd.log on the node",
      rule: "what stops ipamd is in its log; the kubelet starts it again, later and later",
    },
  ];
}

function missingEniConfig(seen: Observation, node: NodeSeen, links: readonly Link[]): ChainEnd | undefined {
  const custom = node.env.AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG;
  if (custom !== "true" || seen.eniConfigs.includes(node.eniConfig)) return undefined;
  const known = seen.eniConfigs.length === 0 ? "there is none" : `there are ${seen.eniConfigs.join(", ")}`;
  return {
    cause: "eniconfig-missing",
    summary: `custom networking is on, and the ENIConfig ${node.eniConfig} that ${shortName(node.name)} asks for does not exist`,
    links: [
      ...links,
      {
        what: `no ENIConfig is called ${node.eniConfig}`,
        evidence: `the cluster's ENIConfigs: ${known}`,
        rule: "with custom networking, pods' ENIs go to the subnet of the node's ENIConfig: named by its label or annotation, else default; without it the node gets none",
        setting: `AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG=true, ENI_CONFIG_LABEL_DEF=${node.env.ENI_CONFIG_LABEL_DEF ?? "k8s.amazonaws.com/eniConfig"}`,
      },
    ],
    change: [
      `Create the ENIConfig ${node.eniConfig} with a subnet of ${node.zone || "the node's zone"}`,
      "Name ENIConfigs after the zones and set ENI_CONFIG_LABEL_DEF=topology.kubernetes.io/zone",
      "Turn custom networking off: AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG=false",
    ],
  };
}

function refusedByEc2(
  seen: Observation,
  node: NodeSeen,
  awsNode: PodSeen,
  links: readonly Link[],
): ChainEnd | undefined {
  const told = awsNode.events.findLast(({ reason }) => reason === "MissingIAMPermissions");
  const witnesses = [
    ...(node.ipamd.answers ? [] : [...node.ipamd.lastErrors].reverse()).map((error) => ({
      error,
      witness: "ipamd.log on the node",
    })),
    ...(told === undefined
      ? []
      : [{ error: told.message, witness: `event MissingIAMPermissions of ${awsNode.name}` }]),
  ];
  for (const witness of witnesses) {
    const known = ec2CodeIn(witness.error);
    if (known === undefined) continue;
    const subnetId = seen.enis.find(({ instanceId }) => instanceId === node.instanceId)?.subnetId;
    return answerEnd(seen, node, known, subnetId, witness, links);
  }
  return undefined;
}
