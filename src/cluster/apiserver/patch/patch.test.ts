import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { applyConfiguration } from "./apply-patch.ts";
import { equalJson, isObject, type Json, type JsonObject } from "./json.ts";
import { applyJsonPatch } from "./json-patch.ts";
import { applyMergePatch } from "./merge-patch.ts";
import { applyStrategicMerge } from "./strategic-merge.ts";

const pod = { is: "object", name: "Pod" } as const;
const json = fc.jsonValue() as fc.Arbitrary<Json>;

describe("merge patch", () => {
  // RFC 7396, appendix A.
  test.each<[Json, Json, Json]>([
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [["a", "b"], ["c"], ["c"]],
    [{ a: "foo" }, null, null],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])("%j with %j is %j", (target, patch, result) => {
    expect(applyMergePatch(target, patch)).toEqual(result);
  });

  test("the patch that describes the difference makes it", () => {
    fc.assert(
      fc.property(withoutNulls(), withoutNulls(), (before, after) => {
        expect(applyMergePatch(before, differenceOf(before, after))).toEqual(after);
      }),
    );
  });
});

function withoutNulls(): fc.Arbitrary<JsonObject> {
  const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean());
  const name = fc.stringMatching(/^[a-d]$/);
  const object = fc.memo((depth): fc.Arbitrary<Json> => {
    if (depth <= 1) return leaf;
    return fc.oneof(leaf, fc.dictionary(name, object(depth - 1), { maxKeys: 3 }) as fc.Arbitrary<Json>);
  });
  return fc.dictionary(name, object(3), { maxKeys: 4 }) as fc.Arbitrary<JsonObject>;
}

function differenceOf(before: JsonObject, after: JsonObject): JsonObject {
  const patch: JsonObject = {};
  for (const name of Object.keys(before)) if (after[name] === undefined) patch[name] = null;
  for (const [name, value] of Object.entries(after)) {
    const old = before[name];
    // An object over an object is merged; over anything else the patch stands for itself.
    patch[name] = isObject(value) && isObject(old) ? differenceOf(old, value) : value;
  }
  return patch;
}

