import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { LabelSelector } from "./pod-types.ts";
import {
  formatLabelSelector,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  requirementsOf,
  selects,
} from "./selectors.ts";

const labels = { app: "web", tier: "front", cores: "8", "example.com/zone": "a" };

describe("label selectors", () => {
  const holds = (text: string): boolean => matchesLabels(parseLabelSelector(text), labels);

  test.each([
    ["", true],
    ["app=web", true],
    ["app==web", true],
    ["app = web", true],
    ["app=web,tier=back", false],
    ["app!=web", false],
    // As in Kubernetes, what is absent is not equal to anything.
    ["owner!=me", true],
    ["owner notin (me,you)", true],
    ["tier in (front, back)", true],
    ["tier notin (front)", false],
    ["app,!owner", true],
    ["owner", false],
    ["cores>4", true],
    ["cores<4", false],
    ["example.com/zone=a", true],
    ["app in (web),tier in (front)", true],
  ])("%p selects: %p", (text, expected) => {
    expect(holds(text)).toBe(expected);
  });

  test.each(["=x", "app=we b", "app in (a", "a,,b", "app=-x", "cores>many", "a b", "ex/ample/x=1"])(
    "%p is refused",
    (text) => {
      expect(() => parseLabelSelector(text)).toThrow(/cannot read the label selector/);
    },
  );

  const word = fc.stringMatching(/^[a-z]([a-z0-9]{0,5})$/);
  const selector: fc.Arbitrary<LabelSelector> = fc.record({
    matchLabels: fc.dictionary(word, word, { maxKeys: 3 }),
    matchExpressions: fc.array(
      fc.oneof(
        fc.record({
          key: word,
          operator: fc.constantFrom("In" as const, "NotIn" as const),
          values: fc.array(word, { minLength: 1, maxLength: 3 }),
        }),
        fc.record({ key: word, operator: fc.constantFrom("Exists" as const, "DoesNotExist" as const) }),
      ),
      { maxLength: 3 },
    ),
  });

  test("a selector object means the same after it was written and read", () => {
    fc.assert(
      fc.property(selector, fc.dictionary(word, word, { maxKeys: 4 }), (object, someLabels) => {
        const read = parseLabelSelector(formatLabelSelector(object));
        expect(read).toEqual(requirementsOf(object) ?? []);
        expect(matchesLabels(read, someLabels)).toBe(selects(object, someLabels));
      }),
    );
  });

  test("an absent selector selects nothing, an empty one everything", () => {
    expect(selects(undefined, labels)).toBe(false);
    expect(selects({}, labels)).toBe(true);
  });
});

describe("field selectors", () => {
  const pod = { metadata: { name: "a" }, spec: { nodeName: "n1", hostNetwork: false }, status: {} };
  test.each([
    ["", true],
    ["spec.nodeName=n1", true],
    ["spec.nodeName==n1,metadata.name!=b", true],
    ["spec.nodeName!=n1", false],
    ["status.phase=", true],
    ["status.phase!=Running", true],
    ["spec.hostNetwork=false", true],
  ])("%p selects: %p", (text, expected) => {
    expect(matchesFields(parseFieldSelector(text), pod)).toBe(expected);
  });

  test("what is no comparison is refused", () => {
    expect(() => parseFieldSelector("spec.nodeName")).toThrow(/cannot read the field selector/);
  });
});
