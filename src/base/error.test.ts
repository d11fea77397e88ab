import { expect, test } from "bun:test";
import { EniverseError, hasCode, messageOf } from "./error.ts";

test("a message says what was tried, found and wanted, and what to do", () => {
  const cause = new Error("underneath");
  const error = new EniverseError("conflict", {
    attempted: "do it",
    found: "a wall",
    wanted: "a door",
    fix: "Dig",
    cause,
  });
  expect(error.message).toBe("cannot do it: a wall; wanted a door. Dig");
  expect(error.cause).toBe(cause);
  expect(new EniverseError("internal", { attempted: "do it" }).message).toBe("cannot do it");
});

test("codes are what callers decide on", () => {
  const error: unknown = new EniverseError("not_found", { attempted: "look" });
  expect(hasCode(error, "conflict", "not_found")).toBe(true);
  expect(hasCode(error, "conflict")).toBe(false);
  expect(hasCode(new Error("not_found"), "not_found")).toBe(false);
  expect(messageOf("text")).toBe("text");
});
