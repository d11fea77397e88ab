import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { beganMessage, lastWordsIn, toldToEndMessage, withLastWords } from "./last-words.ts";

function logOf(script: string): { readonly status: number | null; readonly log: string } {
  const [command, ...args] = withLastWords(["/bin/sh", "-c", script, "program", "an argument"]);
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8" });
  return { status, log: stdout };
}

test("a process that ends by its own will says nothing", () => {
  expect(logOf('echo "$1"')).toEqual({ status: 0, log: "an argument\n" });
  expect(lastWordsIn("an argument\n")).toBeUndefined();
});

test.each([
  ["kill -KILL $$", 137, "SIGKILL"],
  ["kill -SEGV $$", 139, "SIGSEGV"],
  ["echo working; exit 3", 3, "status 3"],
])("%s leaves its reason in the log", (script, status, why) => {
  const ended = logOf(script);
  expect(ended.status).toBe(status);
  expect(lastWordsIn(`${ended.log}{"msg":"unfinished`)).toStartWith(`${why} at 20`);
  expect(lastWordsIn(`${ended.log}{"msg":"${beganMessage}"}\n`)).toBeUndefined();
});

test("a signal that the process obeys is its reason, not that of the process before it", () => {
  const killed = logOf("kill -KILL $$").log;
  const told = JSON.stringify({ ts: "2026-01-01T00:00:00.000Z", msg: toldToEndMessage, why: "SIGTERM" });
  expect(lastWordsIn(`${killed}{"msg":"${beganMessage}"}\n${told}\n`)).toBe(
    "SIGTERM at 2026-01-01T00:00:00.000Z",
  );
});
