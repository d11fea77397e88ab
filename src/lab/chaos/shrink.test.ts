import { expect, test } from "bun:test";
import fc from "fast-check";
import { seededRandom } from "../../base/random.ts";
import { shrinkStory } from "./shrink.ts";
import { describeOperation, type Operation, tellStory } from "./story.ts";

const isIn = (story: readonly number[], ...steps: readonly number[]): boolean =>
  steps.every(
    (step, index) => story.indexOf(step) > (index === 0 ? -1 : story.indexOf(steps[index - 1] ?? 0)),
  );

test("only the steps that it takes are left, in their order", async () => {
  const numbered = fc.uniqueArray(fc.nat(500), { minLength: 1, maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(numbered, fc.nat(), fc.nat(), async (story, first, second) => {
      const [early = 0, late = 0] = [first % story.length, second % story.length].sort((a, b) => a - b);
      const needed = [...new Set([story[early] ?? 0, story[late] ?? 0])];
      const { story: shrunk } = await shrinkStory(story, async (shorter) => isIn(shorter, ...needed), {
        tries: Number.POSITIVE_INFINITY,
      });
      expect(shrunk).toEqual(needed);
    }),
  );
});

test("within few tries a story gets much shorter, and what is answered did fail", async () => {
  const story = tellStory(seededRandom(5), 200, 2, 20);
  const isReboot = ({ do: what }: Operation): boolean => what === "reboot";
  let tried = 0;
  const fails = async (shorter: readonly Operation[]): Promise<boolean> => {
    tried++;
    return shorter.filter(isReboot).length >= 1;
  };
  const shrunk = await shrinkStory(story, fails, { tries: 10 });
  expect(shrunk.tries).toBe(10);
  expect(tried).toBe(10);
  expect(shrunk.story.length).toBeLessThan(20);
  expect(shrunk.story.some(isReboot)).toBe(true);
  expect(shrunk.story.map(describeOperation).join("\n")).toContain("reboot");
});

test("what cannot be made shorter, or may not be tried, stays as it is", async () => {
  const never = await shrinkStory([1, 2, 3], async () => false, { tries: 100 });
  expect(never).toEqual({ story: [1, 2, 3], tries: 5 });
  const noTime = await shrinkStory([1, 2, 3], async () => true, { tries: 100, goOn: () => false });
  expect(noTime).toEqual({ story: [1, 2, 3], tries: 0 });
  expect(await shrinkStory([1], async () => true, { tries: 100 })).toEqual({ story: [1], tries: 0 });
});
