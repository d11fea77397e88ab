import type { DecisionEntry } from "../../node/ipamd/decision-log.ts";
import type { Link } from "./chain.ts";
import { growthActions, growthNotes, noteLink } from "./decisions.ts";
import { entryOf } from "./explain-assigned.ts";
import { ec2CodeIn, ruleForCode } from "./explain-ec2.ts";
import type { EventSeen, NodeSeen, PodSeen, SandboxSeen } from "./observation.ts";
import { counted } from "./words.ts";

/** A pod that has its address within this time has not waited. */
const promptMs = 3_000;

/** ipamd leaves a subnet without room alone for so long; other failures keep it for less. */
const longestBackOffMs = 120_000;

const sandboxFailures = (pod: PodSeen): EventSeen[] =>
  pod.events.filter(({ reason }) => reason === "FailedCreatePodSandBox");

const countOf = (failures: readonly EventSeen[]): number =>
  failures.reduce((sum, event) => sum + event.count, 0);

/** For a pod that waits: what the kubelet came to. */
export function refusalLinks(pod: PodSeen, noSandbox: boolean, now: number): Link[] {
  const failures = sandboxFailures(pod);
  const last = failures.at(-1);
  const rule =
    "the kubelet makes a sandbox, calls the CNI plugin for its network and tries again when it fails";
  if (last === undefined) {
    return [
      {
        what: noSandbox
          ? "the kubelet has made no sandbox for it"
          : "its sandbox waits for the CNI plugin's answer",
        evidence: "the kubelet's notes on the node; no FailedCreatePodSandBox event",
        rule: `${rule}; ipamd lets a pod wait some seconds for an address that may be on its way`,
      },
    ];
  }
  return [
    {
      what: `the kubelet could not make its sandbox: ${counted(countOf(failures), "try")} in ${seconds(now - pod.createdAt)}`,
      evidence: `event FailedCreatePodSandBox: ${shorten(last.message)}`,
      rule,
    },
  ];
}

/** For a pod that has its address now: how long it waited, and what ipamd met with meanwhile. */
export function waitedLinks(pod: PodSeen, node: NodeSeen, sandbox: SandboxSeen | undefined): Link[] {
  const failures = sandboxFailures(pod);
  const last = failures.at(-1);
  const given = Date.parse(entryOf(pod, node, sandbox)?.assignedAt ?? "");
  const until = Number.isNaN(given) ? last?.lastAt : given;
  if (until === undefined || (last === undefined && until - pod.createdAt < promptMs)) return [];
  const waited: Link = {
    what: `it waited ${seconds(until - pod.createdAt)} for its address${last === undefined ? "" : `; ${counted(countOf(failures), "sandbox")} failed before`}`,
    evidence:
      last === undefined
        ? "its creation, and when ipamd gave it the address"
        : `event FailedCreatePodSandBox: ${shorten(last.message)}`,
    rule: "ipamd lets a pod wait for an address that may be on its way; after a failure the kubelet tries again",
  };
  const decisions = node.ipamd.answers ? node.ipamd.decisions : [];
  return [waited, ...meanwhile(node, decisions, pod.createdAt, until)];
}

/**
 * The failure of growth that was in force between two times: its back-off may reach into a wait that began after it.
 * Else what kept ipamd from growing at the later time.
 */
function meanwhile(node: NodeSeen, decisions: readonly DecisionEntry[], from: number, until: number): Link[] {
  const before = decisions.filter(({ time }) => Date.parse(time) <= until);
  const growth = growthActions(before);
  const succeeded = growth.findLastIndex(
    ({ time, outcome }) => outcome?.kind !== "failed" && Date.parse(time) < from,
  );
  const failed = growth
    .slice(succeeded + 1)
    .findLast(
      ({ time, outcome }) => outcome?.kind === "failed" && Date.parse(time) >= from - longestBackOffMs,
    );
  if (failed?.outcome?.kind === "failed") {
    const { error } = failed.outcome;
    const known = ec2CodeIn(error);
    return [
      {
        what:
          known === undefined
            ? "meanwhile ipamd could not carry out what it decided"
            : `meanwhile EC2 refused ${known.call}: ${known.code}`,
        evidence: `ipamd /v1/decisions, ${failed.time}: ${shorten(error)}`,
        rule: ruleForCode(known?.code ?? ""),
      },
    ];
  }
  const last = before.findLast(({ kind }) => kind === "not-done");
  return growthNotes(last === undefined ? [] : [last.reason]).map((note) => noteLink(node, note));
}

const seconds = (ms: number): string => `${Math.max(0, Math.round(ms / 1000))} s`;

const shorten = (text: string): string => (text.length > 240 ? `…${text.slice(-240)}` : text);
