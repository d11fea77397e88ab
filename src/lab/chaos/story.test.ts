import { expect, test } from "bun:test";
import { seededRandom } from "../../base/random.ts";
import { describeOperation, tellStory } from "./story.ts";

test("a seed tells one story, and a long one has everything in it", () => {
  const tell = (seed: number) => tellStory(seededRandom(seed), 600, 2, 20);
  expect(tell(7)).toEqual(tell(7));
  expect(tell(7)).not.toEqual(tell(8));
  const kinds = new Set(tell(7).map((operation) => operation.do));
  expect([...kinds].sort()).toEqual([
    "break",
    "delete-pods",
    "heal",
    "kill",
    "pause",
    "reboot",
    "scale",
    "set-env",
  ]);
  expect(new Set(tell(7).map(describeOperation)).size).toBeGreaterThan(50);
});
