import { cidrContains, cidrsOverlap, parseCidr4 } from "../addr/cidr.ts";
import { EniverseError } from "../base/error.ts";
import { effectiveSettings } from "../ipam/settings.ts";
import { instanceLimits, similarInstanceTypes } from "../limits/instance-types.ts";
import { settingsFromEnv } from "./aws-node-env.ts";
import { type NodeGroupScenario, type Scenario, usualLatencies } from "./scenario.ts";
import { formatSpan } from "./time-span.ts";

/**
 * Checks what a schema cannot: blocks that fit and lie apart, names that lead somewhere, known instance types,
 * settings that agree. Throws `invalid_argument` with the field, the value and what is allowed.
 */
export function checkScenario(scenario: Scenario): void {
  const { vpc, nodeGroups, workloads, faults, awsNode, durationMs, sampleMs } = scenario;
  const subnets = vpc.subnets.map(({ name }) => name);
  const groups = nodeGroups.map(({ name }) => name);
  refuseTwins("vpc.subnets", subnets);
  refuseTwins("nodeGroups", groups);
  checkBlocks(scenario);
  if (!(durationMs > 0)) throw bad("duration", durationMs, "more than 0");
  if (!(sampleMs > 0) || durationMs / sampleMs > 100_000) {
    throw bad("sample", `${sampleMs} ms`, `at least ${durationMs / 100_000} ms`);
  }
  for (const group of nodeGroups) checkGroup(group, scenario, subnets);
  for (const [zone, subnet] of Object.entries(awsNode.eniConfigs)) {
    named(`awsNode.eniConfigs.${zone}`, subnet, subnets);
    const at = vpc.subnets.find(({ name }) => name === subnet)?.zone;
    if (at !== zone)
      throw bad(`awsNode.eniConfigs.${zone}`, `${subnet}, which is in ${at}`, `a subnet of ${zone}`);
  }
  for (const [index, workload] of workloads.entries()) {
    const field = `workloads (${workload.name})`;
    if (workload.nodeGroup !== undefined) named(`${field}.nodeGroup`, workload.nodeGroup, groups);
    if (workload.kind === "jobs" && !(workload.everyMs > 0)) throw bad(`${field}.every`, "0", "more than 0");
    if (workloads.findIndex(({ name }) => name === workload.name) !== index) {
      throw bad("workloads", `two named ${workload.name}`, "every name once");
    }
  }
  checkEc2(scenario);
  checkOrder(scenario);
  for (const fault of faults) {
    const field = `faults.${faultForms[fault.kind]}`;
    if (!(fault.atMs >= 0)) throw bad(`${field}.at`, `${fault.atMs} ms`, "0 or more");
    if (fault.kind === "calls") checkPattern(`${field}.action`, fault.action);
    if (fault.kind === "fill") named("faults.fills.subnet", fault.subnet, subnets);
    if (fault.kind === "interruption") named("faults.interruptions.nodeGroup", fault.nodeGroup, groups);
    if (fault.kind === "calls" && fault.untilMs < fault.atMs) {
      throw bad("faults.calls.until", `${fault.untilMs} ms`, `at least its start, ${fault.atMs} ms`);
    }
  }
}

/** What nodes call, in a simulation as in a lab. */
const actions = Object.keys(usualLatencies).filter((name) => name !== "attach" && name !== "detach");

function checkEc2({ ec2 }: Scenario): void {
  for (const name of Object.keys(ec2.latencies)) {
    if (!(name in usualLatencies))
      throw bad("ec2.latencies", name, `one of ${[...actions, "attach", "detach"].join(", ")}`);
  }
  for (const name of Object.keys(ec2.buckets)) {
    if (!actions.includes(name)) throw bad("ec2.throttling", name, `one of ${actions.join(", ")}`);
  }
}

/** An action by name, or with `*` for any text, that some call of a node bears. */
function checkPattern(field: string, pattern: string): void {
  const parts = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const matches = new RegExp(`^${parts.join(".*")}$`);
  if (actions.some((action) => matches.test(action))) return;
  throw bad(field, pattern, `one of ${actions.join(", ")}, or a part of one with *`);
}

function checkOrder({ workloads }: Scenario): void {
  for (const workload of workloads) {
    const field = `workloads (${workload.name})`;
    if (workload.kind === "jobs" && workload.untilMs < workload.fromMs) {
      throw bad(`${field}.until`, formatSpan(workload.untilMs), `${formatSpan(workload.fromMs)} or later`);
    }
    if (workload.kind === "trace") inOrder(`${field}.events`, workload.events.map(timeOf));
    if (workload.kind !== "deployment") continue;
    inOrder(`${field}.scale`, workload.scale.map(timeOf));
    inOrder(`${field}.rollouts`, workload.rolloutsMs);
  }
}

const timeOf = ({ atMs }: { readonly atMs: number }): number => atMs;

/**
 * Refuses what would never happen because the run has ended by then. A recorded trace may be longer; and a program
 * may cut a scenario short, so that only files are held to this.
 */
