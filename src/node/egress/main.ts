import { readFileSync } from "node:fs";
import { runPlugin } from "../../cni/plugin.ts";
import { HostNetns } from "../../hostnet/host.ts";
import { pluginLog } from "../plugin/plugin-log.ts";
import { egressCni } from "./egress-cni.ts";

/** egress-cni as a program; see `egress-cni.ts`. */
const about = (process.env.CNI_COMMAND ?? "") === "";
const stdin = about ? new Uint8Array() : readFileSync(0);
using host = HostNetns.open();
const plugin = egressCni({ host, log: pluginLog(stdin, "egress-cni") });
const outcome = await runPlugin(plugin, process.env, stdin);
process.stderr.write(outcome.stderr);
process.stdout.write(outcome.stdout);
process.exitCode = outcome.exitCode;
