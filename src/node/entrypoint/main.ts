import { createImds } from "../../aws/imds.ts";
import { messageOf } from "../../base/error.ts";
import { jsonLog } from "../../base/log.ts";
import { runEntrypoint } from "./run.ts";

/** The program of the aws-node container; see `run.ts`. */
const log = jsonLog((line) => process.stdout.write(line), { caller: "entrypoint" });
try {
  process.exitCode = await runEntrypoint({
    env: process.env,
    imds: createImds(),
    log,
    signals: (forward) => {
      for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => forward(signal));
    },
  });
} catch (error) {
  log("error", messageOf(error));
  process.exitCode = 1;
}
// The keep-alive connection to the metadata service would hold the process for a while.
await new Promise((resolve) => process.stdout.write("", resolve));
process.exit();
