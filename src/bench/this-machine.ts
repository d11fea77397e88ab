import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";

/** What the numbers were measured on. */
export interface ThisMachine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly runtime: string;
  /** Load average over a minute before the first measurement: others may have been at work. */
  readonly loadBefore: number;
}

export function thisMachine(): ThisMachine {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? "unknown processor",
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    runtime: `Bun ${process.versions.bun}`,
    loadBefore: Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0]),
  };
}

export function describeMachine(machine: ThisMachine): string {
  const { cores, processor, memoryGiB, kernel, runtime, loadBefore } = machine;
  return `${cores} cores (${processor}), ${memoryGiB} GiB, Linux ${kernel}, ${runtime}; load before: ${loadBefore}`;
}
