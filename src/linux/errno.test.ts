import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { errno, errnoName, foreignSystemError, hasErrno, systemError } from "./errno.ts";

test("errno numbers become our codes", () => {
  const codeOf = (number: number): string => systemError("try it", number).code;
  expect(codeOf(errno.ENOENT)).toBe("not_found");
  expect(codeOf(errno.EEXIST)).toBe("already_exists");
  expect(codeOf(errno.EPERM)).toBe("permission_denied");
  expect(codeOf(errno.EOPNOTSUPP)).toBe("unsupported");
  expect(codeOf(errno.EINVAL)).toBe("invalid_argument");
  expect(codeOf(errno.EBUSY)).toBe("conflict");
  expect(codeOf(4711)).toBe("internal");
});

test("one name for each number", () => {
  expect(errnoName(11)).toBe("EAGAIN");
  expect(errnoName(95)).toBe("EOPNOTSUPP");
  expect(errnoName(4711)).toBe("errno 4711");
});

test("the message says what was tried, what came and what to do", () => {
  const error = systemError("add a route", errno.EPERM, {
    found: "the kernel says no",
    facts: { offset: 4 },
  });
  expect(error.message).toBe(
    "cannot add a route: EPERM (operation not permitted): the kernel says no. Run as root (CAP_NET_ADMIN and CAP_SYS_ADMIN are needed)",
  );
  expect(error.parts.facts).toEqual({ errno: "EPERM", offset: 4 });
  expect(hasErrno(error, "EPERM", "EACCES")).toBe(true);
  expect(hasErrno(error, "EACCES")).toBe(false);
});

test("errors of node: calls are converted once", () => {
  let thrown: unknown;
  try {
    readFileSync("/absent/file");
  } catch (error) {
    thrown = error;
  }
  const converted = foreignSystemError("read a file", thrown);
  expect(converted.code).toBe("not_found");
  expect(foreignSystemError("do more", converted)).toBe(converted);
  expect(foreignSystemError("do it", new Error("odd")).code).toBe("internal");
});
