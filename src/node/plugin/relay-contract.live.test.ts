import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compiledRelay, installFile, scriptRelay } from "./build.ts";
import type { CniRequest, CniResponse } from "./protocol.ts";
import { type CniServer, serveCni } from "./server.ts";

const folder = mkdtempSync(join(tmpdir(), "relay-"));
const socket = join(folder, "cni.sock");
const nowhere = join(folder, "nobody.sock");
let server: CniServer;
let answer: (request: CniRequest) => CniResponse;
let breaking: { stop(force?: boolean): void };
const cut = join(folder, "cut.sock");

beforeAll(() => {
  server = serveCni(async (request) => answer(request), socket);
  // Takes the request and goes away without a word, as an ipamd that is killed.
  breaking = Bun.listen({ unix: cut, socket: { data: (client) => client.terminate() } });
});
afterAll(() => {
  server.close();
  breaking.stop(true);
  rmSync(folder, { recursive: true });
});

async function run(
  program: string,
  env: Record<string, string>,
  stdin: string,
  args: readonly string[] = [],
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const child = Bun.spawn([program, ...args], {
    env: { PATH: process.env.PATH ?? "", ...env },
    stdin: new TextEncoder().encode(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { exitCode: await child.exited, stdout, stderr };
}

const relays = [
  ["C", join(folder, "c", "aws-cni"), () => compiledRelay()],
  ["TypeScript", join(folder, "ts", "aws-cni"), () => scriptRelay()],
] as const;

describe.each(relays)("the relay in %s", (kind, program, make) => {
  beforeAll(() => {
    const content = make();
    if (content === undefined) throw new Error("no C compiler: install gcc to test relay.c");
    const into = join(program, "..");
    Bun.spawnSync(["mkdir", "-p", into]);
    installFile(into, "aws-cni", content, 0o755);
    // The offline plugin of this test says what it got.
    writeFileSync(
      `${program}.offline`,
      '#!/bin/sh\nprintf "offline %s %s " "$CNI_COMMAND" "$OTHER"; cat; exit 7\n',
    );
    chmodSync(`${program}.offline`, 0o755);
  });

  const call = (env: Record<string, string>, stdin = "{}", args: readonly string[] = []) =>
    run(program, { AWS_CNI_SOCKET: socket, CNI_COMMAND: "ADD", OTHER: "x", ...env }, stdin, args);

  test("carries the CNI variables and standard input, and prints the answer", async () => {
    let seen: CniRequest | undefined;
    answer = (request) => {
      seen = request;
      return { exitCode: 0, stdout: '{"ips":[]}\n' };
    };
    const outcome = await call({ CNI_ARGS: "A=b=c;D=é", CNI_NETNS: "" }, '{"name":"n"}');
    expect(outcome).toEqual({ exitCode: 0, stdout: '{"ips":[]}\n', stderr: "" });
    expect(seen?.env).toEqual({ CNI_COMMAND: "ADD", CNI_ARGS: "A=b=c;D=é", CNI_NETNS: "" });
    expect(new TextDecoder().decode(seen?.stdin)).toBe('{"name":"n"}');
  });

  test("passes the exit code on", async () => {
    answer = () => ({ exitCode: 1, stdout: '{"code":999}' });
    expect(await call({})).toEqual({ exitCode: 1, stdout: '{"code":999}', stderr: "" });
  });

  test("carries what is longer than a socket's buffer, both ways", async () => {
    const long = "ä".repeat(700_000);
    answer = (request) => ({ exitCode: 0, stdout: new TextDecoder().decode(request.stdin) });
    expect((await call({}, long)).stdout === long).toBe(true);
  });

  test("becomes the offline plugin, with environment and standard input, when nobody listens", async () => {
    const outcome = await call({ AWS_CNI_SOCKET: nowhere }, '{"name":"n"}');
    expect(outcome).toEqual({ exitCode: 7, stdout: 'offline ADD x {"name":"n"}', stderr: "" });
  });

  test("does so too when the answer does not come", async () => {
    const outcome = await call({ AWS_CNI_SOCKET: cut, CNI_COMMAND: "DEL" }, '{"name":"n"}');
    expect(outcome).toEqual({ exitCode: 7, stdout: 'offline DEL x {"name":"n"}', stderr: "" });
  });

  test("says what it is when it is called by hand", async () => {
    for (const [env, args] of [
      [{ CNI_COMMAND: "" }, []],
      [{}, ["--help"]],
    ] as const) {
      const outcome = await call(env, "", args);
      expect(outcome.exitCode).toBe(0);
      expect(outcome.stdout).toBe("");
      expect(outcome.stderr).toMatch(
        /^AWS CNI \d\S*\nCNI protocol versions supported: 0\.1\.0, 0\.2\.0, 0\.3\.0, 0\.3\.1, 0\.4\.0, 1\.0\.0, 1\.1\.0\n$/,
      );
    }
  });

  test("without an offline plugin there is still a CNI error", async () => {
    const bare = join(folder, `bare-${kind}`);
    Bun.spawnSync(["mkdir", "-p", bare]);
    installFile(bare, "aws-cni", make() ?? new Uint8Array(), 0o755);
    const outcome = await run(join(bare, "aws-cni"), { CNI_COMMAND: "ADD", AWS_CNI_SOCKET: nowhere }, "{}");
    expect(outcome.exitCode).toBe(1);
    expect(JSON.parse(outcome.stdout)).toMatchObject({ code: 999 });
  });
});
