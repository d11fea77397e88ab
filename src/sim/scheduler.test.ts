import { expect, test } from "bun:test";
import fc from "fast-check";
import { LeastLoaded } from "./scheduler.ts";

test("the best node is always one with the fewest pods, whatever was bound, freed, added and removed", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom("add", "bind", "free", "remove"), fc.nat(7))), (steps) => {
      const scheduler = new LeastLoaded<{ load: number; readonly capacity: number; slot: number }>();
      const nodes: { load: number; readonly capacity: number; slot: number }[] = [];
      for (const [what, which] of steps) {
        const node = nodes[which % Math.max(nodes.length, 1)];
        if (what === "add") {
          const fresh = { load: 0, capacity: 3, slot: 0 };
          nodes.push(fresh);
          scheduler.add(fresh);
        } else if (what === "bind") {
          const best = scheduler.best();
          if (best !== undefined) scheduler.change(best, 1);
        } else if (node !== undefined && what === "free" && node.load > 0) scheduler.change(node, -1);
        else if (node !== undefined && what === "remove") {
          scheduler.remove(node);
          nodes.splice(nodes.indexOf(node), 1);
        }
        const least = Math.min(...nodes.map(({ load }) => load), 3);
        expect(scheduler.best()?.load).toBe(least < 3 ? least : undefined);
        expect(scheduler.size).toBe(nodes.length);
      }
    }),
  );
});
