import type { ErrorObject, ValidateFunction } from "ajv";
import { isMap, LineCounter, parseDocument } from "yaml";
import { EniverseError } from "./error.ts";

/**
 * Reads YAML text and holds it against a compiled JSON schema (made with `allErrors` and `verbose`). Throws
 * `invalid_argument` naming the file, the line, what was found there and what is allowed; `docs` is where the form
 * is described.
 */
export function readYamlForm<T>(text: string, file: string, validate: ValidateFunction<T>, docs: string): T {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const syntax = document.errors[0];
  if (syntax !== undefined) {
    const line = lines.linePos(syntax.pos[0]).line;
    const found = syntax.message.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? "";
    throw badFile(file, line, found, "YAML");
  }
  const content: unknown = document.toJS() ?? {};
  if (validate(content)) return content;
  const errors = validate.errors ?? [];
  // With anyOf, the innermost complaint says most.
  const worst = errors.find((error) => error.keyword !== "anyOf") ?? errors[0];
  if (worst !== undefined) throw schemaError(file, worst, lineOf(document, lines, pathOf(worst)));
  throw badFile(file, 1, "an unknown form", `the form of ${docs}`);
}

function pathOf(error: ErrorObject): string[] {
  const path = error.instancePath.split("/").slice(1);
  const extra = (error.params as { additionalProperty?: string }).additionalProperty;
  return extra === undefined ? path : [...path, extra];
}

/** The line of the innermost node on `path` that the document has. */
function lineOf(
  document: ReturnType<typeof parseDocument>,
  lines: LineCounter,
  path: readonly string[],
): number {
  for (let depth = path.length; depth > 0; depth--) {
    const parent: unknown = depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true);
    const key = path[depth - 1];
    if (isMap(parent)) {
      const pair = parent.items.find((item) => String(item.key) === key);
      const range = (pair?.key as { range?: readonly number[] } | undefined)?.range;
      if (range?.[0] !== undefined) return lines.linePos(range[0]).line;
    }
    const node = document.getIn(path.slice(0, depth), true) as { range?: readonly number[] } | undefined;
    if (node?.range?.[0] !== undefined) return lines.linePos(node.range[0]).line;
  }
  return 1;
}

function schemaError(file: string, error: ErrorObject, line: number): EniverseError {
  const path = pathOf(error).join(".") || "the top level";
  const params = error.params as {
    allowedValues?: readonly unknown[];
    additionalProperty?: string;
  };
  if (params.additionalProperty !== undefined) {
    const known = Object.keys((error.parentSchema as { properties?: object } | undefined)?.properties ?? {});
    return badFile(file, line, `an unknown field ${path}`, `one of ${known.join(", ")}`);
  }
  const found = `${path} = ${JSON.stringify(error.data)}`;
  if (params.allowedValues !== undefined)
    return badFile(file, line, found, `one of ${params.allowedValues.join(", ")}`);
  const pattern = (error.parentSchema as { pattern?: string } | undefined)?.pattern;
  const form = pattern === undefined ? (error.message ?? "another value") : `text of the form ${pattern}`;
  return badFile(file, line, found, form.replace(/^must /, "a value that must "));
}

/** The error of a configuration file: where, what was found, what is allowed. */
export function badFile(file: string, line: number, found: string, wanted: string): EniverseError {
  return new EniverseError("invalid_argument", {
    attempted: `read ${file}, line ${line}`,
    found,
    wanted,
    facts: { file, line },
  });
}
