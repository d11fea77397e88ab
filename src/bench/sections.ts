import { cniCalls } from "./cni-calls.ts";
import type { Section } from "./report.ts";

/** Every subject, in the order in which they are measured. */
export const sections: readonly Section[] = [cniCalls];
