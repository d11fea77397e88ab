import type { CheckOutcome } from "../../lab/check/check.ts";
import { invariants } from "../../lab/check/invariants.ts";
import type { StandingFault } from "../../lab/faults/fault.ts";
import { describeFault } from "../../lab/faults/fault.ts";
import type { Answer } from "../output.ts";

/** What `check` found: a line per invariant, then each broken one with its evidence and what to do. */
export function checkView(
  { broken, picture, looks }: CheckOutcome,
  faults: readonly StandingFault[],
): Answer {
  const rows = invariants.map(({ number, rule }) => {
    const count = broken.filter(({ invariant }) => invariant === number).length;
    return [String(number), rule, count === 0 ? "✓" : `✗ ${count}`];
  });
  const footers = broken.flatMap(({ invariant, subject, evidence, fix }) => [
    `✗ ${invariant}: ${subject}: ${evidence}`,
    `     ${fix}`,
  ]);
  const standing = faults.map(
    (fault) => `! broken on purpose: ${describeFault(fault.fault)} (heal ${fault.id})`,
  );
  const assigned = picture.nodes.reduce(
    (sum, node) => sum + (node.pool?.cards.reduce((held, card) => held + card.assigned, 0) ?? 0),
    0,
  );
  const seen = `* ${picture.nodes.length} nodes, ${picture.pods.length} pods, ${assigned} addresses given to pods, ${picture.cloud.enis.length} ENIs, ${picture.routerRoutes.length} routes`;
  return {
    value: { broken, looks, faults },
    table: { columns: ["", "Invariant", ""], rows, footers: [...footers, ...standing, seen] },
  };
}
