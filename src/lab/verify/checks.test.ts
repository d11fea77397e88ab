import { describe, expect, test } from "bun:test";
import { type Check, judge, matrixOf, networkModelChecks, type Party, summarize } from "./checks.ts";

const pod = (name: string, node: string, address: string): Party => ({
  kind: "pod",
  name,
  node,
  address,
  netns: "",
  seenOutsideAs: "203.0.113.7",
});
const web = pod("default/web", "n1", "10.0.1.5");
const db = pod("default/db", "n2", "10.0.2.5");
const node: Party = { kind: "node", name: "n1", node: "n1", address: "10.0.1.1", netns: "" };
const outside: Party = { kind: "internet", name: "internet", node: "", address: "198.51.100.10", netns: "" };

test("every ordered pair of the model is checked in three protocols", () => {
  const checks = networkModelChecks([web, db, node, outside]);
  const count = (rule: string): number => checks.filter((check) => check.rule === rule).length;
  expect(["pod-to-pod", "node-to-pod", "pod-to-node", "pod-to-internet"].map(count)).toEqual([6, 6, 6, 6]);
  expect(checks.some((check) => check.from === check.to)).toBe(false);
});

test("no NAT between pods, the public address towards the internet, any of its own towards a node's own pods", () => {
  const checks = networkModelChecks([web, db, node, outside]);
  const source = (rule: string, from: Party, to: Party): string | undefined =>
    checks.find((check) => check.rule === rule && check.from === from && check.to === to)?.source;
  expect(source("pod-to-pod", web, db)).toBe("10.0.1.5");
  expect(source("pod-to-internet", web, outside)).toBe("203.0.113.7");
  expect(source("node-to-pod", node, web)).toBeUndefined();
  expect(source("node-to-pod", node, db)).toBe("10.0.1.1");
});

const check: Check = { rule: "pod-to-pod", from: web, to: db, protocol: "tcp", source: web.address };

test("a wrong source fails with evidence that names both addresses", () => {
  const result = judge(check, { seenSource: "10.0.1.1", rttMs: 1 });
  expect(result.ok).toBe(false);
  expect(result.evidence).toBe(
    "tcp default/web (10.0.1.5) -> default/db (10.0.2.5): answered, but saw the source 10.0.1.1 instead of 10.0.1.5",
  );
  expect(judge(check, { seenSource: "10.0.1.5" }).ok).toBe(true);
  expect(judge(check, { error: "timed out after 2000 ms" }).ok).toBe(false);
});

test("the matrix shows what passed in small and what failed in capital letters", () => {
  const results = [
    judge(check, { seenSource: "10.0.1.5" }),
    judge({ ...check, protocol: "udp" }, { error: "no answer" }),
  ];
  expect(matrixOf(results)).toEqual({ columns: ["from \\ to", "default/db"], rows: [["default/web", "tU"]] });
  expect(summarize(results)[0]).toMatchObject({ passed: 1, failed: 1 });
});

describe("pods with a way out over the other family", () => {
  const six = (name: string, on: string, address: string, egress: string): Party => ({
    kind: "pod",
    name,
    node: on,
    address,
    netns: "",
    seenOutsideAs: address,
    egress: { address: egress, seenOutsideAs: "203.0.113.9" },
  });
  const one = six("default/one", "n1", "2600:1f14::1", "169.254.172.2");
  const two = six("default/two", "n1", "2600:1f14::2", "169.254.172.3");
  const far = six("default/far", "n2", "2600:1f14:1::1", "169.254.172.2");
  const internet6: Party = { ...outside, name: "internet-ipv6", address: "2001:db8:ffff::10" };
  const checks = networkModelChecks([one, two, far, outside, internet6]);
  const of = (rule: Check["rule"]): Check[] => checks.filter((each) => each.rule === rule);

  test("each family of the internet is checked under the rule that speaks of it", () => {
    expect(of("pod-to-internet").map(({ to, source, from }) => [to.name, source === from.address])).toEqual(
      Array.from({ length: 9 }, () => ["internet-ipv6", true]),
    );
    expect(of("egress").map(({ to, source }) => [to.name, source])).toEqual(
      Array.from({ length: 9 }, () => ["internet", "203.0.113.9"]),
    );
  });

  test("a pod's own egress address answers it, and no other pod of its node", () => {
    expect(of("egress-isolation").map(({ from, to, refused }) => [from.name, to.name, refused])).toEqual([
      ["default/one", "default/one (egress)", false],
      ["default/one", "default/two (egress)", true],
      ["default/two", "default/one (egress)", true],
      ["default/two", "default/two (egress)", false],
      ["default/far", "default/far (egress)", false],
    ]);
    const refused = of("egress-isolation")[1] as Check;
    expect(judge(refused, { error: "Connection refused" }).ok).toBe(true);
    expect(judge(refused, { rttMs: 1 })).toMatchObject({
      ok: false,
      evidence:
        "icmp default/one (2600:1f14::1) -> default/two (egress) (169.254.172.3): answered, and must not",
    });
  });

  test("labs without egress hear nothing of its rules", () => {
    expect(summarize([]).map(({ rule }) => rule)).toEqual([
      "pod-to-pod",
      "node-to-pod",
      "pod-to-node",
      "pod-to-internet",
    ]);
  });
});
