import { rmSync } from "node:fs";
import { destroyFabric } from "../cloud/fabric/fabric.ts";
import { machinesOf } from "../cloud/machine/machine.ts";
import { endHolder, findHolders } from "../linux/holder.ts";
import type { Lab } from "./lab.ts";
import type { LabPaths } from "./paths.ts";

/**
 * Takes away everything of a lab: nodes with all that runs on them, the packet plane, sockets and files. Finds what
 * a killed lab process left by its labels, so it works without one. May be called again.
 */
export async function tearDown(paths: LabPaths, lab?: Lab): Promise<void> {
  await lab?.close();
  await Promise.all(machinesOf(paths.name).map((machine) => machine.stop()));
  await destroyFabric(paths.name);
  await Promise.all(findHolders(`${paths.name}/`).map((holder) => endHolder(holder)));
  rmSync(paths.run, { recursive: true, force: true });
  rmSync(paths.state, { recursive: true, force: true });
}
