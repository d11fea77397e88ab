/** A story that fails, cut down. */
export interface Shrunk<T> {
  readonly story: readonly T[];
  /** How often a shorter story was tried. */
  readonly tries: number;
}

export interface ShrinkLimits {
  readonly tries: number;
  /** Asked before each try; false ends the search. */
  readonly goOn?: () => boolean;
}

/**
 * Looks for a shorter story that still fails by leaving parts out: halves first, then quarters, down to single steps.
 * Answers with the shortest that failed within the limits; `story` itself when none did. A failure need not come
 * every time: whatever is answered has failed once.
 */
export async function shrinkStory<T>(
  story: readonly T[],
  stillFails: (shorter: readonly T[]) => Promise<boolean>,
  { tries: most, goOn = () => true }: ShrinkLimits,
): Promise<Shrunk<T>> {
  let shortest = story;
  let tries = 0;
  for (let part = Math.ceil(story.length / 2); part >= 1; part = Math.floor(part / 2)) {
    for (let start = 0; start < shortest.length && shortest.length > 1; ) {
      const shorter = [...shortest.slice(0, start), ...shortest.slice(start + part)];
      if (shorter.length === 0) break;
      if (tries >= most || !goOn()) return { story: shortest, tries };
      tries++;
      if (await stillFails(shorter)) shortest = shorter;
      else start += part;
    }
  }
  return { story: shortest, tries };
}
