import { createImds } from "../../aws/imds.ts";
import { messageOf } from "../../base/error.ts";
import { HostNetns } from "../../hostnet/host.ts";
import { readEnvironment } from "../environment.ts";
import { runInit } from "./run.ts";

/** The program of the init container aws-vpc-cni-init; see `run.ts`. */
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
try {
  using host = HostNetns.open();
  await runInit({
    settings: readEnvironment(process.env).settings,
    // An argument, a variable, or where Debian's containernetworking-plugins has them.
    pluginFolder: process.argv[2] ?? (process.env.ENIVERSE_CNI_PLUGINS || "/usr/lib/cni"),
    host,
    imds: createImds(),
    say,
  });
} catch (error) {
  say(messageOf(error));
  process.exitCode = 1;
}
// The keep-alive connection to the metadata service would hold the process for a while.
await new Promise((resolve) => process.stdout.write("", resolve));
process.exit();
