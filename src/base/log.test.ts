import { expect, test } from "bun:test";
import { ManualClock } from "./clock.ts";
import { jsonLog } from "./log.ts";

test("a line has the official keys and the fields; lower levels are dropped", () => {
  const lines: string[] = [];
  const log = jsonLog((line) => lines.push(line), {
    caller: "ipamd",
    level: "info",
    clock: new ManualClock(0),
  });
  log("debug", "not this");
  log("warn", "this", { eni: "eni-1" });
  expect(lines).toEqual([
    '{"level":"warn","ts":"1970-01-01T00:00:00.000Z","caller":"ipamd","msg":"this","eni":"eni-1"}\n',
  ]);
});
