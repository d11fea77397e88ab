import { type FSWatcher, mkdirSync, readdirSync, readFileSync, watch } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import { type NetworkConfigList, parseConfigList, parseSingleConfig } from "../../cni/config.ts";

/** What the node says while there is no network configuration. */
export const networkNotReady =
  "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized";

/**
 * A file that cannot be used may be half written, and the change that completes it may come before it was read: it is
 * read again after this time (ms).
 */
const secondLookMs = 250;

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
  #secondLook: ReturnType<typeof setTimeout> | undefined;
  /** What was last found wrong, so that it is said once. */
  #complaint = "";

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
    clearTimeout(this.#secondLook);
  }

  #reload(): void {
    const before = this.#current;
    this.#current = this.#read();
    if (this.#current?.source !== before?.source) this.#onChange();
  }

  #read(): NetworkConfigList | undefined {
    clearTimeout(this.#secondLook);
    const complaint = this.#complaint;
    this.#complaint = "";
    const files = readdirSync(this.#folder)
      .filter((file) => /\.(conf|conflist|json)$/.test(file))
      .sort();
    for (const file of files) {
      try {
        const text = readFileSync(join(this.#folder, file), "utf8");
        return file.endsWith(".conflist") ? parseConfigList(text) : parseSingleConfig(text);
      } catch (error) {
        const found = { file, error: messageOf(error) };
        this.#complaint += JSON.stringify(found);
        if (!complaint.includes(JSON.stringify(found)))
          this.#log("warn", "network configuration is not usable", found);
        this.#secondLook = setTimeout(() => this.#reload(), secondLookMs);
      }
    }
    return undefined;
  }
}