export function checkTimes({ workloads, faults, durationMs }: Scenario): void {
  for (const workload of workloads) {
    const field = `workloads (${workload.name})`;
    if (workload.kind === "jobs") inTime(`${field}.from`, workload.fromMs, durationMs);
    if (workload.kind === "burst" || workload.kind === "deployment")
      inTime(`${field}.at`, workload.atMs, durationMs);
    if (workload.kind !== "deployment") continue;
    for (const { atMs } of workload.scale) inTime(`${field}.scale`, atMs, durationMs);
    for (const atMs of workload.rolloutsMs) inTime(`${field}.rollouts`, atMs, durationMs);
  }
  for (const { kind, atMs } of faults) inTime(`faults.${faultForms[kind]}.at`, atMs, durationMs);
}

const faultForms = { calls: "calls", fill: "fills", interruption: "interruptions" } as const;

function inTime(field: string, atMs: number, durationMs: number): void {
  if (atMs <= durationMs) return;
  throw bad(field, formatSpan(atMs), `within the duration, ${formatSpan(durationMs)}`);
}

function inOrder(field: string, times: readonly number[]): void {
  const early = times.findIndex((time, index) => time < (times[index - 1] ?? 0));
  if (early < 0) return;
  const before = times[early - 1] ?? 0;
  throw bad(
    `${field}.${early}`,
    `${formatSpan(times[early] ?? 0)}, out of order`,
    `${formatSpan(before)} or later`,
  );
}

function checkBlocks({ vpc }: Scenario): void {
  const blocks = vpc.cidrs.map((cidr, index) => block(`vpc.cidrs.${index}`, cidr));
  const subnets = vpc.subnets.map(({ name, cidr }) => ({
    name,
    cidr: block(`vpc.subnets (${name})`, cidr),
    text: cidr,
  }));
  for (const [index, subnet] of subnets.entries()) {
    const field = `vpc.subnets (${subnet.name}).cidr`;
    if (!blocks.some((outer) => cidrContains(outer, subnet.cidr))) {
      throw bad(field, subnet.text, `a block inside ${vpc.cidrs.join(", ")}`);
    }
    const other = subnets.slice(0, index).find(({ cidr }) => cidrsOverlap(cidr, subnet.cidr));
    if (other !== undefined)
      throw bad(field, subnet.text, `a block apart from ${other.text} of ${other.name}`);
  }
}

function block(field: string, text: string): ReturnType<typeof parseCidr4> {
  let cidr: ReturnType<typeof parseCidr4>;
  try {
    cidr = parseCidr4(text);
  } catch {
    throw bad(field, JSON.stringify(text), "an IPv4 block, as 10.0.0.0/16");
  }
  if (cidr.bits < 16 || cidr.bits > 28) throw bad(field, text, "a block of /16 to /28, as EC2 allows");
  return cidr;
}

function checkGroup(group: NodeGroupScenario, scenario: Scenario, subnets: readonly string[]): void {
  const field = `nodeGroups (${group.name})`;
  const limits = instanceLimits(group.instanceType);
  if (limits === undefined) {
    const similar = similarInstanceTypes(group.instanceType);
    throw bad(
      `${field}.instanceType`,
      group.instanceType,
      `a known instance type${similar.length === 0 ? "" : `, perhaps ${similar.join(", ")}`}`,
    );
  }
  for (const subnet of group.subnets) named(`${field}.subnets`, subnet, subnets);
  if (!(group.min <= group.count && group.count <= group.max)) {
    throw bad(`${field}.count`, group.count, `between min (${group.min}) and max (${group.max})`);
  }
  const input = settingsFromEnv({ ...scenario.awsNode.env, ...group.env }, `awsNode.env (${group.name})`);
  effectiveSettings(input, limits);
  const { warmIpTarget = 0, minimumIpTarget = 0, warmPrefixTarget = 1 } = input;
  // The entrypoint of aws-node ends the container for this.
  if (input.prefixDelegation === true && warmIpTarget + minimumIpTarget + warmPrefixTarget === 0) {
    throw bad(
      `awsNode.env (${group.name})`,
      "WARM_IP_TARGET, MINIMUM_IP_TARGET and WARM_PREFIX_TARGET all 0 with ENABLE_PREFIX_DELEGATION",
      "one of them above 0",
    );
  }
  if (input.customNetworking !== true) return;
  for (const name of group.subnets) {
    const zone = scenario.vpc.subnets.find((subnet) => subnet.name === name)?.zone ?? "";
    if (scenario.awsNode.eniConfigs[zone] === undefined) {
      throw bad("awsNode.eniConfigs", `no subnet for ${zone}`, "one for every zone that has nodes");
    }
  }
}

function named(field: string, name: string, known: readonly string[]): void {
  if (!known.includes(name)) throw bad(field, JSON.stringify(name), `one of ${known.join(", ")}`);
}

function refuseTwins(field: string, names: readonly string[]): void {
  const twin = names.find((name, index) => names.indexOf(name) !== index);
  if (twin !== undefined) throw bad(field, `two named ${twin}`, "every name once");
}

function bad(field: string, found: string | number, wanted: string): EniverseError {
  return new EniverseError("invalid_argument", {
    attempted: `use ${field}`,
    found: String(found),
    wanted,
    facts: { field },
  });
}
