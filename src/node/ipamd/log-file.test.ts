import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logFile } from "./log-file.ts";

test("a full log file makes room for a new one, and five old ones are kept", () => {
  const folder = mkdtempSync(join(tmpdir(), "log-"));
  const path = join(folder, "made", "ipamd.log");
  const write = logFile(path, 10);
  for (let line = 0; line < 9; line++) write(`line ${line}\n`);
  expect(readdirSync(join(folder, "made")).sort()).toEqual([
    "ipamd.log",
    ...[1, 2, 3, 4, 5].map((number) => `ipamd.log.${number}`),
  ]);
  expect(readFileSync(path, "utf8")).toBe("line 8\n");
  expect(readFileSync(`${path}.5`, "utf8")).toBe("line 3\n");
  // Another process goes on where this one ended.
  logFile(path, 10)("again\n");
  expect(readFileSync(path, "utf8")).toBe("again\n");
  expect(readFileSync(`${path}.1`, "utf8")).toBe("line 8\n");
  rmSync(folder, { recursive: true });
});
