import { describeFault, type StandingFault } from "../../lab/faults/fault.ts";
import type { Answer } from "../output.ts";
import { formatAge } from "../table.ts";

/** `break --list`: what is broken on purpose now. */
export function faultsView(faults: readonly StandingFault[]): Answer {
  return {
    value: faults.map((fault) => ({ ...fault, words: describeFault(fault.fault) })),
    table: {
      columns: ["Id", "Kind", "Broken", "Since", "Hits"],
      rows: faults.map(({ id, fault, since, hits }) => [
        String(id),
        fault.kind,
        describeFault(fault),
        formatAge(Date.now() - since),
        hits === undefined ? "-" : String(hits),
      ]),
    },
  };
}
