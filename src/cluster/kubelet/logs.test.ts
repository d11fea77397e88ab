import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readLog, tailOffset } from "./logs.ts";

let folder = "";
let file = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "eniverse-logs-"));
  file = join(folder, "0.log");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const never = new AbortController().signal;

describe("a log", () => {
  test.each([
    ["a\nb\nc\n", 2, "b\nc\n"],
    ["a\nb\nc", 2, "b\nc"],
    ["a\nb\n", 9, "a\nb\n"],
    ["a\nb\n", 0, ""],
    ["", 3, ""],
    ["\n\n\n", 2, "\n\n"],
  ])("the end of %j, %d lines, is %j", (text, lines, expected) => {
    writeFileSync(file, text);
    expect(text.slice(tailOffset(file, lines))).toBe(expected);
  });

  test("the end of a long one is found across blocks", () => {
    const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index}`);
    const text = `${lines.join("\n")}\n`;
    writeFileSync(file, text);
    expect(text.slice(tailOffset(file, 15_000))).toBe(`${lines.slice(5_000).join("\n")}\n`);
  });

  test("is read from the asked place, at most so many bytes", async () => {
    writeFileSync(file, "one\ntwo\nthree\n");
    const text = await new Response(
      readLog(file, { follow: false, tailLines: 2, limitBytes: 5, signal: never, isOpen: () => true }),
    ).text();
    expect(text).toBe("two\nt");
  });

  test("is followed until its container ends, with what was written last", async () => {
    writeFileSync(file, "one\n");
    let open = true;
    const reader = readLog(file, { follow: true, signal: never, isOpen: () => open }).getReader();
    const next = async (): Promise<string> => new TextDecoder().decode((await reader.read()).value);
    expect(await next()).toBe("one\n");
    const waiting = next();
    appendFileSync(file, "two\n");
    expect(await waiting).toBe("two\n");
    appendFileSync(file, "three\n");
    open = false;
    expect(await next()).toBe("three\n");
    expect((await reader.read()).done).toBe(true);
  });
});
