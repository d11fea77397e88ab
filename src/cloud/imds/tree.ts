/** A directory or a value of the metadata tree; absent entries are not there at all. */
export type MetadataNode = string | MetadataDirectory | undefined;

export interface MetadataDirectory {
  readonly [name: string]: MetadataNode | (() => MetadataNode);
}

/**
 * Reads a path: the text of a value, or a directory's list, one name a line, those of directories with a slash.
 * Undefined for what is not there. A final slash makes no difference.
 */
export function readTree(root: MetadataDirectory, path: readonly string[]): string | undefined {
  let node: MetadataNode = root;
  for (const part of path) {
    if (part === "") continue;
    if (typeof node !== "object" || !Object.hasOwn(node, part)) return undefined;
    node = open(node, part);
  }
  return typeof node === "object" ? list(node) : node;
}

function open(directory: MetadataDirectory, name: string): MetadataNode {
  const entry = directory[name];
  return typeof entry === "function" ? entry() : entry;
}

function list(directory: MetadataDirectory): string {
  const lines: string[] = [];
  for (const name of Object.keys(directory)) {
    const node = open(directory, name);
    if (node !== undefined) lines.push(typeof node === "object" ? `${name}/` : name);
  }
  return lines.join("\n");
}
