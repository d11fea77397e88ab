/**
 * `sim/` is the simulator: a cluster on a virtual clock, thousands of nodes, an hour in seconds. Every node runs
 * ipamd's own decision core (`ipam/`), EC2 is the local cloud's own model behind its own token buckets
 * (`cloud/model/`, `cloud/ec2/`); what is here is the clock, the steps between a decision and its outcome, pods
 * that come and go, and the report. Nothing in it needs a runtime of its own, root or a network.
 *
 * The main story: a {@link Scenario} is put on an {@link EventQueue} (`events.ts`) by `simulate.ts`; `cluster.ts`
 * launches nodes and binds pods; `node.ts` and `official.ts` are what decides on a node; `recorder.ts` takes the
 * numbers.
 */
export { type BurstInput, type BurstResult, simulateBurst } from "./burst.ts";
export { completeScenario, type NodeGroupInput, type ScenarioInput } from "./defaults.ts";
export { htmlReport } from "./html/page.ts";
export type {
  ActionReport,
  FailureReport,
  Report,
  Series,
  SubnetReport,
  SubnetUse,
  WaitSummary,
} from "./report.ts";
export * from "./scenario.ts";
export { readScenario } from "./scenario-file.ts";
export { type SimulateOptions, simulate } from "./simulate.ts";
