import { readFileSync } from "node:fs";
import { runPlugin } from "../../cni/plugin.ts";
import { HostNetns } from "../../hostnet/host.ts";
import { ipamdSocket } from "../rpc/messages.ts";
import { nodeVersion } from "../version.ts";
import { grpcBackend, policyAgentDialer } from "./grpc.ts";
import { awsCni } from "./handler.ts";
import { pluginLog } from "./plugin-log.ts";
import { kernelWiring } from "./wiring.ts";

/**
 * aws-cni as a program of its own: what the relay turns into when ipamd's CNI socket does not answer. It asks
 * ipamd over gRPC, which is most likely away too: ADD fails then and DEL does what the pod's result allows.
 */
const about = (process.env.CNI_COMMAND ?? "") === "";
const stdin = about ? new Uint8Array() : readFileSync(0);
using host = HostNetns.open();
const backend = grpcBackend(process.env.AWS_CNI_IPAMD_SOCKET || ipamdSocket);
const dialPolicyAgent = policyAgentDialer();
const plugin = awsCni({
  backend,
  wiring: kernelWiring(host),
  dialPolicyAgent,
  version: nodeVersion,
  log: pluginLog(stdin, "aws-cni"),
});
const outcome = await runPlugin(plugin, process.env, stdin);
backend.close();
dialPolicyAgent.close();
process.stderr.write(outcome.stderr);
process.stdout.write(outcome.stdout);
process.exitCode = outcome.exitCode;
