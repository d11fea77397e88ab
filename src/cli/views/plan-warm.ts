import { thousands } from "../../plan/field.ts";
import type { WarmAnswer, WarmRow } from "../../plan/warm.ts";
import type { PlanAnswer } from "../plan-flags.ts";

/** The frontier first, marked with a star; wide adds the other measures and who came out alike. */
export function warmView(answer: WarmAnswer): PlanAnswer {
  const { rows, nodes, recommended } = answer;
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  const mostIdle = Math.max(...rows.map(({ idleMean }) => idleMean), 1);
  const columns = ["Settings", "Idle", "", "Wait p99", "Waited", "EC2 calls/h"];
  const row = (each: WarmRow): string[] => [
    `${each.onFrontier ? "* " : ""}${each.label}`,
    each.idleMean.toFixed(1),
    "█".repeat(Math.round((each.idleMean / mostIdle) * 20)),
    seconds(each.delayP99Ms),
    `${each.podsThatWaited}/${each.pods}`,
    String(Math.round(each.callsPerHour)),
  ];
  const unserved = rows.some(({ podsUnserved }) => podsUnserved > 0);
  const footers = [
    "* Nothing else tried is better in one of idle addresses, wait and calls without being worse in another",
    `Recommended: ${answer.rule}`,
    ...(nodes > 1
      ? [
          `${thousands(nodes)} such nodes: ${thousands(Math.round(recommended.idleMean * nodes))} idle addresses, ${thousands(Math.round(recommended.callsPerHour * nodes))} EC2 calls an hour`,
        ]
      : []),
    ...(unserved ? ["Some pods had no address at the end; -o wide has their number"] : []),
  ];
  return {
    value: answer,
    explain: answer.explain,
    table: { columns, rows: rows.map(row), footers },
    wide: {
      columns: [...columns, "Idle most", "Held most", "Wait p50", "Wait most", "Unserved", "Alike"],
      rows: rows.map((each) => [
        ...row(each),
        String(each.idleMost),
        String(each.heldMost),
        seconds(each.delayP50Ms),
        seconds(each.delayMostMs),
        String(each.podsUnserved),
        each.alike.join("; ") || "-",
      ]),
      footers,
    },
  };
}
