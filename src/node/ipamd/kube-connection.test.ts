import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../base/clock.ts";
import { EniverseError } from "../../base/error.ts";
import { noLog } from "../../base/log.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { Node } from "../../kube/resources.ts";
import { FakeKube } from "./fake-kube.ts";
import { connectKube, type KubeConnection } from "./kube-connection.ts";
import { failureOf } from "./test-node.ts";

const node: Node = { apiVersion: "v1", kind: "Node", metadata: { name: "node-1" } };

/** A server that is away until the clock says `from`; before, it fails with `code`. */
function setUp(from: number, options: { required: boolean; code?: "timeout" | "permission_denied" }) {
  const clock = new ManualClock();
  const stopping = new AbortController();
  const kube = new FakeKube([node]);
  let asked = 0;
  const client: KubeClient = {
    ...kube.client,
    version: async () => {
      asked++;
      if (clock.now() >= from) return { gitVersion: "v1.34.0" };
      throw new EniverseError(options.code ?? "timeout", { attempted: "ask for the version" });
    },
  };
  const connecting = connectKube({
    client,
    nodeName: "node-1",
    required: options.required,
    clock,
    log: noLog,
    signal: stopping.signal,
    onNode: () => {},
  });
  let connection: KubeConnection | undefined;
  connecting.then(
    (made) => {
      connection = made;
    },
    () => {},
  );
  return {
    clock,
    connecting,
    asked: () => asked,
    connection: () => connection,
    stop: () => stopping.abort(),
  };
}

describe("the wait for the API server", () => {
  test("ends as soon as it answers, with the node's object", async () => {
    const { clock, connection, stop } = setUp(250, { required: true });
    await clock.advance(10_000);
    expect(connection()?.client()).toBeDefined();
    expect(connection()?.node()).toMatchObject({ metadata: { name: "node-1" } });
    stop();
  });

  test("when it is not required, ends after 30 s; the server is found later", async () => {
    const { clock, connection, stop } = setUp(60_000, { required: false });
    await clock.advance(29_000);
    expect(connection()).toBeUndefined();
    await clock.advance(6000);
    expect(connection()).toBeDefined();
    expect(connection()?.client()).toBeUndefined();
    await clock.advance(40_000);
    expect(connection()?.client()).toBeDefined();
    stop();
  });

  test("when it is required, goes on for ever while nobody answers", async () => {
    const { clock, connection, asked, stop } = setUp(3_600_000, { required: true });
    await clock.advance(600_000);
    expect(connection()).toBeUndefined();
    expect(asked()).toBeGreaterThan(200);
    stop();
  });

  test("when it is required, a refusal is final", async () => {
    const { connecting, stop } = setUp(1000, { required: true, code: "permission_denied" });
    expect(await failureOf(connecting)).toMatchObject({ code: "permission_denied" });
    stop();
  });

  test("without a cluster, only who needs it fails", async () => {
    const parts = {
      client: undefined,
      nodeName: "",
      clock: new ManualClock(),
      log: noLog,
      signal: new AbortController().signal,
      onNode: () => {},
    };
    expect((await connectKube({ ...parts, required: false })).client()).toBeUndefined();
    const failure = await failureOf(connectKube({ ...parts, required: true }));
    expect(String(failure)).toContain("KUBERNETES_SERVICE_HOST");
  });
});
