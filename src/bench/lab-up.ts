import { fileURLToPath } from "node:url";
import { freshLabName, remember, takeLabDown } from "./bench-lab.ts";
import { run } from "./child.ts";
import { atMost, rounded, type Section } from "./report.ts";
import { summarise } from "./statistics.ts";

const goalSeconds = 10;
const replicas = 12;
const command = fileURLToPath(new URL("../../bin/eniverse.mjs", import.meta.url));

/** The default lab from nothing, as a user types it. */
export const labUp: Section = {
  name: "up",
  title: "Lab up",
  run: async ({ quick }) => {
    const runs: { readonly nodes: number; readonly all: number }[] = [];
    for (let count = quick ? 1 : 5; count > 0; count--) runs.push(await bringUpOnce());
    const rows = {
      "nodes Ready": runs.map((run) => run.nodes),
      "all pods Ready": runs.map((run) => run.all),
    };
    return {
      about:
        `${runs.length} times: "eniverse up --detach" (VPC, control plane, 3 m5.large with aws-node) and then ` +
        `"eniverse run web --replicas ${replicas}", which returns when the pods are Ready; from the start of the first command to the end of the second.`,
      table: {
        columns: ["From the first command until (s)", "p50", "Fastest", "Slowest"],
        rows: Object.entries(rows).map(([what, values]) => {
          const { p50, min, max } = summarise(values);
          return [what, ...[p50, min, max].map(rounded)];
        }),
      },
      goals: [
        atMost(
          "lab up until all pods are Ready, slowest run",
          Math.max(...rows["all pods Ready"]),
          goalSeconds,
          "s",
        ),
      ],
      raw: runs,
    };
  },
};

async function bringUpOnce(): Promise<{ nodes: number; all: number }> {
  const name = freshLabName("up");
  remember(name);
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1000;
  try {
    await run(["node", command, "--name", name, "up", "--detach"]);
    const nodes = seconds();
    await run(["node", command, "--name", name, "run", "web", "--replicas", String(replicas)]);
    return { nodes, all: seconds() };
  } finally {
    await takeLabDown(name);
  }
}
