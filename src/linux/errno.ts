import { constants } from "node:os";
import { EniverseError, type ErrorCode, type ErrorParts, messageOf } from "../base/error.ts";

/** errno numbers by name, as the operating system has them. */
export const errno = constants.errno;

const names: ReadonlyMap<number, string> = new Map(
  Object.entries(errno)
    // EAGAIN and EWOULDBLOCK, ENOTSUP and EOPNOTSUPP are one number each on Linux: keep the usual name.
    .filter(([name]) => name !== "EWOULDBLOCK" && name !== "ENOTSUP")
    .map(([name, number]) => [number, name]),
);

/** What our code is for an errno name; everything that is not listed is `internal`. */
const codes: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "not_found",
  ESRCH: "not_found",
  ENODEV: "not_found",
  ENXIO: "not_found",
  EADDRNOTAVAIL: "not_found",
  ECHILD: "not_found",
  EEXIST: "already_exists",
  EADDRINUSE: "already_exists",
  EPERM: "permission_denied",
  EACCES: "permission_denied",
  EROFS: "permission_denied",
  EINVAL: "invalid_argument",
  ERANGE: "invalid_argument",
  ENAMETOOLONG: "invalid_argument",
  ENOTDIR: "invalid_argument",
  EISDIR: "invalid_argument",
  EAFNOSUPPORT: "unsupported",
  EOPNOTSUPP: "unsupported",
  EPROTONOSUPPORT: "unsupported",
  ENOPROTOOPT: "unsupported",
  ENOSYS: "unsupported",
  EBUSY: "conflict",
  ENOTEMPTY: "conflict",
  EMFILE: "exhausted",
  ENFILE: "exhausted",
  ENOMEM: "exhausted",
  ENOBUFS: "exhausted",
  ENOSPC: "exhausted",
  ETIMEDOUT: "timeout",
  EAGAIN: "timeout",
  ECONNREFUSED: "unavailable",
  ECONNRESET: "unavailable",
  EHOSTUNREACH: "unavailable",
  ENETUNREACH: "unavailable",
  ENETDOWN: "unavailable",
  EPIPE: "unavailable",
};

/** Texts of strerror(3) for what the kernel commonly answers here. */
const texts: Readonly<Record<string, string>> = {
  ENOENT: "no such file or entry",
  ESRCH: "no such process or entry",
  ENODEV: "no such device",
  EADDRNOTAVAIL: "the address is not there",
  EEXIST: "it exists already",
  EPERM: "operation not permitted",
  EACCES: "permission denied",
  EINVAL: "invalid argument",
  EOPNOTSUPP: "operation not supported",
  EBUSY: "device or resource busy",
  ENETUNREACH: "network is unreachable",
  EHOSTUNREACH: "no route to host",
  ECONNREFUSED: "connection refused",
  EAGAIN: "nothing came in time",
};

const fixes: Partial<Record<ErrorCode, string>> = {
  permission_denied: "Run as root (CAP_NET_ADMIN and CAP_SYS_ADMIN are needed)",
  unsupported: "The running kernel lacks a feature that this needs; see the text for which",
};

/** "ENOENT" for 2; "errno 4711" for numbers without a name. */
export function errnoName(number: number): string {
  return names.get(number) ?? `errno ${number}`;
}

/**
 * The error of a failed system call or netlink request. `more` overrides parts of the message: `found` is put
 * after the errno's name and text.
 */
export function systemError(
  attempted: string,
  number: number,
  more: Partial<Pick<ErrorParts, "found" | "wanted" | "fix" | "facts">> = {},
): EniverseError {
  const name = errnoName(number);
  const code = codes[name] ?? "internal";
  const text = texts[name];
  const said = text === undefined ? name : `${name} (${text})`;
  const fix = more.fix ?? fixes[code];
  return new EniverseError(code, {
    attempted,
    found: more.found === undefined ? said : `${said}: ${more.found}`,
    ...(more.wanted === undefined ? {} : { wanted: more.wanted }),
    ...(fix === undefined ? {} : { fix }),
    facts: { errno: name, ...more.facts },
  });
}

/** The error of a failed `node:` call, which carries the errno's name in `code`; our own errors pass through. */
export function foreignSystemError(attempted: string, thrown: unknown): EniverseError {
  if (thrown instanceof EniverseError) return thrown;
  const name = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  const number = Object.entries(errno).find(([candidate]) => candidate === name)?.[1];
  if (number !== undefined) return systemError(attempted, number);
  return new EniverseError("internal", { attempted, found: messageOf(thrown), cause: thrown });
}

/** True when `error` came from one of these errno names. */
export function hasErrno(error: unknown, ...wanted: readonly string[]): error is EniverseError {
  return error instanceof EniverseError && wanted.includes(String(error.parts.facts?.errno));
}
