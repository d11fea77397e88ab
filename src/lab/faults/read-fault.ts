import { EniverseError } from "../../base/error.ts";
import { type Fault, type FaultKind, faultKinds } from "./fault.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Reads a fault that came from outside; throws `invalid_argument` naming the field. */
export function readFault(value: unknown): Fault {
  if (typeof value !== "object" || value === null) throw bad("fault", value, "an object");
  const fields = value as Fields;
  const kind = faultKinds.find((known) => known === fields.kind);
  if (kind === undefined) throw bad("kind", fields.kind, `one of ${faultKinds.join(", ")}`);
  for (const name of Object.keys(fields)) {
    if (name !== "kind" && !names[kind].includes(name))
      throw bad(name, fields[name], `only ${names[kind].join(", ") || "the kind"} for ${kind}`);
  }
  return readers[kind](fields);
}

const names: Readonly<Record<FaultKind, readonly string[]>> = {
  ec2: ["action", "rate", "error", "delayMs", "times"],
  attach: ["delayMs", "failRate"],
  metadata: ["lagMs", "leafLagMs", "frozen"],
  subnet: ["subnet", "filled", "fragmented"],
  ipamd: ["instanceId", "keepDown"],
  "api-server": [],
  node: ["instanceId", "how"],
};

const readers: Readonly<Record<FaultKind, (fields: Fields) => Fault>> = {
  ec2: (fields) => {
    const read = {
      kind: "ec2",
      action: text(fields, "action"),
      rate: ratio(fields, "rate") ?? 1,
      ...optional("error", fields.error === undefined ? undefined : text(fields, "error")),
      ...optional("delayMs", wait(fields, "delayMs")),
      ...optional("times", whole(fields, "times")),
    } as const;
    return needOne(read, ["error", "delayMs"]);
  },
  attach: (fields) =>
    needOne(
      {
        kind: "attach",
        ...optional("delayMs", wait(fields, "delayMs")),
        ...optional("failRate", ratio(fields, "failRate")),
      } as const,
      ["delayMs", "failRate"],
    ),
  metadata: (fields) =>
    needOne(
      {
        kind: "metadata",
        ...optional("lagMs", wait(fields, "lagMs")),
        ...optional("leafLagMs", wait(fields, "leafLagMs")),
        ...optional("frozen", flag(fields, "frozen") ? true : undefined),
      } as const,
      ["lagMs", "leafLagMs", "frozen"],
    ),
  subnet: (fields) =>
    needOne(
      {
        kind: "subnet",
        subnet: text(fields, "subnet"),
        ...optional("filled", ratio(fields, "filled")),
        ...optional("fragmented", flag(fields, "fragmented") ? true : undefined),
      } as const,
      ["filled", "fragmented"],
    ),
  ipamd: (fields) => ({
    kind: "ipamd",
    keepDown: flag(fields, "keepDown"),
    ...optional("instanceId", fields.instanceId === undefined ? undefined : text(fields, "instanceId")),
  }),
  "api-server": () => ({ kind: "api-server" }),
  node: (fields) => {
    const how = fields.how === "reboot" || fields.how === "cut-off" ? fields.how : undefined;
    if (how === undefined) throw bad("how", fields.how, "cut-off or reboot");
    return { kind: "node", instanceId: text(fields, "instanceId"), how };
  },
};

function optional<K extends string, V>(name: K, value: V | undefined): { readonly [P in K]?: V } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [P in K]?: V };
}

function needOne<T extends Fault>(fault: T, fields: readonly (keyof T & string)[]): T {
  if (fields.some((field) => fault[field] !== undefined)) return fault;
  throw bad("fault", `a fault of ${fault.kind} that does nothing`, `one of ${fields.join(", ")}`);
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === "string" && value !== "") return value;
  throw bad(name, value, "a text");
}

/** Longest delay: an hour. */
const longestMs = 3_600_000;

function wait(fields: Fields, name: string): number | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (typeof value === "number" && value >= 0 && value <= longestMs) return value;
  throw bad(name, value, `milliseconds, 0 to ${longestMs}`);
}

function ratio(fields: Fields, name: string): number | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (typeof value === "number" && value > 0 && value <= 1) return value;
  throw bad(name, value, "a share above 0 and up to 1");
}

function whole(fields: Fields, name: string): number | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value > 0) return value;
  throw bad(name, value, "a whole number above 0");
}

function flag(fields: Fields, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value === "boolean") return value;
  throw bad(name, value, "true or false");
}

function bad(name: string, found: unknown, wanted: string): EniverseError {
  return new EniverseError("invalid_argument", {
    attempted: `break the lab with ${name}`,
    found: typeof found === "string" ? found : (JSON.stringify(found) ?? "nothing"),
    wanted,
  });
}
