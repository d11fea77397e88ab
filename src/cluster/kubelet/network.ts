import { type FSWatcher, mkdirSync, readdirSync, readFileSync, watch } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import { type NetworkConfigList, parseConfigList, parseSingleConfig } from "../../cni/config.ts";

/** What the node says while there is no network configuration. */
export const networkNotReady =
  "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized";

/**
 * The network configuration of the node: the first file of the folder by name, as containerd takes it, read again
 * whenever the folder changes.
 */
export class NetworkConfig {
  readonly #folder: string;
  readonly #log: Log;
  readonly #onChange: () => void;
  readonly #watcher: FSWatcher;
  #current: NetworkConfigList | undefined;

  constructor(folder: string, log: Log, onChange: () => void) {
    this.#folder = folder;
    this.#log = log;
    this.#onChange = onChange;
    mkdirSync(folder, { recursive: true });
    this.#watcher = watch(folder, () => this.#reload());
    this.#current = this.#read();
  }

  /** Undefined while there is none. */
  get(): NetworkConfigList | undefined {
    return this.#current;
  }

  stop(): void {
    this.#watcher.close();
  }

  #reload(): void {
    const before = this.#current;
    this.#current = this.#read();
    if (this.#current?.source !== before?.source) this.#onChange();
  }

  #read(): NetworkConfigList | undefined {
    const files = readdirSync(this.#folder)
      .filter((file) => /\.(conf|conflist|json)$/.test(file))
      .sort();
    for (const file of files) {
      try {
        const text = readFileSync(join(this.#folder, file), "utf8");
        return file.endsWith(".conflist") ? parseConfigList(text) : parseSingleConfig(text);
      } catch (error) {
        // A file that is half written is read again with the next change.
        this.#log("warn", "network configuration is not usable", { file, error: messageOf(error) });
      }
    }
    return undefined;
  }
}
