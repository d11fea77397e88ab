/**
 * `lab/check/` tells whether a lab is whole: `observe.ts` looks at it from all sides (the cloud's model, each node's
 * metadata service, ipamd with its checkpoint, the kernel of nodes, pods and router, kubelets and the API server) and
 * makes a {@link LabPicture} of values; `invariants.ts` compares the views, purely, in numbered invariants. Tests and
 * `eniverse check` use the same {@link checkLab}.
 */
import { type Clock, realClock } from "../../base/clock.ts";
import type { Broken } from "./broken.ts";
import { compareViews } from "./invariants.ts";
import { type ObservedLab, observeLab } from "./observe.ts";
import type { LabPicture } from "./picture.ts";

export type { Broken } from "./broken.ts";
export type { ObservedLab } from "./observe.ts";

export interface CheckOptions {
  /** For so long what is broken is looked at again: work under way must not be taken for an error. */
  readonly patienceMs?: number;
  readonly clock?: Clock;
  /** Where pictures come from; the lab itself when absent. */
  readonly observe?: (lab: ObservedLab) => Promise<LabPicture>;
}

export interface CheckOutcome {
  /** What was broken in every look, in the words of the last. */
  readonly broken: readonly Broken[];
  /** The last picture. */
  readonly picture: LabPicture;
  readonly looks: number;
}

const defaultPatienceMs = 5000;
const pauseMs = 400;

/**
 * Every invariant of a running lab that is broken and stays so. Ends as soon as nothing is left that was broken in all
 * looks. A metadata service with a lag gets that much more patience.
 */
export async function checkLab(lab: ObservedLab, options: CheckOptions = {}): Promise<CheckOutcome> {
  const { patienceMs = defaultPatienceMs, clock = realClock, observe = observeLab } = options;
  const started = clock.now();
  let picture = await observe(lab);
  let broken = compareViews(picture);
  for (let looks = 1; ; looks++) {
    const patience = patienceMs + picture.cloud.imdsLagMs;
    if (broken.length === 0 || clock.now() - started >= patience) return { broken, picture, looks };
    await clock.sleep(pauseMs);
    picture = await observe(lab);
    const before = new Set(broken.map(keyOf));
    broken = compareViews(picture).filter((each) => before.has(keyOf(each)));
  }
}

const keyOf = ({ invariant, subject }: Broken): string => `${invariant} ${subject}`;
