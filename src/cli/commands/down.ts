import { existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { Command } from "commander";
import { requestDown } from "../../lab/control.ts";
import { runningLab } from "../../lab/launch.ts";
import { lockLaunch } from "../../lab/launch-lock.ts";
import { type LabPaths, labPaths, requireRoot } from "../../lab/paths.ts";
import { tearDown } from "../../lab/teardown.ts";
import { endProcess } from "../../linux/process.ts";
import { noLab } from "../lab-connection.ts";
import { labName } from "../lab-name.ts";
import { Progress } from "../progress.ts";

export function addDown(program: Command): void {
  program
    .command("down")
    .description("Take a lab down: nodes, pods, packet plane, files; also one whose process was killed")
    .addHelpText("after", "\nExamples:\n  eniverse down\n  eniverse down --name staging")
    .action(async (_flags: unknown, command: Command) => {
      const paths = labPaths(labName(command));
      requireRoot();
      if (!existsSync(paths.state) && !existsSync(paths.run)) throw noLab(paths.name);
      await takeDown(paths);
    });
}

/** How long the lab process may take to end in order before it is ended. */
const orderlyMs = 15_000;

/** Leaves nothing of the lab, whatever state it is in; waits for an `up` that is just starting its process. */
export async function takeDown(paths: LabPaths): Promise<void> {
  await new Progress().step(`the lab ${paths.name} goes down`, async () => {
    const lock = await lockLaunch(paths, "take down", orderlyMs);
    try {
      await endLab(paths);
    } finally {
      lock.release();
    }
  });
}

async function endLab(paths: LabPaths): Promise<void> {
  const running = runningLab(paths);
  if (running !== undefined) {
    await requestDown(paths).catch(() => undefined);
    for (const deadline = Date.now() + orderlyMs; Date.now() < deadline; await pause(20)) {
      if (!existsSync(paths.state) && !existsSync(paths.run)) return;
    }
    await endProcess(running, 1000);
  }
  await tearDown(paths);
}
