import { spawnSync } from "node:child_process";
import { readFileSync, writeSync } from "node:fs";
import { connect } from "node:net";
import { specVersions } from "../../cni/version.ts";
import { nodeVersion } from "../version.ts";
import { type CniResponse, cniSocket, decodeResponse, encodeRequest } from "./protocol.ts";

/**
 * What `relay.c` does, for machines without a C compiler; `relay-contract.live.test.ts` holds for both. The
 * program's own path comes as its first argument, since the kernel knows the interpreter's only.
 */
const [ownPath = "", option] = process.argv.slice(2);

if (option === "--help" || (process.env.CNI_COMMAND ?? "") === "") {
  process.stderr.write(
    `AWS CNI ${nodeVersion}\nCNI protocol versions supported: ${specVersions.join(", ")}\n`,
  );
} else {
  relay();
}

function relay(): void {
  const socket = connect({ path: process.env.AWS_CNI_SOCKET || cniSocket });
  let input: Buffer | undefined;
  let received: Buffer = Buffer.alloc(0);
  let done = false;
  const finish = (response: CniResponse | undefined): void => {
    if (done) return;
    done = true;
    socket.destroy();
    if (response === undefined) process.exit(offline(input));
    writeFully(response.stdout);
    process.exit(response.exitCode);
  };
  socket.once("connect", () => {
    const env = Object.entries(process.env).filter(([name]) => name.startsWith("CNI_"));
    const stdin: Buffer = readFileSync(0);
    input = stdin;
    socket.write(encodeRequest({ env: Object.fromEntries(env) as Record<string, string>, stdin }));
  });
  socket.on("data", (bytes) => {
    received = Buffer.concat([received, Buffer.from(bytes)]);
    try {
      const response = decodeResponse(received);
      if (response !== undefined) finish(response);
    } catch {
      finish(undefined);
    }
  });
  socket.on("error", () => finish(undefined));
  socket.on("close", () => finish(undefined));
}

/** Standard input that was not read yet is inherited as it is. */
function offline(input: Buffer | undefined): number {
  const child = spawnSync(`${ownPath}.offline`, [], {
    stdio: [input === undefined ? "inherit" : "pipe", "inherit", "inherit"],
    ...(input === undefined ? {} : { input }),
  });
  if (child.error === undefined) return child.status ?? 1;
  const msg = `aws-cni: ipamd cannot be reached and the offline plugin cannot be started: ${child.error.message}`;
  writeFully(`${JSON.stringify({ code: 999, msg }, null, 4)}\n`);
  return 1;
}

function writeFully(text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
}
