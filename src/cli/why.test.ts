import { expect, test } from "bun:test";
import { join } from "node:path";
import { causes } from "../lab/why/chain.ts";
import { runEniverse } from "./test-command.ts";
import { printChain } from "./views/chain.ts";

const root = join(import.meta.dir, "../..");

test("a subject that nobody understands is refused, lab or no lab", async () => {
  for (const [subject, wanted] of [
    ["foo", 'cannot explain "foo": no kind before a slash; wanted pod/NAME'],
    ["address/300.1.1.1", '"300.1.1.1", which is no address'],
  ] as const) {
    const { out, err, status } = await runEniverse(["why", subject]);
    expect({ out, status }).toEqual({ out: "", status: 1 });
    expect(err).toContain(wanted);
  }
});

test("a chain is a list of links with what was seen and the rule", () => {
  const link = { what: "it is so", evidence: "a witness", rule: "a rule", setting: "A=1" };
  const chain = { subject: "pod/a/b", summary: "it waits", links: [link], change: ["set A=2"] };
  expect(printChain({ ...chain, cause: "cooldown" })).toBe(`pod/a/b: it waits [cooldown]

 1. it is so
      seen: a witness
      rule: a rule (A=1)

What would change it:
  - set A=2
`);
  expect(printChain({ ...chain, cause: "none", change: [] })).toStartWith("pod/a/b: it waits\n\n");
});

test("docs/why.md has every cause", async () => {
  const page = await Bun.file(join(root, "docs/why.md")).text();
  const rows = [...page.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`([a-z0-9-]+)`/g)].map(([, cause = ""]) => cause),
  );
  expect(rows.toSorted()).toEqual([...causes].toSorted());
});
