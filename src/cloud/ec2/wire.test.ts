import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { XMLParser } from "fast-xml-parser";
import { Params } from "./decode-query.ts";
import { encodeElement } from "./encode-xml.ts";

describe("requests", () => {
  const decode = (text: string) => Params.decode(new URLSearchParams(text));

  test("are values, flattened lists and structures", () => {
    const params = decode("A=x&L.2=b&L.1=a&L.10=c&F.1.Name=n&F.1.Value.1=v&F.1.Value.2=w&S.B=true&N=-3");
    expect(params.text("A")).toBe("x");
    expect(params.list("L")).toEqual(["a", "b", "c"]);
    expect(params.list("M")).toBeUndefined();
    expect(params.structs("F").map((one) => [one.required("Name"), one.list("Value")])).toEqual([
      ["n", ["v", "w"]],
    ]);
    expect(params.structs("G")).toEqual([]);
    expect(params.struct("S")?.bool("B")).toBe(true);
    expect(params.int("N")).toBe(-3);
    expect(params.names()).toEqual(["A", "L", "F", "S", "N"]);
  });

  test("name the whole path of what is wrong", () => {
    expect(() => decode("F.1.Value.1=v").structs("F")[0]?.required("Name")).toThrow("F.1.Name");
    expect(() => decode("S.B=1").struct("S")?.bool("B")).toThrow("S.B");
    expect(() => decode("W=c").word("W", ["a", "b"])).toThrow("Valid values are a, b.");
  });

  test("with names of JavaScript's own are nothing special", () => {
    const params = decode("__proto__.x=1&constructor=2&toString.1=3");
    expect(params.text("constructor")).toBe("2");
    expect(params.text("valueOf")).toBeUndefined();
    expect(params.list("toString")).toEqual(["3"]);
  });
});

describe("answers", () => {
  test("leave absent values out and keep empty ones", () => {
    expect(encodeElement("r", { a: undefined, b: "", c: [], d: false, e: 0, f: {} })).toBe(
      "<r><b/><c/><d>false</d><e>0</e><f/></r>",
    );
  });

  test("wrap list entries in items", () => {
    expect(encodeElement("s", [{ k: 1 }, "x", ["y"]])).toBe(
      "<s><item><k>1</k></item><item>x</item><item><item>y</item></item></s>",
    );
  });

  test("keep any text over a real parser", () => {
    const parser = new XMLParser({ trimValues: false, parseTagValue: false });
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (text) => {
        const writable = [...text]
          .filter((char) => char >= " " && char !== "\ufffe" && char !== "\uffff")
          .join("");
        fc.pre(writable !== "");
        expect(parser.parse(encodeElement("t", writable)).t).toBe(writable);
      }),
    );
  });
});
