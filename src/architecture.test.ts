import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

// The house: what each room may import. Data walks one way, from the rooms above to those below; a room never
// reaches down. Anything that needs an exception gets a line in `excused`, with its reason.
const pure = ["base", "addr"];
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  addr: ["base"],
  limits: pure,
  aws: [...pure, "limits"],
  kube: pure,
  cni: pure,
  ipam: [...pure, "limits", "aws", "kube"],
  linux: pure,
  hostnet: [...pure, "limits", "ipam", "linux"],
  node: [...pure, "limits", "aws", "kube", "cni", "ipam", "linux", "hostnet"],
  cloud: [...pure, "limits", "aws", "linux"],
  cluster: [...pure, "limits", "kube", "cni", "linux", "node"],
  plan: [...pure, "limits", "aws", "kube", "ipam", "cloud", "sim"],
  doctor: [...pure, "limits", "aws", "kube", "ipam", "cloud", "plan"],
  sim: [...pure, "limits", "aws", "kube", "ipam", "cloud", "cluster"],
  lab: [...pure, "limits", "aws", "kube", "cni", "ipam", "linux", "hostnet", "node", "cloud", "cluster"],
  cli: [
    ...pure,
    "limits",
    "aws",
    "kube",
    "cni",
    "ipam",
    "linux",
    "node",
    "cloud",
    "cluster",
    "plan",
    "doctor",
    "sim",
    "lab",
  ],
  bench: [
    ...pure,
    "limits",
    "aws",
    "kube",
    "cni",
    "ipam",
    "linux",
    "hostnet",
    "node",
    "cloud",
    "cluster",
    "plan",
    "sim",
    "lab",
    "cli",
  ],
};

/** `importer -> imported` pairs of files that the table forbids, each with the reason why it may stand. */
const excused: Readonly<Record<string, string>> = {};

/** Rooms that browsers and CDK programs import: nothing of Node or Bun may be named there outside tests. */
const runsAnywhere: readonly string[] = ["base", "addr", "limits", "ipam", "plan", "sim", "doctor"];

interface Import {
  readonly from: string;
  readonly to: string;
}

const source = import.meta.dir;

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => ({
    from: relative(source, file),
    to: (match[1] ?? "").startsWith(".")
      ? relative(source, join(dirname(file), match[1] ?? ""))
      : (match[1] ?? ""),
  }));
}

const roomOf = (path: string): string => path.split("/")[0] ?? "";
const files = filesBelow(source).filter((file) => relative(source, file).includes("/"));
const imports = files.flatMap(importsOf);

test("every room stands in the table", () => {
  const rooms = [...new Set(files.map((file) => roomOf(relative(source, file))))].sort();
  expect(rooms.filter((room) => mayImport[room] === undefined)).toEqual([]);
});

test("rooms import only from rooms above them", () => {
  const forbidden = imports
    .filter(
      ({ from, to }) =>
        to.includes("/") && mayImport[roomOf(to)] !== undefined && roomOf(from) !== roomOf(to),
    )
    .filter(({ from, to }) => !mayImport[roomOf(from)]?.includes(roomOf(to)))
    // A test may take real parts from below to stand on.
    .filter(({ from }) => !from.endsWith(".test.ts"))
    .map(({ from, to }) => `${from} -> ${to}`);
  expect(forbidden.filter((pair) => excused[pair] === undefined)).toEqual([]);
  expect(Object.keys(excused).filter((pair) => !forbidden.includes(pair))).toEqual([]);
});

test("rooms that run anywhere name no runtime", () => {
  const bound = imports
    .filter(({ from, to }) => runsAnywhere.includes(roomOf(from)) && /^(node:|bun)/.test(to))
    .filter(({ from }) => !from.endsWith(".test.ts"));
  expect(bound).toEqual([]);
});

test("only linux/ loads the foreign function interface", () => {
  const bound = imports.filter(({ from, to }) => to === "koffi" && roomOf(from) !== "linux");
  expect(bound).toEqual([]);
});

test("no folder is called after nothing", () => {
  const vague = files
    .map((file) => relative(source, file))
    .filter((file) => /(^|\/)(utils?|helpers?|common|misc|shared)(\/|\.ts$)/.test(file));
  expect(vague).toEqual([]);
});
