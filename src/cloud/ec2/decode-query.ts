import { faults } from "../model/fault.ts";

interface Node {
  value: string | undefined;
  readonly children: Map<string, Node>;
}

/**
 * The parameters of a request in the EC2 dialect of the Query protocol: "Filter.1.Value.2=x" is the second value
 * of the first filter. Lists are flattened, counted from 1, and may have gaps.
 */
export class Params {
  readonly #node: Node;
  readonly #path: string;

  private constructor(node: Node, path: string) {
    this.#node = node;
    this.#path = path;
  }

  static decode(form: URLSearchParams): Params {
    const root: Node = { value: undefined, children: new Map() };
    for (const [name, value] of form) {
      let node = root;
      for (const part of name.split(".")) {
        let child = node.children.get(part);
        if (child === undefined) {
          child = { value: undefined, children: new Map() };
          node.children.set(part, child);
        }
        node = child;
      }
      node.value = value;
    }
    return new Params(root, "");
  }

  /** Names of this level, in order of appearance. */
  names(): string[] {
    return [...this.#node.children.keys()];
  }

  has(name: string): boolean {
    return this.#node.children.has(name);
  }

  text(name: string): string | undefined {
    return this.#node.children.get(name)?.value;
  }

  /** As {@link text}; throws MissingParameter for an absent or empty value. */
  required(name: string): string {
    const value = this.text(name);
    if (value === undefined || value === "") throw faults.missing(this.#name(name));
    return value;
  }

  bool(name: string): boolean | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (value === "true") return true;
    if (value === "false") return false;
    throw faults.badValue(value, this.#name(name), "Valid values are true and false.");
  }

  int(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (!/^-?\d{1,10}$/.test(value)) throw faults.badValue(value, this.#name(name), "It is not an integer.");
    return Number(value);
  }

  /** One of a closed set of words. */
  word<const W extends string>(name: string, words: readonly W[]): W | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const word = words.find((one) => one === value);
    if (word === undefined)
      throw faults.badValue(value, this.#name(name), `Valid values are ${words.join(", ")}.`);
    return word;
  }

  /** The texts of a flattened list; undefined when the list is absent. */
  list(name: string): string[] | undefined {
    const items = this.#items(name);
    return items?.map(([path, node]) => {
      if (node.value === undefined) throw faults.badValue("", path);
      return node.value;
    });
  }

  /** The structures of a flattened list; none when it is absent. */
  structs(name: string): Params[] {
    return (this.#items(name) ?? []).map(([path, node]) => new Params(node, path));
  }

  struct(name: string): Params | undefined {
    const node = this.#node.children.get(name);
    return node === undefined ? undefined : new Params(node, this.#name(name));
  }

  #items(name: string): [path: string, node: Node][] | undefined {
    const list = this.#node.children.get(name);
    if (list === undefined) return undefined;
    return [...list.children]
      .map(([key, node]) => {
        if (!/^\d{1,6}$/.test(key))
          throw faults.badValue(key, this.#name(name), "Lists are numbered from 1.");
        return { index: Number(key), node };
      })
      .sort((a, b) => a.index - b.index)
      .map(({ index, node }) => [`${this.#name(name)}.${index}`, node]);
  }

  #name(name: string): string {
    return this.#path === "" ? name : `${this.#path}.${name}`;
  }
}
