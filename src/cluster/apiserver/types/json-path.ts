// The JSONPath of custom resources' columns: ".spec.features[*].name", ".status.conditions[?(@.type==\"Ready\")].status".

/** All values at the path; none when it leads nowhere, or is not one of the supported forms. */
export function readJsonPath(root: unknown, path: string): unknown[] {
  let values: unknown[] = [root];
  for (const step of stepsOf(path)) values = values.flatMap((value) => takeStep(value, step));
  return values.filter((value) => value !== undefined && value !== null);
}

type Step =
  | { readonly name: string }
  | { readonly index: number }
  | { readonly all: true }
  | { readonly path: string; readonly equals: string };

function stepsOf(path: string): Step[] {
  const pattern =
    /\.((?:\\.|[^.[\]])+)|\['([^']+)'\]|\[(-?\d+)\]|\[(\*)\]|\[\?\(@\.([\w.]+)\s*==\s*["']([^"']*)["']\)\]/g;
  return [...path.matchAll(pattern)].map((match): Step => {
    const [, dotted, quoted, index, star, filterPath, filterValue] = match;
    if (star !== undefined || dotted === "*") return { all: true };
    if (index !== undefined) return { index: Number(index) };
    if (filterPath !== undefined) return { path: filterPath, equals: filterValue ?? "" };
    return { name: (dotted ?? quoted ?? "").replaceAll("\\.", ".") };
  });
}

function takeStep(value: unknown, step: Step): unknown[] {
  if (typeof value !== "object" || value === null) return [];
  if ("all" in step) return Object.values(value);
  if ("index" in step) return Array.isArray(value) ? [value.at(step.index)] : [];
  if ("name" in step) return [(value as Record<string, unknown>)[step.name]];
  if (!Array.isArray(value)) return [];
  return value.filter((element) =>
    readJsonPath(element, `.${step.path}`).some((each) => String(each) === step.equals),
  );
}
