// Builds the package entry `eniverse/plan`: dist/plan.js, one module without imports for Node, Bun and browsers,
// and dist/plan/…, its declarations. `node bin/run.mjs scripts/build-plan.ts`; npm does it before it packs.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const root = join(import.meta.dir, "..");
const output = join(root, "dist");
const declarations = join(output, "plan");

rmSync(declarations, { recursive: true, force: true });
await bundle();
declare();

async function bundle(): Promise<void> {
  const built = await Bun.build({
    entrypoints: [join(root, "src/plan/index.ts")],
    outdir: output,
    naming: "plan.js",
    target: "browser",
    format: "esm",
  });
  if (!built.success) throw new AggregateError(built.logs, "plan.js was not built");
}

/** Declarations of every file that the entry leads to, with imports that name what is there: ".js". */
function declare(): void {
  const all = join(output, "plan.all");
  const config = join(output, "tsconfig.plan.json");
  writeFileSync(
    config,
    JSON.stringify({
      extends: "../tsconfig.json",
      compilerOptions: {
        noEmit: false,
        declaration: true,
        emitDeclarationOnly: true,
        outDir: all,
        rootDir: "../src",
        // Nothing of Node or Bun may be needed: the same check that a user's compiler will make.
        types: [],
        // What the gate looks after; a package can be made while someone is at work.
        noUnusedLocals: false,
        noUnusedParameters: false,
      },
      files: ["../src/plan/index.ts"],
      include: [],
    }),
  );
  const run = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", config], { stdio: "inherit" });
  rmSync(config);
  if (run.status !== 0) throw new Error("the declarations were not made");
  const queue = [join(all, "plan/index.d.ts")];
  const seen = new Set<string>();
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    if (seen.has(file) || !existsSync(file)) continue;
    seen.add(file);
    const text = readFileSync(file, "utf8");
    for (const [, path = ""] of text.matchAll(/from "(\.[^"]+)\.ts"/g)) {
      queue.push(join(dirname(file), `${path}.d.ts`));
    }
    const target = join(declarations, relative(all, file));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text.replaceAll(/(from ")(\.[^"]+)\.ts(")/g, "$1$2.js$3"));
  }
  rmSync(all, { recursive: true });
}
