/** Text tables in the look of eksdemo (Go's tablewriter 0.0.5), which EKS people know from courses and talks. */

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** A rule after every row, for tables whose cells have several lines. */
  readonly rowLines?: boolean;
  /** Lines below the table, each a sentence. */
  readonly footers?: readonly string[];
}

/** Cells wider than this wrap on word boundaries; a single long word widens the column. */
const wrapWidth = 30;

/**
 * Renders `table`: `+---+` rules, centred headers, text to the left, numbers and percentages to the right. Without
 * rows it says so, as eksdemo does.
 */
export function renderTable(table: Table, options: { readonly wrap?: boolean } = {}): string {
  if (table.rows.length === 0) return "No resources found.\n";
  const cells = table.rows.map((row) =>
    row.map((cell) =>
      cell.split("\n").flatMap((line) => (options.wrap === false ? [line] : wrapWords(line))),
    ),
  );
  const widths = table.columns.map((column, index) =>
    Math.max(widthOf(column), ...cells.map((row) => Math.max(0, ...(row[index] ?? []).map(widthOf)))),
  );
  const rule = `+${widths.map((width) => "-".repeat(width + 2)).join("+")}+`;
  const lines = [
    rule,
    lineOf(table.columns.map((column, index) => centre(column, widths[index] ?? 0))),
    rule,
  ];
  for (const row of cells) {
    const height = Math.max(1, ...row.map((cell) => cell.length));
    for (let line = 0; line < height; line++) {
      lines.push(lineOf(widths.map((width, index) => align(row[index] ?? [], line, width))));
    }
    if (table.rowLines) lines.push(rule);
  }
  if (!table.rowLines) lines.push(rule);
  return `${[...lines, ...(table.footers ?? [])].join("\n")}\n`;
}

function lineOf(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function align(cell: readonly string[], line: number, width: number): string {
  const text = cell[line] ?? "";
  const pad = " ".repeat(width - widthOf(text));
  const isNumber = cell.length === 1 && /^\d{1,3}(,?\d{3})*(\.\d+)?%?$|^\d+(\.\d+)?%?$/.test(text);
  return isNumber ? pad + text : text + pad;
}

function centre(text: string, width: number): string {
  const space = width - widthOf(text);
  const left = Math.floor(space / 2);
  return " ".repeat(left) + text + " ".repeat(space - left);
}

function wrapWords(line: string): string[] {
  if (widthOf(line) <= wrapWidth) return [line];
  const lines: string[] = [];
  let current = "";
  const words = line.split(" ");
  const width = Math.max(wrapWidth, ...words.map(widthOf));
  for (const word of words) {
    const longer = current === "" ? word : `${current} ${word}`;
    if (widthOf(longer) <= width) {
      current = longer;
      continue;
    }
    lines.push(current);
    current = word;
  }
  return [...lines, current];
}

/** Display columns; the tables hold no wide characters. */
function widthOf(text: string): number {
  return [...text].length;
}

const spans: readonly (readonly [string, number])[] = [
  ["year", 365 * 86_400_000],
  ["week", 7 * 86_400_000],
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
  ["millisecond", 1],
];

/** An age as eksdemo prints it: the largest unit that is not zero, "3 minutes", "1 hour". */
export function formatAge(ageMs: number): string {
  for (const [unit, span] of spans) {
    const count = Math.floor(ageMs / span);
    if (count > 0) return `${count} ${unit}${count === 1 ? "" : "s"}`;
  }
  return "0 seconds";
}
