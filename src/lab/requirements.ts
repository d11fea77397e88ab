import { EniverseError } from "../base/error.ts";
import { probeFeatures } from "../linux/features.ts";

/** Throws `unsupported` naming everything that this machine lacks for a lab and how to get it. */
export function checkMachine(): void {
  if (process.platform !== "linux") {
    throw new EniverseError("unsupported", {
      attempted: "bring up a lab",
      found: `an operating system called ${process.platform}`,
      wanted: "Linux: a lab is made of its network namespaces",
    });
  }
  const missing = probeFeatures().filter(({ answer }) => answer === "no");
  if (missing.length === 0) return;
  throw new EniverseError(missing[0]?.name === "root" ? "permission_denied" : "unsupported", {
    attempted: "bring up a lab on this machine",
    found: missing.map(({ name, found }) => `${name}: ${found ?? "missing"}`).join("; "),
    fix: [...new Set(missing.map(({ fix }) => fix ?? ""))].join(". "),
  });
}
