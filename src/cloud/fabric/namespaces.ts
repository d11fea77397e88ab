import { hasCode } from "../../base/error.ts";
import { endHolder, findHolders, type Holder, startNamespaceHolder } from "../../linux/holder.ts";
import { Netns } from "../../linux/netns.ts";
import { isAlive } from "../../linux/process.ts";

/** "LAB/fabric/": what the labels of a fabric's holders start with. */
const labelPrefix = (labName: string): string => `${labName}/fabric/`;

/**
 * The namespaces of one fabric, each held by a small process of its own that outlives the lab process. They are
 * found again by their labels, so nothing has to be remembered.
 */
export class FabricNamespaces {
  readonly #labName: string;
  readonly #held = new Map<string, Holder>();

  constructor(labName: string) {
    this.#labName = labName;
    const prefix = labelPrefix(labName);
    for (const holder of findHolders(prefix)) this.#held.set(holder.label.slice(prefix.length), holder);
  }

  /** Names of the namespaces that are held now. */
  names(): string[] {
    return [...this.#held.keys()];
  }

  /** The namespace of that name; makes it when there is none or its holder has died. */
  async get(name: string): Promise<Holder> {
    const known = this.#held.get(name);
    if (known !== undefined && isAlive(known.identity)) return known;
    const label = labelPrefix(this.#labName) + name;
    const holder = await startNamespaceHolder({ net: true }, { label, loopback: true });
    this.#held.set(name, holder);
    return holder;
  }

  /** Ends the namespace, if there is one. */
  async end(name: string): Promise<void> {
    const holder = this.#held.get(name);
    this.#held.delete(name);
    if (holder !== undefined) await endHolder(holder);
  }
}

/** Ends every holder of the lab's fabric, whoever made it. */
export async function endFabricNamespaces(labName: string): Promise<void> {
  await Promise.all(findHolders(labelPrefix(labName)).map((holder) => endHolder(holder)));
}

/** The number of the namespace at `path`; undefined when it is gone. */
export function netnsNumber(path: string): number | undefined {
  try {
    using netns = Netns.open(path);
    return netns.inode;
  } catch (error) {
    if (hasCode(error, "not_found")) return undefined;
    throw error;
  }
}
