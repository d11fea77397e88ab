import type { CloudState, DueTransition } from "./state.ts";

/** Notes a transition that is to come. */
export function schedule(state: CloudState, due: DueTransition): void {
  let index = state.due.length;
  while (index > 0 && (state.due[index - 1]?.at ?? 0) > due.at) index--;
  state.due.splice(index, 0, due);
}

/** When `progress` has something to do next; undefined when nothing is under way. */
export function nextDue(state: CloudState): number | undefined {
  return state.due[0]?.at;
}
