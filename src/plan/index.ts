/**
 * `plan/` answers questions before anything is built: how many pods a node takes, how large subnets must be, what
 * to do when one runs out, which warm settings to choose, when prefixes will fail. Each answer is one typed
 * function that returns plain data and an `explain` list, the working with its numbers put in. Nothing here needs
 * AWS, a kernel or a runtime of its own: it is the package entry `eniverse/plan`, for CDK, Pulumi, browsers and the
 * command line alike. What a node holds is never a formula of its own but `ipam/` driven to rest (`node-driver.ts`).
 */
export { EniverseError, type ErrorCode, type ErrorParts } from "../base/error.ts";
export {
  type BurstInput,
  type BurstResult,
  completeScenario,
  htmlReport,
  type Report,
  readScenario,
  type Scenario,
  type ScenarioInput,
  simulate,
  simulateBurst,
} from "../sim/index.ts";
export {
  type ChanceRow,
  type FragmentationAnswer,
  type PlanFragmentationInput,
  planFragmentation,
  type SubnetUse,
} from "./fragmentation.ts";
export {
  explainMaxPodsTable,
  type MaxPodsAnswer,
  type MaxPodsFilter,
  type MaxPodsInput,
  type MaxPodsRow,
  type MaxPodsSettings,
  maxPods,
  maxPodsTable,
} from "./max-pods.ts";
export type { Ec2Latencies } from "./node-driver.ts";
export {
  givenSubnets,
  type Observed,
  type ObservedEni,
  type ObservedNode,
  type ObservedPod,
  type ObservedReservation,
  type ObservedSubnet,
  observedGroups,
  readAwsNodeEnv,
  readNetworkInterfaces,
  readNodes,
  readPods,
  readReservations,
  readSubnets,
  readVpcCidrs,
  usedIn,
} from "./observed.ts";
export { observedMode, observedWarm } from "./observed-mode.ts";
export type { PodPattern } from "./pod-pattern.ts";
export type { PrefixReservation } from "./reservation.ts";
export { planStrategy, type StrategyAnswer } from "./strategy.ts";
export type { StrategyGroupInput } from "./strategy-groups.ts";
export type { FullSubnet, PlanStrategyInput } from "./strategy-input.ts";
export type { StrategyId, StrategyOption } from "./strategy-option.ts";
export {
  assertPlan,
  type BudgetLine,
  type NodeGroupPlan,
  type PlannedSubnet,
  type PlanProblem,
  planVpc,
  type VpcPlan,
} from "./vpc.ts";
export type { Exhaustion } from "./vpc-forecast.ts";
export type {
  GivenSubnet,
  Growth,
  NodeGroupInput,
  OtherRange,
  PlanVpcInput,
  SubnetKind,
} from "./vpc-input.ts";
export { type LabFile, labFileOf } from "./vpc-lab.ts";
export type { EniConfigObject, RouteTablePlan } from "./vpc-objects.ts";
export { type PlanWarmInput, planWarm, type WarmAnswer, type WarmRow } from "./warm.ts";
export { awsNodeEnv, type PlanMode, planModes, type WarmSettings } from "./warm-settings.ts";
