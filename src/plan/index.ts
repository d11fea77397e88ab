/**
 * `plan/` answers questions before anything is built: how many pods a node takes, how large subnets must be, what
 * to do when one runs out, which warm settings to choose, when prefixes will fail. Each answer is one typed
 * function that returns plain data and an `explain` list, the working with its numbers put in. Nothing here needs
 * AWS, a kernel or a runtime of its own: it is the package entry `eniverse/plan`, for CDK, Pulumi, browsers and the
 * command line alike. What a node holds is never a formula of its own but `ipam/` driven to rest (`node-driver.ts`).
 */
export { EniverseError, type ErrorCode, type ErrorParts } from "../base/error.ts";
export {
  type ChanceRow,
  type FragmentationAnswer,
  type PlanFragmentationInput,
  planFragmentation,
  type SubnetUse,
} from "./fragmentation.ts";
export {
  type MaxPodsAnswer,
  type MaxPodsFilter,
  type MaxPodsInput,
  type MaxPodsRow,
  type MaxPodsSettings,
  maxPods,
  maxPodsTable,
} from "./max-pods.ts";
export type { PrefixReservation } from "./reservation.ts";
