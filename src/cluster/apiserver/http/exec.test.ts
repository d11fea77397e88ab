import { afterAll, describe, expect, test } from "bun:test";
import type { ExecInPod, PodExecOptions } from "../options.ts";
import { startTestServer } from "../test-server.ts";

const commands: string[] = [];
/** `cat` echoes its input, `fail` ends with 3, `stty` tells the size of its terminal, `sleep` lasts. */
const execInPod: ExecInPod = async (pod, options: PodExecOptions) => {
  const [program] = options.command;
  commands.push(`${pod.namespace}/${pod.name} ${options.container} ${options.command.join(" ")}`);
  const say = (text: string): void => options.onStdout(new TextEncoder().encode(text));
  if (program === "cat") for await (const chunk of options.stdin ?? []) options.onStdout(chunk);
  if (program === "stty")
    return new Promise((resolve) =>
      options.onResizable((columns, rows) => {
        say(`${options.tty} ${columns} ${rows}`);
        resolve(0);
      }),
    );
  if (program === "sleep")
    return new Promise((resolve) =>
      options.signal.addEventListener("abort", () => {
        commands.push("sleep is over");
        resolve(137);
      }),
    );
  if (program === "nothing") throw new Error("no such program");
  options.onStderr(new TextEncoder().encode("noise"));
  return program === "fail" ? 3 : 0;
};

const host = startTestServer({ execInPod });
const listener = host.server.listen("127.0.0.1", 0);
const token = host.server.tokenFor({ admin: true });
afterAll(() => host[Symbol.asyncDispose]());

const path = (query: string): string => `/api/v1/namespaces/default/pods/web/exec?${query}`;

async function makePod(): Promise<void> {
  await host.server.client.create(
    { group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "web", namespace: "default" },
      spec: { nodeName: "n1", containers: [{ name: "main", image: "busybox" }] },
    } as never,
  );
}
const made = makePod();

/** Opens the WebSocket, sends the frames, and resolves with all that came, by channel, when it is closed. */
async function exec(query: string, frames: readonly (readonly [number, ...number[]])[] = []) {
  await made;
  const socket = new WebSocket(`${listener.url.replace("https", "wss")}${path(query)}`, {
    headers: { authorization: `Bearer ${token}` },
    protocols: ["v5.channel.k8s.io", "v4.channel.k8s.io"],
    tls: { ca: host.server.ca },
  } as never);
  socket.binaryType = "arraybuffer";
  const came: Record<number, string> = {};
  const closed = Promise.withResolvers<void>();
  socket.onmessage = (event: MessageEvent<ArrayBuffer>) => {
    const bytes = new Uint8Array(event.data);
    const kind = bytes[0] ?? 0;
    came[kind] = (came[kind] ?? "") + new TextDecoder().decode(bytes.subarray(1));
  };
  socket.onopen = () => {
    for (const frame of frames) socket.send(new Uint8Array(frame));
  };
  socket.onclose = () => closed.resolve();
  socket.onerror = (event) => closed.reject(new Error(String((event as ErrorEvent).message)));
  return { socket, came, closed: closed.promise };
}

describe("exec over a WebSocket", () => {
  test("carries input, output and the end of the input", async () => {
    const { socket, came, closed } = await exec("command=cat&command=-u&stdin=true", [
      [0, 104, 105],
      [0, 33],
      [255, 0],
    ]);
    await closed;
    expect(socket.protocol).toBe("v5.channel.k8s.io");
    expect(came).toEqual({
      1: "hi!",
      2: "noise",
      3: JSON.stringify({ metadata: {}, status: "Success" }),
    });
    expect(commands.at(-1)).toBe("default/web main cat -u");
  });

  test("tells the exit code as kubectl reads it, and why nothing ran", async () => {
    const failing = await exec("command=fail");
    await failing.closed;
    expect(JSON.parse(failing.came[3] ?? "")).toMatchObject({
      reason: "NonZeroExitCode",
      details: { causes: [{ reason: "ExitCode", message: "3" }] },
    });
    const none = await exec("command=nothing");
    await none.closed;
    expect(JSON.parse(none.came[3] ?? "")).toMatchObject({ status: "Failure", message: "no such program" });
  });

  test("tells a terminal its size", async () => {
    const size = new TextEncoder().encode('{"Width":132,"Height":43}');
    const { came, closed } = await exec("command=stty&tty=true", [[4, ...size]]);
    await closed;
    expect(came[1]).toBe("true 132 43");
  });

  test("ends the command when the client goes", async () => {
    const { socket, closed } = await exec("command=sleep");
    await new Promise<void>((resolve) => {
      socket.onopen = () => resolve();
    });
    socket.close();
    await closed;
    while (commands.at(-1) !== "sleep is over") await new Promise((resolve) => setTimeout(resolve, 5));
  });
});

describe("what is not served says so", () => {
  const ask = async (where: string, headers: Record<string, string> = {}) => {
    await made;
    const { status, body } = await host.call("POST", where, undefined, headers);
    return `${status} ${body.message}`;
  };

  test("SPDY, which kubectl spoke before 1.31", async () => {
    const headers = { upgrade: "SPDY/3.1", "x-stream-protocol-version": "v4.channel.k8s.io" };
    expect(await ask(path("command=ls"), headers)).toStartWith(
      "400 exec speaks WebSockets (v5.channel.k8s.io, v4.channel.k8s.io) here, as kubectl does from 1.31 on",
    );
  });

  test("attach and port-forward", async () => {
    expect(await ask("/api/v1/namespaces/default/pods/web/attach")).toStartWith("400 attach is not served");
    expect(await ask("/api/v1/namespaces/default/pods/web/portforward")).toStartWith(
      "400 port-forward is not served",
    );
  });

  test("pods, containers and commands that are not there", async () => {
    expect(await ask("/api/v1/namespaces/default/pods/nope/exec?command=ls")).toBe(
      '404 pods "nope" not found',
    );
    expect(await ask(path("command=ls&container=nope"))).toBe("400 container nope is not valid for pod web");
    expect(await ask(path(""))).toStartWith("400 you must specify at least one command");
  });
});
