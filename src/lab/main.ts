// The lab process: `bun src/lab/main.ts NAME`. Started by launch.ts; says what it does on its control socket and
// writes its log to standard output. It ends on POST /down (taking the lab down) and on SIGTERM or SIGINT
// (leaving the nodes, pods and packets as they are).
import { writeFileSync } from "node:fs";
import { formatIpv4 } from "../addr/ipv4.ts";
import { formatIpv6 } from "../addr/ipv6.ts";
import { messageOf } from "../base/error.ts";
import { jsonLog } from "../base/log.ts";
import { identityOf } from "../linux/process.ts";
import { cloudPicture } from "./check/cloud-picture.ts";
import type { LabPhase, LabStatus } from "./control.ts";
import { LabJournal, serveControl } from "./control-server.ts";
import { answerFaults } from "./faults/serve.ts";
import { type Lab, startLab } from "./lab.ts";
import { beganMessage, toldToEndMessage } from "./last-words.ts";
import { storedConfig } from "./launch.ts";
import { labPaths } from "./paths.ts";
import { tearDown } from "./teardown.ts";

const paths = labPaths(process.argv[2] ?? "");
const config = storedConfig(paths);
// The log is a file, whose disk may be full: the lab goes on without it.
process.stdout.on("error", () => {});
const log = jsonLog((line) => process.stdout.write(line), { caller: "lab", level: "info" });
if (config === undefined) {
  log("error", `there is no configuration at ${paths.config}`);
  process.exit(1);
}
log("info", beganMessage, { pid: process.pid });
writeFileSync(paths.process, JSON.stringify(identityOf(process.pid)));

const startedAt = new Date().toISOString();
const journal = new LabJournal(() => performance.now());
let phase: LabPhase = "starting";
let failure: string | undefined;
let lab: Lab | undefined;
let leaving = false;

const status = (): LabStatus => ({
  name: paths.name,
  phase,
  pid: process.pid,
  startedAt,
  steps: journal.steps,
  ...(failure === undefined ? {} : { error: failure }),
  ipFamily: config.cluster.ipFamily,
  ...(lab === undefined
    ? {}
    : {
        endpoints: lab.endpoints,
        internetEcho: formatIpv4(lab.fabric.echo4),
        internetEcho6: formatIpv6(lab.fabric.echo6),
      }),
  machines: lab?.machines() ?? [],
  namespaces: lab?.namespaces() ?? {},
});

const stopControl = serveControl(paths.socket, journal, {
  status,
  down: () => void leave(async () => tearDown(paths, lab)),
  more: (request, path) => {
    if (lab === undefined) return undefined;
    if (request.method === "GET" && path === "/model")
      return Promise.resolve(Response.json(cloudPicture(lab.cloud)));
    if (request.method === "GET" && path === "/ec2-calls")
      return Promise.resolve(Response.json(lab.cloud.calls.latest()));
    return answerFaults(lab.faults, request, path);
  },
});
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  process.on(signal, () => {
    log("warn", toldToEndMessage, { why: signal });
    void leave(async () => lab?.close());
  });
}
// Nobody knows what stands after it: nodes and pods go on, and the next process takes over what is there.
process.on("uncaughtException", (error) => {
  log("error", "an exception that nobody caught ends the lab process", {
    error: messageOf(error),
    stack: error.stack,
  });
  process.exit(1);
});
process.on("unhandledRejection", (error) =>
  log("error", "a promise failed unseen", { error: messageOf(error) }),
);

try {
  lab = await startLab(paths, config, journal, log);
  phase = "ready";
  log("info", "the lab is up");
} catch (error) {
  phase = "failed";
  failure = messageOf(error);
  log("error", "the lab did not come up", {
    error: failure,
    stack: error instanceof Error ? error.stack : undefined,
  });
}
journal.close();

async function leave(last: () => Promise<void>): Promise<void> {
  if (leaving) return;
  leaving = true;
  phase = "stopping";
  try {
    await last();
  } catch (error) {
    log("error", "did not end cleanly", { error: messageOf(error) });
  }
  stopControl();
  process.exit(0);
}
