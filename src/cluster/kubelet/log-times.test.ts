import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LogTimes, offsetSince } from "./log-times.ts";
import { readLog } from "./logs.ts";

let folder = "";
let file = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "eniverse-log-times-"));
  file = join(folder, "0.log");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const second = (n: number): number => Date.parse("2026-01-02T03:04:00Z") + n * 1000;
const read = (more: { sinceMs?: number; tailLines?: number; timestamps?: boolean }): Promise<string> =>
  new Response(
    readLog(file, { follow: false, signal: new AbortController().signal, isOpen: () => false, ...more }),
  ).text();

describe("the times of log lines", () => {
  test("are those at which they were first seen, also by the next kubelet", async () => {
    const times = new LogTimes();
    writeFileSync(file, "one\n");
    times.look([file], second(1));
    times.look([file], second(2));
    appendFileSync(file, "two\nthree\n");
    times.look([file], second(3));
    const next = new LogTimes();
    next.look([file], second(4));
    appendFileSync(file, "four\n");
    next.look([file], second(5));
    expect(await read({ timestamps: true })).toBe(
      [
        "2026-01-02T03:04:01.000Z one",
        "2026-01-02T03:04:03.000Z two",
        "2026-01-02T03:04:03.000Z three",
        "2026-01-02T03:04:05.000Z four",
        "",
      ].join("\n"),
    );
    expect(await read({ sinceMs: second(3) })).toBe("two\nthree\nfour\n");
    expect(await read({ sinceMs: second(4), timestamps: true })).toBe("2026-01-02T03:04:05.000Z four\n");
    expect(await read({ sinceMs: second(9) })).toBe("");
    expect(await read({ sinceMs: second(0), tailLines: 1 })).toBe("four\n");
  });

  test("are now for what nobody has looked at, and take nothing away", async () => {
    writeFileSync(file, "new\n");
    expect(offsetSince(file, second(9))).toBe(0);
    expect(await read({ timestamps: true })).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z new\n$/);
  });

  test("do without a log that is not there", () => {
    expect(() => new LogTimes().look([join(folder, "none.log")], second(1))).not.toThrow();
  });
});
