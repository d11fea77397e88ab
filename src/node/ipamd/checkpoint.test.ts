import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import {
  type Allocation,
  CheckpointWriter,
  checkpointPath,
  decodeCheckpoint,
  encodeCheckpoint,
  readCheckpoint,
  removeUnfinished,
  writeCheckpoint,
} from "./checkpoint.ts";

const text = fc.string({ unit: "grapheme", minLength: 1 });
const time = fc.integer({ min: 0, max: 4_000_000_000_000 });
const address = fc.oneof(fc.ipV4(), fc.ipV6());
const allocation: fc.Arbitrary<Allocation> = fc
  .record({
    key: fc.record({ networkName: text, containerId: text, ifName: text }),
    address,
    assignedAt: time,
    metadata: fc.option(
      fc.record({ namespace: text, name: text, interfaces: fc.integer({ min: 1, max: 8 }) }),
      { nil: undefined },
    ),
  })
  .map(({ metadata, ...rest }) => (metadata === undefined ? rest : { ...rest, metadata }));

describe("the text", () => {
  test("what is written is read back, whatever the names", () => {
    const checkpoint = fc.record({
      allocations: fc.array(allocation),
      cooling: fc.array(fc.record({ address, releasedAt: time })),
    });
    fc.assert(
      fc.property(checkpoint, (written) =>
        expect(decodeCheckpoint(encodeCheckpoint(written), "x")).toEqual(structuredClone(written)),
      ),
    );
  });

  test("the official one's file is read: order of fields, nanoseconds, no interface count before 1.20", () => {
    const official = `{"version":"vpc-cni-ipam/1","allocations":[
      {"networkName":"aws-cni","containerID":"abc","ifName":"eth0","ipv4":"10.0.1.17",
       "allocationTimestamp":1724190000123456789,
       "metadata":{"k8sPodNamespace":"default","k8sPodName":"web-0"}},
      {"networkName":"_migrated-from-cri","containerID":"def","ifName":"unknown","ipv6":"2001:db8::",
       "allocationTimestamp":1,"metadata":{}}]}\n`;
    expect(decodeCheckpoint(official, "x")).toEqual({
      allocations: [
        {
          key: { networkName: "aws-cni", containerId: "abc", ifName: "eth0" },
          address: "10.0.1.17",
          assignedAt: 1724190000123,
          metadata: { namespace: "default", name: "web-0", interfaces: 1 },
        },
        {
          key: { networkName: "_migrated-from-cri", containerId: "def", ifName: "unknown" },
          address: "2001:db8::",
          assignedAt: 0,
        },
      ],
      cooling: [],
    });
  });

  test("the official one can read ours: version, list, times as whole nanoseconds", () => {
    const key = { networkName: "aws-cni", containerId: "abc", ifName: "eth0" };
    expect(
      encodeCheckpoint({
        allocations: [{ key, address: "10.0.1.17", assignedAt: 1724190000123 }],
        cooling: [],
      }),
    ).toBe(
      '{"version":"vpc-cni-ipam/1","allocations":[{"networkName":"aws-cni","containerID":"abc","ifName":"eth0",' +
        '"ipv4":"10.0.1.17","allocationTimestamp":1724190000123000000,"metadata":{}}]}\n',
    );
    expect(encodeCheckpoint({ allocations: [], cooling: [] })).toBe(
      '{"version":"vpc-cni-ipam/1","allocations":[]}\n',
    );
  });

  test.each([
    ["", "JSON"],
    ["[]", "a JSON object"],
    ['{"version":"vpc-cni-ipam/2"}', 'version "vpc-cni-ipam/1"'],
    ['{"version":"vpc-cni-ipam/1","allocations":{}}', "a list"],
    [
      '{"version":"vpc-cni-ipam/1","allocations":[{"ifName":"eth0"}]}',
      "allocations[0] without ipv4 and ipv6",
    ],
  ])("%s is refused", (bad, wanted) => {
    expect(() => decodeCheckpoint(bad, "/var/x.json")).toThrow("/var/x.json");
    expect(() => decodeCheckpoint(bad, "/var/x.json")).toThrow(wanted);
  });
});

describe("the file", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "checkpoint-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("each card has its own", () => {
    expect(checkpointPath("/run/ipam.json", 0)).toBe("/run/ipam.json");
    expect(checkpointPath("/run/ipam.json", 1)).toBe("/run/ipam-nic-1.json");
  });

  test("is replaced in one step, with mode 0600, and nothing else is left", () => {
    const path = join(folder, "ipam.json");
    expect(readCheckpoint(path)).toBeUndefined();
    writeFileSync(path, "old", { mode: 0o644 });
    writeCheckpoint(path, { allocations: [], cooling: [] });
    expect(readCheckpoint(path)).toEqual({ allocations: [], cooling: [] });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(["ipam.json"]);
  });

  test("what a killed process left of a write is removed", () => {
    writeFileSync(join(folder, "ipam.json"), "kept");
    writeFileSync(join(folder, "ipam.json.tmp123"), "half");
    removeUnfinished(join(folder, "ipam.json"));
    expect(readdirSync(folder)).toEqual(["ipam.json"]);
    expect(readFileSync(join(folder, "ipam.json"), "utf8")).toBe("kept");
  });

  test("a folder that is not there is an error that says what is held back", () => {
    const path = join(folder, "no", "ipam.json");
    expect(() => writeCheckpoint(path, { allocations: [], cooling: [] })).toThrow(
      "no pod gets an address before",
    );
  });
});

test("saves of one turn are one write, and all hear of its failure", async () => {
  let writes = 0;
  let fails = false;
  const writer = new CheckpointWriter(() => {
    writes++;
    if (fails) throw new Error("full");
  });
  await Promise.all([writer.save(), writer.save(), writer.save()]);
  expect(writes).toBe(1);
  fails = true;
  const outcomes = await Promise.allSettled([writer.save(), writer.save()]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  fails = false;
  await writer.save();
  expect(writes).toBe(3);
});
