import { appendFileSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** The official CNI's limits: 100 MB a file, five old ones beside it (there compressed, here not). */
const longestBytes = 100 * 1024 * 1024;
const keptFiles = 5;

/**
 * Appends lines to a file and starts a new one when it is full: `ipamd.log` becomes `ipamd.log.1`, and so on. A
 * file that cannot be written stops nothing; its lines go to standard error.
 */
export function logFile(path: string, maxBytes = longestBytes): (line: string) => void {
  let bytes = 0;
  try {
    mkdirSync(dirname(path), { recursive: true });
    bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  } catch {
    // The first line tells.
  }
  return (line) => {
    try {
      if (bytes + line.length > maxBytes && bytes > 0) {
        rotate(path);
        bytes = 0;
      }
      appendFileSync(path, line, { mode: 0o644 });
      bytes += Buffer.byteLength(line);
    } catch {
      process.stderr.write(line);
    }
  };
}

function rotate(path: string): void {
  rmSync(`${path}.${keptFiles}`, { force: true });
  for (let number = keptFiles - 1; number >= 0; number--) {
    const from = number === 0 ? path : `${path}.${number}`;
    if (statSync(from, { throwIfNoEntry: false }) !== undefined) renameSync(from, `${path}.${number + 1}`);
  }
}
