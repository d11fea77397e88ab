import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Image } from "./registry.ts";

/**
 * Puts the programs that an image has at fixed paths ("/app/grpc-health-probe") into the node's file system, as
 * small scripts: containers share it, and probes and people call them by these paths.
 */
export function placeImageFiles(image: Image): void {
  for (const [path, argv] of Object.entries(image.files ?? {})) {
    if (existsSync(path)) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `#!/bin/sh\nexec ${argv.map(quoted).join(" ")} "$@"\n`);
    chmodSync(path, 0o755);
  }
}

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
