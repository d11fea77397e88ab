import { existsSync } from "node:fs";
import { EniverseError, messageOf } from "../../base/error.ts";
import { checkLab } from "../check/check.ts";
import { ChaosLab } from "./carry-out.ts";
import type { Operation } from "./story.ts";

/** The lab that a story happens to. */
export interface Stage {
  readonly nodes: number;
  /** Pods that there are at first, and whenever the lab comes to rest. */
  readonly podsAtRest: number;
  /** So often, in operations, the lab must come to rest and be found whole; and at the end. */
  readonly restEvery: number;
  /** How long it may take until all pods are Ready, in milliseconds. */
  readonly restMs: number;
  /** Leaves the lab of a story that failed as it is, to be looked at. */
  readonly keep: boolean;
}

/** A story that a lab did not live through. */
export interface Failure {
  readonly message: string;
  /** What had happened until then, with the time of each. */
  readonly told: readonly string[];
  readonly operations: number;
}

/**
 * Makes a lab, lets the story happen to it, and takes it down again. Undefined when the lab was whole at every rest
 * and every packet arrived at the end.
 */
export async function liveThrough(
  name: string,
  story: readonly Operation[],
  stage: Stage,
): Promise<Failure | undefined> {
  const lab = new ChaosLab(name);
  let operations = 0;
  let failed = false;
  try {
    await lab.up(stage.nodes, stage.podsAtRest);
    for (const operation of story) {
      operations++;
      await lab.carryOut(operation);
      if (operations % stage.restEvery === 0 && operations < story.length) await rest(lab, stage);
    }
    await rest(lab, stage);
    lab.run("verify");
    return undefined;
  } catch (error) {
    failed = true;
    return { message: messageOf(error), told: lab.told, operations };
  } finally {
    if (existsSync(lab.paths.state) && !(failed && stage.keep)) lab.run("down");
  }
}

async function rest(lab: ChaosLab, { podsAtRest, restMs }: Stage): Promise<void> {
  await lab.settle(podsAtRest, restMs);
  const { broken } = await checkLab(lab, { patienceMs: 150_000 });
  if (broken.length === 0) return;
  throw new EniverseError("internal", {
    attempted: "find the lab whole",
    found: broken.map((each) => JSON.stringify(each)).join("\n"),
  });
}
