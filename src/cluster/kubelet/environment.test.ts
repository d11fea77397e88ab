import { describe, expect, test } from "bun:test";
import type { Container, Pod } from "../../kube/resources.ts";
import { type ConfigSource, containerEnvironment, expand, fieldValue } from "./environment.ts";

const pod: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "web-1",
    namespace: "shop",
    uid: "u",
    labels: { app: "web" },
    annotations: { "a/b": "c" },
  },
  spec: { containers: [], nodeName: "n1", serviceAccountName: "robot" },
};
const facts = { nodeIp: "10.0.0.5", podIps: ["10.0.1.7", "fd00::7"] };
const source: ConfigSource = {
  configMap: async (name) => (name === "settings" ? { colour: "red" } : undefined),
  secret: async (name) => (name === "keys" ? { token: "s3cret" } : undefined),
};
const environment = (container: Partial<Container>): Promise<Record<string, string>> =>
  containerEnvironment(pod, { name: "c", ...container }, facts, source, { PATH: "/bin" });

test.each([
  ["metadata.name", "web-1"],
  ["metadata.namespace", "shop"],
  ["metadata.uid", "u"],
  ["metadata.labels['app']", "web"],
  ["metadata.annotations['a/b']", "c"],
  ["metadata.annotations['absent']", ""],
  ["spec.nodeName", "n1"],
  ["spec.serviceAccountName", "robot"],
  ["status.hostIP", "10.0.0.5"],
  ["status.podIP", "10.0.1.7"],
  ["status.podIPs", "10.0.1.7,fd00::7"],
])("%s is %p", (path, value) => expect(fieldValue(pod, path, facts)).toBe(value));

test("an unknown field is refused by name", () => {
  expect(() => fieldValue(pod, "spec.colour", facts)).toThrow("unsupported fieldPath: spec.colour");
});

describe("the environment of a container", () => {
  test("has its sources in order, the later ones winning", async () => {
    expect(
      await environment({
        envFrom: [{ prefix: "C_", configMapRef: { name: "settings" } }, { secretRef: { name: "keys" } }],
        env: [
          { name: "A", value: "1" },
          { name: "B", value: "$(A)/$(C_colour)/$(NONE)/$$(A)" },
          { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
          { name: "TOKEN", valueFrom: { secretKeyRef: { name: "keys", key: "token" } } },
          { name: "MAYBE", valueFrom: { configMapKeyRef: { name: "none", key: "x", optional: true } } },
          { name: "A", value: "2" },
        ],
      }),
    ).toEqual({
      PATH: "/bin",
      C_colour: "red",
      token: "s3cret",
      A: "2",
      B: "1/red/$(NONE)/$(A)",
      NODE: "n1",
      TOKEN: "s3cret",
    });
  });

  test("knows the container's resources", async () => {
    const cpu = { name: "CPU", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "1m" } } };
    expect((await environment({ env: [cpu], resources: { limits: { cpu: "1.5" } } })).CPU).toBe("1500");
  });

  test.each<[Partial<Container>, string]>([
    [{ envFrom: [{ configMapRef: { name: "none" } }] }, 'configmap "none" not found'],
    [
      { env: [{ name: "X", valueFrom: { secretKeyRef: { name: "none", key: "k" } } }] },
      'secret "none" not found',
    ],
    [
      { env: [{ name: "X", valueFrom: { configMapKeyRef: { name: "settings", key: "size" } } }] },
      "couldn't find key size in ConfigMap shop/settings",
    ],
  ])("%j is refused", async (container, message) => {
    expect(environment(container)).rejects.toThrow(message);
  });
});

test("expansion leaves everything else alone", () => {
  expect(expand("$ $( $() $(A) $$$(A) {A}", { A: "x" })).toBe("$ $( $() x $x {A}");
});
