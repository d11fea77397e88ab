import { EniverseError } from "../base/error.ts";
import { probeFeatures } from "../linux/features.ts";
import { installDebianPackages } from "./debian-packages.ts";

/**
 * Makes this machine ready for a lab: installs what is missing from Debian, telling `say`, and throws `unsupported`
 * or `permission_denied` naming everything else that it lacks and how to get it.
 */
export function prepareMachine(say: (line: string) => void): void {
  if (process.platform !== "linux") {
    throw new EniverseError("unsupported", {
      attempted: "bring up a lab",
      found: `an operating system called ${process.platform}`,
      wanted: "Linux: a lab is made of its network namespaces",
    });
  }
  if (process.getuid?.() === 0) installDebianPackages("lab", say);
  const missing = probeFeatures().filter(({ answer }) => answer === "no");
  if (missing.length === 0) return;
  throw new EniverseError(missing[0]?.name === "root" ? "permission_denied" : "unsupported", {
    attempted: "bring up a lab on this machine",
    found: missing.map(({ name, found }) => `${name}: ${found ?? "missing"}`).join("; "),
    fix: [...new Set(missing.map(({ fix }) => fix ?? ""))].join(". "),
  });
}
