import type { Event, Node, Pod } from "../kube/resources.ts";

/** An event older than this tells of something that passed. */
const longestAgeMs = 10 * 60_000;

/**
 * What keeps a node's pods from having addresses, as its aws-node pod last said ("ENIConfigNotFound: …"), by node
 * name. Warnings from before that pod became Ready are over.
 */
export function nodeProblems(
  nodes: readonly Node[],
  awsNodePods: readonly Pod[],
  events: readonly Event[],
  now: number,
): Map<string, string> {
  return new Map(
    nodes.flatMap(({ metadata: { name } }) => {
      const pods = awsNodePods.filter((pod) => pod.spec.nodeName === name);
      const since = Math.max(now - longestAgeMs, ...pods.map(readySince));
      const last = events
        .filter(
          (event) =>
            event.type === "Warning" &&
            event.reportingComponent === "aws-node" &&
            event.reportingInstance === name &&
            timeOf(event) >= since,
        )
        .toSorted((a, b) => timeOf(a) - timeOf(b))
        .at(-1);
      return last === undefined
        ? []
        : [[name, `${last.reason ?? "Warning"}: ${last.message ?? ""}`] as const];
    }),
  );
}

function readySince(pod: Pod): number {
  const ready = pod.status?.conditions?.find(({ type }) => type === "Ready");
  return ready?.status === "True" ? Date.parse(ready.lastTransitionTime ?? "") || 0 : 0;
}

function timeOf(event: Event): number {
  return Date.parse(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? "") || 0;
}
