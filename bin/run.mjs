// Runs a TypeScript file with the project's own Bun: `node bin/run.mjs FILE ARGS…`.
// Node only carries the arguments over; every program of this package runs on Bun.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const bun = `${root}node_modules/bun/bin/bun.exe`;
if (!existsSync(bun)) {
  console.error(
    `eniverse: cannot start: the Bun runtime is not installed (no ${bun}). Run "npm ci" in ${root}`,
  );
  process.exit(1);
}
const [file, ...args] = process.argv.slice(2);
const child = spawn(bun, [`${root}${file}`, ...args], { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(code ?? (signal === null ? 1 : 128 + 15)));
