#!/usr/bin/env node
// The `eniverse` command: hands over to src/cli/main.ts on Bun.
process.argv.splice(2, 0, "src/cli/main.ts");
await import("./run.mjs");
