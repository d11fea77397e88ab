import { EniverseError } from "../base/error.ts";

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of "90s", "1m30s", "1h" or "250ms". Throws `invalid_argument`. */
export function parseSpan(text: string, field: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
    throw new EniverseError("invalid_argument", {
      attempted: `read ${field}`,
      found: JSON.stringify(text),
      wanted: "a time as 90s, 1m30s, 1h or 250ms",
      facts: { field },
    });
  }
  return parts.reduce((sum, [, number, unit = ""]) => sum + Number(number) * (unitsMs[unit] ?? 0), 0);
}

/** "1h", "1m 30s", "2.5 s", "300 ms": the two largest units. */
export function formatSpan(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${Math.round(ms / 100) / 10} s`;
  const seconds = Math.round(ms / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60];
  const parts = h > 0 ? [`${h}h`, m > 0 ? `${m}m` : ""] : [`${m}m`, s > 0 ? `${s}s` : ""];
  return parts.filter((part) => part !== "").join(" ");
}
