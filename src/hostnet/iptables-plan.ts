/**
 * Wanted iptables rules and the way from what is there to them. Rules are texts in the form of `iptables-save`
 * without "-A CHAIN", so that equal rules are equal texts; a rule that the installed version prints otherwise
 * would be replaced by itself, atomically, and do no harm.
 */
export type TableName = "nat" | "mangle" | "filter";

/** What one table shall have; what is not spoken of stays as it is. */
export interface TableWish {
  readonly table: TableName;
  /** Chains that are wholly ours: they exist and have exactly these rules. */
  readonly chains: readonly { readonly name: string; readonly rules: readonly string[] }[];
  /** Chains that must not exist. */
  readonly noChains: (name: string) => boolean;
  /** Our rules in chains that others use too. */
  readonly shared: readonly SharedRules[];
}

export interface SharedRules {
  readonly chain: string;
  /** Ours are those that bear one of these comments. */
  readonly comments: readonly string[];
  /** Exactly these, in this order. */
  readonly rules: readonly string[];
  /** Where they go when they have to be put in. */
  readonly place: "first" | "last";
}

/** A table as `iptables-save` prints it. */
export interface SavedTable {
  readonly chains: ReadonlyMap<string, readonly string[]>;
}

/** Reads the output of `iptables-save`, by table. */
export function parseSaved(output: string): ReadonlyMap<string, SavedTable> {
  const tables = new Map<string, { chains: Map<string, string[]> }>();
  let chains = new Map<string, string[]>();
  for (const line of output.split("\n")) {
    const kind = line[0];
    if (kind === "*") {
      chains = new Map();
      tables.set(line.slice(1).trim(), { chains });
    } else if (kind === ":") {
      chains.set(line.slice(1).split(" ", 1)[0] ?? "", []);
    } else {
      const rule = /^(?:\[\d+:\d+\] )?-A (\S+) ?(.*)$/.exec(line);
      if (rule?.[1] !== undefined) chains.get(rule[1])?.push((rule[2] ?? "").trim());
    }
  }
  return tables;
}

/**
 * What `iptables-restore --noflush` has to be given so that the wishes hold; undefined when they hold already.
 * Every table changes in one step: there is no moment without our rules.
 */
export function planTables(
  saved: ReadonlyMap<string, SavedTable>,
  wishes: readonly TableWish[],
): string | undefined {
  const blocks = wishes.map((wish) => planTable(saved.get(wish.table), wish)).filter((block) => block !== "");
  return blocks.length === 0 ? undefined : blocks.join("");
}

function planTable(saved: SavedTable | undefined, wish: TableWish): string {
  const present = saved?.chains ?? new Map<string, readonly string[]>();
  const declared: string[] = [];
  const lines: string[] = [];
  for (const chain of wish.chains) {
    if (sameList(present.get(chain.name), chain.rules)) continue;
    // Naming an own chain empties it, within the same step.
    declared.push(chain.name);
    lines.push(...chain.rules.map((rule) => `-A ${chain.name} ${rule}`));
  }
  for (const shared of wish.shared) lines.push(...planShared(present.get(shared.chain) ?? [], shared));
  const doomed = [...present.keys()].filter(wish.noChains);
  declared.push(...doomed);
  lines.push(...doomed.map((name) => `-X ${name}`));
  if (declared.length + lines.length === 0) return "";
  return [`*${wish.table}`, ...declared.map((name) => `:${name} - [0:0]`), ...lines, "COMMIT", ""].join("\n");
}

function planShared(present: readonly string[], wanted: SharedRules): string[] {
  const ours = present.filter((rule) => wanted.comments.some((comment) => hasComment(rule, comment)));
  if (sameList(ours, wanted.rules)) return [];
  const out = ours.map((rule) => `-D ${wanted.chain} ${rule}`);
  const into = wanted.place === "last" ? wanted.rules : wanted.rules.toReversed();
  const option = wanted.place === "last" ? "-A" : "-I";
  return [...out, ...into.map((rule) => `${option} ${wanted.chain} ${rule}`)];
}

function hasComment(rule: string, comment: string): boolean {
  return rule.includes(`--comment ${quoted(comment)} `) || rule.endsWith(`--comment ${quoted(comment)}`);
}

/** iptables-save quotes comments that are more than one word. */
export function quoted(comment: string): string {
  return /^[\w.:/+=-]+$/.test(comment) ? comment : `"${comment.replaceAll(/(["\\])/g, "\\$1")}"`;
}

function sameList(left: readonly string[] | undefined, right: readonly string[]): boolean {
  return (
    left !== undefined && left.length === right.length && left.every((item, index) => item === right[index])
  );
}
