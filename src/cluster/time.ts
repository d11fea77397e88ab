/** The API's form of a time: seconds, UTC: "2026-01-01T00:00:00Z". */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
