import { expect, test } from "bun:test";
import type { Event, Node, Pod } from "../kube/resources.ts";
import { nodeProblems } from "./node-problems.ts";

const node = (name: string): Node => ({ apiVersion: "v1", kind: "Node", metadata: { name } });
const awsNode = (nodeName: string, ready: "True" | "False"): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: `aws-node-${nodeName}`, namespace: "kube-system" },
  spec: { nodeName, containers: [] },
  status: { conditions: [{ type: "Ready", status: ready, lastTransitionTime: "2026-01-01T12:05:00Z" }] },
});
const warning = (on: string, at: string, reason: string): Event => ({
  apiVersion: "v1",
  kind: "Event",
  metadata: { name: reason, namespace: "kube-system" },
  involvedObject: { kind: "Pod", name: `aws-node-${on}` },
  type: "Warning",
  reason,
  message: "why",
  eventTime: `2026-01-01T${at}:00.000000Z`,
  reportingComponent: "aws-node",
  reportingInstance: on,
});
const noon = Date.parse("2026-01-01T12:06:00Z");

test("a node's problem is the last warning of its aws-node pod", () => {
  const events = [
    warning("a", "12:02", "ENIConfigNotFound"),
    warning("a", "12:04", "SubnetNotFound"),
    warning("b", "12:03", "ENIConfigNotFound"),
  ];
  const found = nodeProblems([node("a"), node("c")], [awsNode("a", "False")], events, noon);
  expect([...found]).toEqual([["a", "SubnetNotFound: why"]]);
});

test("what was said before the pod became Ready, or long ago, is over", () => {
  const pods = [awsNode("a", "True"), awsNode("b", "False"), awsNode("c", "True")];
  const events = [
    warning("a", "12:04", "ENIConfigNotFound"),
    warning("b", "11:55", "ENIConfigNotFound"),
    warning("c", "12:06", "InsufficientCidrBlocks"),
  ];
  const found = nodeProblems([node("a"), node("b"), node("c")], pods, events, noon);
  expect([...found.keys()]).toEqual(["c"]);
});