describe("JSON patch", () => {
  // RFC 6902, appendix A.
  test.each<[Json, unknown, Json]>([
    [{ foo: "bar" }, [{ op: "add", path: "/baz", value: "qux" }], { foo: "bar", baz: "qux" }],
    [{ foo: ["bar", "baz"] }, [{ op: "add", path: "/foo/1", value: "qux" }], { foo: ["bar", "qux", "baz"] }],
    [{ foo: ["bar", "qux", "baz"] }, [{ op: "remove", path: "/foo/1" }], { foo: ["bar", "baz"] }],
    [{ baz: "qux" }, [{ op: "replace", path: "/baz", value: "boo" }], { baz: "boo" }],
    [
      { foo: { bar: "baz", waldo: "fred" }, qux: { corge: "grault" } },
      [{ op: "move", from: "/foo/waldo", path: "/qux/thud" }],
      { foo: { bar: "baz" }, qux: { corge: "grault", thud: "fred" } },
    ],
    [
      { foo: ["all", "grass", "cows", "eat"] },
      [{ op: "move", from: "/foo/1", path: "/foo/3" }],
      { foo: ["all", "cows", "eat", "grass"] },
    ],
    [{ foo: ["bar"] }, [{ op: "add", path: "/foo/-", value: ["abc"] }], { foo: ["bar", ["abc"]] }],
    [{ "/": 9, "~1": 10 }, [{ op: "test", path: "/~01", value: 10 }], { "/": 9, "~1": 10 }],
    [{ a: { b: 1 } }, [{ op: "copy", from: "/a", path: "/c" }], { a: { b: 1 }, c: { b: 1 } }],
    [{ a: 1 }, [{ op: "replace", path: "", value: [2] }], [2]],
  ])("%j with %j", (target, patch, result) => {
    expect(applyJsonPatch(target, patch)).toEqual(result);
  });

  test.each<[Json, unknown]>([
    [{ baz: "qux" }, [{ op: "test", path: "/baz", value: "bar" }]],
    [{ foo: "bar" }, [{ op: "add", path: "/baz/bat", value: "qux" }]],
    [{ foo: [1] }, [{ op: "add", path: "/foo/2", value: 1 }]],
    [{ foo: [1] }, [{ op: "add", path: "/foo/01", value: 1 }]],
    [{ foo: 1 }, [{ op: "remove", path: "/bar" }]],
    [{ foo: 1 }, [{ op: "replace", path: "/bar", value: 1 }]],
    [{ foo: 1 }, [{ op: "jump", path: "/foo" }]],
    [{ foo: 1 }, [{ op: "add", path: "foo", value: 1 }]],
    [{ foo: 1 }, [{ op: "add", path: "/foo" }]],
    [{ foo: 1 }, { op: "add" }],
    [{}, [{ op: "remove", path: "/toString" }]],
  ])("%j with %j is refused", (target, patch) => {
    expect(() => applyJsonPatch(target, patch)).toThrow(/cannot apply the JSON patch/);
  });

  test("what was added and removed leaves the document as it was, and the target untouched", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), json), fc.string(), json, (document, name, value) => {
        const target = document as JsonObject;
        fc.pre(!Object.hasOwn(target, name) && name !== "__proto__");
        const path = `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
        const before = structuredClone(target);
        const there = applyJsonPatch(target, [{ op: "add", path, value }]);
        expect(equalJson((there as JsonObject)[name], value)).toBe(true);
        expect(equalJson(applyJsonPatch(there, [{ op: "remove", path }]), before)).toBe(true);
        expect(equalJson(target, before)).toBe(true);
      }),
    );
  });
});

describe("strategic merge patch", () => {
  const target = {
    metadata: { finalizers: ["a", "b"], labels: { x: "1" } },
    spec: {
      containers: [
        {
          name: "c",
          image: "i:1",
          env: [
            { name: "A", value: "1" },
            { name: "B", value: "2" },
          ],
          args: ["x"],
        },
        { name: "d", image: "j" },
      ],
      tolerations: [{ key: "k" }],
      volumes: [{ name: "v", emptyDir: {} }],
    },
  } satisfies JsonObject;
  const patched = (patch: JsonObject): JsonObject => applyStrategicMerge(target, patch, pod);
  const specOf = (object: JsonObject): JsonObject => object.spec as JsonObject;

  test("elements of the same key merge, others join", () => {
    const result = specOf(
      patched({
        spec: { containers: [{ name: "c", image: "i:2", env: [{ name: "B", value: "3" }] }, { name: "e" }] },
      }),
    );
    expect(result.containers).toEqual([
      {
        name: "c",
        image: "i:2",
        env: [
          { name: "A", value: "1" },
          { name: "B", value: "3" },
        ],
        args: ["x"],
      },
      { name: "d", image: "j" },
      { name: "e" },
    ]);
  });

  test("an element is deleted by its key", () => {
    const result = specOf(patched({ spec: { containers: [{ name: "d", $patch: "delete" }] } }));
    expect((result.containers as Json[]).length).toBe(1);
  });

  test("a list without a merge key, and a list of scalars, is replaced", () => {
    const result = specOf(
      patched({ spec: { tolerations: [{ key: "n" }], containers: [{ name: "c", args: ["y"] }] } }),
    );
    expect(result.tolerations).toEqual([{ key: "n" }]);
    expect((result.containers as JsonObject[])[0]?.args).toEqual(["y"]);
  });

  test("lists of scalars that merge, and deletion from them", () => {
    expect(patched({ metadata: { finalizers: ["c"] } }).metadata).toMatchObject({
      finalizers: ["a", "b", "c"],
    });
    expect(patched({ metadata: { "$deleteFromPrimitiveList/finalizers": ["a"] } }).metadata).toMatchObject({
      finalizers: ["b"],
    });
  });

  test("$patch: replace takes the place of an object or a list", () => {
    expect(
      specOf(patched({ spec: { containers: [{ $patch: "replace" }, { name: "z" }] } })).containers,
    ).toEqual([{ name: "z" }]);
    expect(patched({ spec: { $patch: "replace", nodeName: "n" } }).spec).toEqual({ nodeName: "n" });
  });

  test("$setElementOrder orders what it names", () => {
    const result = specOf(
      patched({
        spec: {
          "$setElementOrder/containers": [{ name: "d" }, { name: "c" }],
          containers: [{ name: "c", image: "k" }],
        },
      }),
    );
    expect((result.containers as JsonObject[]).map(({ name }) => name)).toEqual(["d", "c"]);
  });

  test("$retainKeys drops the other sources of a volume", () => {
    const result = specOf(
      patched({
        spec: { volumes: [{ name: "v", $retainKeys: ["name", "hostPath"], hostPath: { path: "/x" } }] },
      }),
    );
    expect(result.volumes).toEqual([{ name: "v", hostPath: { path: "/x" } }]);
  });

  test("null removes, and directives do not stay in what is new", () => {
    expect(patched({ metadata: { labels: { x: null, y: "2" } } }).metadata).toMatchObject({
      labels: { y: "2" },
    });
    expect(patched({ status: { $retainKeys: ["phase"], phase: "Running", message: null } }).status).toEqual({
      phase: "Running",
    });
  });

  test("an element without its merge key is refused", () => {
    expect(() => patched({ spec: { containers: [{ image: "x" }] } })).toThrow(
      /has no name, which is its merge key/,
    );
  });

  test("the empty patch changes nothing", () => {
    expect(patched({})).toEqual(target);
    expect(patched(target)).toEqual(target);
  });
});

test("apply sets what is given and leaves the rest", () => {
  const before = {
    metadata: { labels: { a: "1" } },
    spec: { containers: [{ name: "c", image: "1", env: [{ name: "A", value: "1" }] }], nodeName: "n" },
  };
  const applied = {
    metadata: { labels: { b: "2" } },
    spec: { containers: [{ name: "c", image: "2" }, { name: "d" }] },
  };
  expect(applyConfiguration(before, applied, pod)).toEqual({
    metadata: { labels: { a: "1", b: "2" } },
    spec: {
      containers: [{ name: "c", image: "2", env: [{ name: "A", value: "1" }] }, { name: "d" }],
      nodeName: "n",
    },
  });
  expect(applyConfiguration({ spec: { list: [1] } }, { spec: { list: [2] } }, undefined)).toEqual({
    spec: { list: [2] },
  });
});
