import { messageOf } from "../base/error.ts";
import type { Log } from "../base/log.ts";
import type { FabricSpec } from "./fabric/spec.ts";
import { encode } from "./store.ts";

/**
 * Keeps the packet plane equal to the model. Applications run one after the other; whoever asks while one runs waits
 * for the next, which serves all that have asked by then.
 */
export class FabricSync {
  readonly #wanted: () => FabricSpec;
  readonly #log: Log;
  #apply: ((spec: FabricSpec) => Promise<void>) | undefined;
  #applied = "";
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  /** Why the last application failed; absent when it did not. */
  failure: string | undefined;

  constructor(wanted: () => FabricSpec, log: Log) {
    this.#wanted = wanted;
    this.#log = log;
  }

  connect(apply: (spec: FabricSpec) => Promise<void>): void {
    this.#apply = apply;
    this.#applied = "";
  }

  /** Resolves when the packet plane is as the model wants it now; a failure is logged and kept, not thrown. */
  sync(): Promise<void> {
    if (this.#apply === undefined) return Promise.resolve();
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      this.#running = this.#run();
      return this.#running;
    });
    return this.#next;
  }

  async #run(): Promise<void> {
    const spec = this.#wanted();
    const text = encode(spec);
    if (text === this.#applied && this.failure === undefined) return;
    try {
      await this.#apply?.(spec);
      this.#applied = text;
      this.failure = undefined;
    } catch (error) {
      // The control plane answers all the same, as AWS's does when a host has trouble.
      this.failure = messageOf(error);
      this.#log("error", "the packet plane could not be applied", { error: this.failure });
    }
  }
}
