import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfigList } from "../../cni/config.ts";
import { serveRpc } from "../ipamd/rpc-server.ts";
import { type EntrypointParts, runEntrypoint } from "./run.ts";

let folder: string;
let logged: string[];
let signal: ((name: NodeJS.Signals) => void) | undefined;

/** ipamd's part is played by a shell script; its gRPC server by this process. */
function parts(script: string, more: Partial<EntrypointParts> = {}): EntrypointParts {
  return {
    env: {
      PATH: process.env.PATH,
      HOST_CNI_BIN_PATH: join(folder, "bin"),
      HOST_CNI_CONFDIR_PATH: join(folder, "net.d"),
    },
    imds: { get: async () => "10.0.1.10", find: async () => undefined },
    log: (_level, message) => logged.push(message),
    ipamd: ["sh", "-c", script],
    healthAddress: `unix://${join(folder, "ipamd.sock")}`,
    signals: (forward) => {
      signal = forward;
    },
    ...more,
  };
}

const serve = () =>
  serveRpc({
    backend: { addNetwork: () => Promise.reject(), delNetwork: () => Promise.reject() },
    policyConfig: () => ({
      NetworkPolicyMode: "",
      MultiNICEnabled: false,
      NodeIPv4: "",
      NodeIPv6: "",
      InstanceID: "",
      Region: "",
    }),
    socket: join(folder, "ipamd.sock"),
  });

const installed = ["aws-cni", "aws-cni.offline", "egress-cni", "egress-cni.offline"];

const conflist = (): string => join(folder, "net.d", "10-aws.conflist");

describe("the entrypoint", () => {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "entrypoint-"));
    logged = [];
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("installs the plugins, waits for ipamd's health, then writes the conflist", async () => {
    const running = runEntrypoint(parts(`touch ${folder}/started; exec sleep 60`));
    while (!existsSync(join(folder, "started"))) await Bun.sleep(5);
    expect(existsSync(conflist())).toBe(false);
    expect(readdirSync(join(folder, "bin")).sort()).toEqual(installed);
    expect(statSync(join(folder, "bin", "aws-cni")).mode & 0o111).toBe(0o111);
    const server = await serve();
    while (!existsSync(conflist())) await Bun.sleep(5);
    expect(parseConfigList(readFileSync(conflist(), "utf8")).name).toBe("aws-cni");
    expect(statSync(conflist()).mode & 0o777).toBe(0o644);
    signal?.("SIGTERM");
    expect(await running).toBe(1);
    await server.stop();
    expect(existsSync(conflist())).toBe(true);
  });

  test("ends as ipamd ends", async () => {
    expect(await runEntrypoint(parts("exit 0"))).toBe(0);
    expect(await runEntrypoint(parts("exit 3"))).toBe(1);
    expect(logged.at(-1)).toContain("exit code 3");
    expect(existsSync(conflist())).toBe(false);
  });

  test("hands ipamd the environment and the signals", async () => {
    const running = runEntrypoint(
      parts(
        `trap 'echo "$WARM_IP_TARGET" >${folder}/told; exit 0' TERM; touch ${folder}/up; while :; do sleep 0.01; done`,
        {
          env: { ...parts("").env, WARM_IP_TARGET: "5" },
        },
      ),
    );
    while (!existsSync(join(folder, "up"))) await Bun.sleep(5);
    signal?.("SIGTERM");
    expect(await running).toBe(0);
    expect(readFileSync(join(folder, "told"), "utf8")).toBe("5\n");
  });

  test("bad settings stop it before anything is touched", async () => {
    const bad = parts("exit 0", { env: { ...parts("").env, AWS_VPC_ENI_MTU: "1" } });
    expect(await runEntrypoint(bad)).toBe(1);
    expect(logged[0]).toContain("AWS_VPC_ENI_MTU");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("an IPv6 cluster whose node has no IPv4 address cannot start", async () => {
    const server = await serve();
    const imds = { get: () => Promise.reject(new Error("404")), find: async () => undefined };
    const env = { ...parts("").env, ENABLE_IPv6: "true" };
    await expect(runEntrypoint(parts("exec sleep 60", { imds, env }))).rejects.toThrow("404");
    expect(existsSync(conflist())).toBe(false);
    await server.stop();
  });

  test("an installed program is never half there: the file is replaced, not written over", async () => {
    const bin = join(folder, "bin");
    await runEntrypoint(parts("exit 0"));
    const before = statSync(join(bin, "aws-cni")).ino;
    writeFileSync(join(bin, "unrelated"), "x");
    await runEntrypoint(parts("exit 0"));
    expect(statSync(join(bin, "aws-cni")).ino).not.toBe(before);
    expect(readdirSync(bin).sort()).toEqual([...installed, "unrelated"]);
  });
});
