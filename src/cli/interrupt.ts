import { constants } from "node:os";

/**
 * Watches for Ctrl-C and for being asked to end, until it is disposed of. Only the first signal counts: on a terminal
 * Ctrl-C comes twice, from the terminal and from the Node process in front, and what is taken down must be taken down
 * whole.
 */
export class Interrupt implements Disposable {
  readonly signal: Promise<NodeJS.Signals>;
  readonly #listener: (signal: NodeJS.Signals) => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
    this.signal = promise;
    this.#listener = resolve;
    for (const name of watched) process.on(name, this.#listener);
  }

  [Symbol.dispose](): void {
    for (const name of watched) process.off(name, this.#listener);
  }
}

const watched = ["SIGHUP", "SIGINT", "SIGTERM"] as const;

/** The status that a shell gives to what a signal ended. */
export function statusOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
