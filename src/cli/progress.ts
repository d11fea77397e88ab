import type { LabStep } from "../lab/control.ts";
import { seconds } from "./duration.ts";

/** Prints steps as they happen: one line each, rewritten in place on a terminal. */
export class Progress {
  readonly #out: NodeJS.WriteStream;
  readonly #begun = new Map<string, number>();

  constructor(out: NodeJS.WriteStream = process.stderr) {
    this.#out = out;
  }

  tell(step: LabStep): void {
    if (step.state === "begun") {
      this.#begun.set(step.step, step.atMs);
      if (this.#out.isTTY) this.#out.write(`  … ${step.step}`);
      return;
    }
    const took = step.atMs - (this.#begun.get(step.step) ?? step.atMs);
    const mark = step.state === "done" ? "✓" : "✗";
    const detail = step.detail === undefined ? "" : `: ${step.detail}`;
    const line = `  ${mark} ${step.step}${detail} (${seconds(took)})`;
    this.#out.write(this.#out.isTTY ? `\r\x1b[K${line}\n` : `${line}\n`);
  }

  /** Runs `work` as a step of its own. */
  async step<T>(step: string, work: () => Promise<T>, detail?: (result: T) => string): Promise<T> {
    const started = performance.now();
    this.tell({ step, state: "begun", atMs: 0 });
    const tell = (state: "done" | "failed", words: string | undefined): void =>
      this.tell({
        step,
        state,
        atMs: performance.now() - started,
        ...(words === undefined ? {} : { detail: words }),
      });
    try {
      const result = await work();
      tell("done", detail?.(result));
      return result;
    } catch (error) {
      tell("failed", undefined);
      throw error;
    }
  }
}
