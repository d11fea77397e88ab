import { EniverseError } from "../base/error.ts";
import { missingFeatures } from "../linux/features.ts";

/** Throws `unsupported` or `permission_denied` naming everything that this machine lacks for a lab. */
export function checkMachine(): void {
  if (process.platform !== "linux") {
    throw new EniverseError("unsupported", {
      attempted: "bring up a lab",
      found: `an operating system called ${process.platform}`,
      wanted: "Linux: a lab is made of its network namespaces",
    });
  }
  const missing = missingFeatures();
  if (missing.length === 0) return;
  throw new EniverseError("unsupported", {
    attempted: "bring up a lab on this machine",
    found: missing.map(({ name, problem }) => `${name}: ${problem}`).join("; "),
    fix: missing.map(({ fix }) => fix).join(" "),
  });
}
