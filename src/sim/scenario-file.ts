import { Ajv, type ValidateFunction } from "ajv";
import { readYamlForm } from "../base/yaml-form.ts";
import { readTrace } from "./csv-trace.ts";
import { completeScenario } from "./defaults.ts";
import type { FaultScenario, Scenario, Workload } from "./scenario.ts";
import { checkScenario, checkTimes } from "./scenario-check.ts";
import type { ScenarioForm } from "./scenario-form.ts";
import { scenarioSchema } from "./scenario-schema.ts";
import { parseSpan } from "./time-span.ts";

/** Compiled when the first scenario is read: most programs that import this write theirs themselves. */
let compiled: ValidateFunction<ScenarioForm> | undefined;

/**
 * Reads a scenario. `readText` gives the text of a file that it names (CSV traces), by the path as written.
 * Throws `invalid_argument` naming the file and the line, or the field, with what was found and what is allowed.
 */
export function readScenario(text: string, file: string, readText: (path: string) => string): Scenario {
  compiled ??= new Ajv({ allErrors: true, verbose: true }).compile<ScenarioForm>(scenarioSchema);
  const form = readYamlForm(text, file, compiled, "docs/simulate.md");
  const durationMs = span(form.duration, "duration") ?? 600_000;
  const sampleMs = span(form.sample, "sample");
  const throttling = form.ec2?.throttling;
  const scenario = completeScenario({
    name: form.name ?? file.replace(/^.*\//, "").replace(/\.ya?ml$/, ""),
    durationMs,
    ...given({ description: form.description, seed: form.seed, driver: form.driver, sampleMs }),
    ...(form.vpc === undefined ? {} : { vpc: vpcOf(form.vpc) }),
    nodeGroups: (form.nodeGroups ?? [{ name: "workers" }]).map((group, index) => {
      const { boot, startAt, scaleDownAfter, count, ...rest } = group;
      const at = `nodeGroups.${index}`;
      return {
        ...rest,
        count: count ?? rest.min ?? 3,
        ...given({
          bootMs: span(boot, `${at}.boot`),
          startAtMs: span(startAt, `${at}.startAt`),
          scaleDownAfterMs: span(scaleDownAfter, `${at}.scaleDownAfter`),
        }),
      };
    }),
    ...given({ awsNode: form.awsNode, scheduler: form.scheduler }),
    workloads: workloadsOf(form, durationMs, readText),
    ec2: {
      ...given({
        addressChoice: form.ec2?.addressChoice,
        latencies: form.ec2?.latencies,
        imdsLag: form.ec2?.imdsLag,
      }),
      throttling: throttling !== "off",
      buckets: typeof throttling === "object" ? throttling : {},
      ...(form.ec2?.limits === undefined
        ? {}
        : { limits: { networkInterfaces: 100_000, cidrsPerVpc: 50, ...form.ec2.limits } }),
    },
    faults: faultsOf(form, durationMs),
  });
  // First: a fault without an end ends with the run, and would seem to end before it starts.
  if (scenario.durationMs > 0) checkTimes(scenario);
  checkScenario(scenario);
  return scenario;
}

/** Without the members that are undefined. */
function given<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function span(text: string | undefined, field: string): number | undefined {
  return text === undefined ? undefined : parseSpan(text, field);
}

function vpcOf(form: NonNullable<ScenarioForm["vpc"]>): Scenario["vpc"] {
  const base = completeScenario({ nodeGroups: [] }).vpc;
  return {
    cidrs: form.cidrs ?? base.cidrs,
    subnets:
      form.subnets?.map(({ used, ...subnet }) => ({
        tags: {},
        reservations: [],
        ...subnet,
        usedPercent: used ?? 0,
      })) ?? base.subnets,
  };
}

function workloadsOf(form: ScenarioForm, durationMs: number, readText: (path: string) => string): Workload[] {
  const { bursts = [], deployments = [], jobs = [], traces = [] } = form.workloads ?? {};
  return [
    ...bursts.map(({ at, over, lifetime, ...rest }, index): Workload => {
      const field = `workloads.bursts.${index}`;
      const lifetimeMs = span(lifetime, `${field}.lifetime`);
      return {
        kind: "burst",
        ...rest,
        atMs: span(at, `${field}.at`) ?? 0,
        overMs: span(over, `${field}.over`) ?? 0,
        ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
      };
    }),
    ...deployments.map(
      ({ at, scale = [], rollouts = [], maxSurge, maxUnavailable, ...rest }, index): Workload => {
        const field = `workloads.deployments.${index}`;
        return {
          kind: "deployment",
          ...rest,
          atMs: span(at, `${field}.at`) ?? 0,
          scale: scale.map((step) => ({
            atMs: parseSpan(step.at, `${field}.scale`),
            replicas: step.replicas,
          })),
          rolloutsMs: rollouts.map((time) => parseSpan(time, `${field}.rollouts`)),
          maxSurge: maxSurge ?? 0.25,
          maxUnavailable: maxUnavailable ?? 0.25,
        };
      },
    ),
    ...jobs.map(({ every, duration, from, until, ...rest }, index): Workload => {
      const field = `workloads.jobs.${index}`;
      return {
        kind: "jobs",
        ...rest,
        everyMs: parseSpan(every, `${field}.every`),
        durationMs: parseSpan(duration, `${field}.duration`),
        fromMs: span(from, `${field}.from`) ?? 0,
        untilMs: span(until, `${field}.until`) ?? durationMs,
      };
    }),
    ...traces.map(
      ({ csv, ...rest }): Workload => ({ kind: "trace", ...rest, events: readTrace(readText(csv), csv) }),
    ),
  ];
}

function faultsOf(form: ScenarioForm, durationMs: number): FaultScenario[] {
  const { calls = [], fills = [], interruptions = [] } = form.faults ?? {};
  return [
    ...calls.map(({ action, at, until, rate, error, delay }, index): FaultScenario => {
      const field = `faults.calls.${index}`;
      return {
        kind: "calls",
        action,
        atMs: parseSpan(at, `${field}.at`),
        untilMs: span(until, `${field}.until`) ?? durationMs,
        rate: rate ?? 1,
        delayMs: span(delay, `${field}.delay`) ?? 0,
        ...(error === undefined ? {} : { errorCode: error }),
      };
    }),
    ...fills.map(
      ({ subnet, at, used }): FaultScenario => ({
        kind: "fill",
        subnet,
        atMs: parseSpan(at, "faults.fills.at"),
        usedPercent: used,
      }),
    ),
    ...interruptions.map(
      ({ nodeGroup, at, nodes }): FaultScenario => ({
        kind: "interruption",
        nodeGroup,
        atMs: parseSpan(at, "faults.interruptions.at"),
        nodes,
      }),
    ),
  ];
}
