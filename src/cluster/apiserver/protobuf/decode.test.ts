import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { EniverseError } from "../../../base/error.ts";
import { decodeProtobuf } from "./decode.ts";

const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));

// Bodies that kubectl v1.33.1 sent, with the call above each.
const captured = {
  // kubectl create configmap m --from-literal=a=b
  configMap: "azhzAAoPCgJ2MRIJQ29uZmlnTWFwEhsKEQoBbRIAGgAiACoAMgA4AEIAEgYKAWESAWIaACIA",
  // kubectl create deployment web --image=echo:1 --replicas=0 --port=80
  deployment:
    "azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50ErgBCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEoYBCAASDAoKCgNhcHASA3dlYhpsChwKABIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEkwSLgoEZWNobxIGZWNobzoxKgAyCgoAEAAYUCIAKgBCAGoAcgCAAQCIAQCQAQCiAQAaADIAQgBKAFIAWABgAGgAggEAigEAmgEAwgEAIgIKACgAOAAaDAgAEAAYACAAKAA4ABoAIgA=",
  // kubectl create token default --duration=10m
  token:
    "azhzAAooChhhdXRoZW50aWNhdGlvbi5rOHMuaW8vdjESDFRva2VuUmVxdWVzdBIdChAKABIAGgAiACoAMgA4AEIAEgMg2AQaBAoAEgAaACIA",
};

describe("what typed Go clients send", () => {
  test("a ConfigMap", () => {
    expect(decodeProtobuf(bytes(captured.configMap))).toEqual({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "m" },
      data: { a: "b" },
    });
  });

  test("a Deployment, in which a zero that was said is kept", () => {
    expect(decodeProtobuf(bytes(captured.deployment))).toEqual({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web", labels: { app: "web" } },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: "web" } },
        template: {
          metadata: { labels: { app: "web" } },
          spec: {
            containers: [{ name: "echo", image: "echo:1", ports: [{ containerPort: 80 }], resources: {} }],
          },
        },
        strategy: {},
      },
      status: {},
    });
  });

  test("a TokenRequest", () => {
    expect(decodeProtobuf(bytes(captured.token))).toMatchObject({
      kind: "TokenRequest",
      spec: { expirationSeconds: 600 },
    });
  });
});

/** A message of fields that are strings, messages or small numbers. */
function message(...fields: readonly (readonly [number: number, value: string | Buffer | bigint])[]): Buffer {
  const parts = fields.map(([number, value]) => {
    if (typeof value === "bigint") return Buffer.concat([varint(BigInt(number * 8)), varint(value)]);
    const content = Buffer.from(value);
    return Buffer.concat([varint(BigInt(number * 8 + 2)), varint(BigInt(content.length)), content]);
  });
  return Buffer.concat(parts);
}

function varint(value: bigint): Buffer {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 0x7fn; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...out, Number(rest)]);
}

function envelope(apiVersion: string, kind: string, raw: Buffer): Uint8Array {
  const unknown = message([1, message([1, apiVersion], [2, kind])], [2, raw]);
  return new Uint8Array(Buffer.concat([Buffer.from("k8s\0"), unknown]));
}

describe("values", () => {
  test("times, quantities, int-or-strings, embedded messages, bytes, negative numbers", () => {
    const container = message(
      [1, "c"],
      // ports[].containerPort, resources.limits, env[].valueFrom.configMapKeyRef, livenessProbe.httpGet.port
      [8, message([1, message([1, "cpu"], [2, message([1, "100m"])])])],
      [7, message([1, "E"], [3, message([3, message([1, message([1, "map"])], [2, "key"])])])],
      [10, message([1, message([2, message([2, message([1, 1n], [3, "http"])])])], [2, 5n])],
    );
    const spec = message(
      [2, container],
      [4, 0n],
      [1, message([1, "v"], [2, message([2, message([1, ""])])])],
    );
    const metadata = message([1, "p"], [8, message([1, 1_714_557_600n], [2, 0n])], [9, message()]);
    const pod = decodeProtobuf(envelope("v1", "Pod", message([1, metadata], [2, spec])));
    expect(pod).toEqual({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p", creationTimestamp: "2024-05-01T10:00:00Z" },
      spec: {
        containers: [
          {
            name: "c",
            resources: { limits: { cpu: "100m" } },
            env: [{ name: "E", valueFrom: { configMapKeyRef: { name: "map", key: "key" } } }],
            livenessProbe: { httpGet: { port: "http" }, initialDelaySeconds: 5 },
          },
        ],
        terminationGracePeriodSeconds: 0,
        volumes: [{ name: "v", emptyDir: {} }],
      },
    });
    const secret = message([1, message([1, "s"])], [2, message([1, "k"], [2, Buffer.from([0, 255])])]);
    expect(decodeProtobuf(envelope("v1", "Secret", secret))).toMatchObject({ data: { k: "AP8=" } });
    const priority = message([1, message([1, "low"])], [2, -5n]);
    expect(decodeProtobuf(envelope("scheduling.k8s.io/v1", "PriorityClass", priority))).toMatchObject({
      value: -5,
    });
    const event = message([1, message([1, "e"])], [2, message([1, 1_714_557_600n], [2, 5_000n])]);
    expect(decodeProtobuf(envelope("events.k8s.io/v1", "Event", event))).toMatchObject({
      eventTime: "2024-05-01T10:00:00.000005Z",
    });
  });
});

describe("what cannot be read is refused", () => {
  test.each([
    ["no envelope", bytes("AAAA"), /the magic number is missing/],
    ["cut short", bytes(captured.configMap).subarray(0, 40), /is longer than its message/],
    ["an unknown kind", envelope("v1", "Thing", message()), /Thing of v1 cannot be sent in this form/],
    [
      "an unknown field",
      envelope("v1", "ConfigMap", message([99, "x"])),
      /ConfigMap has no field of the number 99/,
    ],
    // What is not in the table must not be lost without a word: nfs is source 7 of a volume.
    [
      "a volume that no node can mount",
      envelope("v1", "Pod", message([2, message([1, message([2, message([7, ""])])])])),
      /Volume has no field of the number 7/,
    ],
    ["a number for a text", envelope("v1", "ConfigMap", message([1, message([1, 5n])])), /name is a number/],
  ])("%s", (_, body, words) => {
    expect(() => decodeProtobuf(body)).toThrow(words);
  });

  test("arbitrary bytes never do more than throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom("Pod", "Event", "Node"), (raw, kind) => {
        try {
          decodeProtobuf(envelope("v1", kind, Buffer.from(raw)));
        } catch (error) {
          expect(error).toBeInstanceOf(EniverseError);
        }
      }),
    );
  });
});
