import { apiServer } from "./api-server.ts";
import { cniCalls } from "./cni-calls.ts";
import { ipamdMemory } from "./ipamd-memory.ts";
import { labUp } from "./lab-up.ts";
import { podsReady } from "./pods-ready.ts";
import type { Section } from "./report.ts";
import { throughput } from "./throughput.ts";
import { wiring } from "./wiring.ts";

/** Every subject, in the order in which they are measured. */
export const sections: readonly Section[] = [
  cniCalls,
  wiring,
  podsReady,
  ipamdMemory,
  labUp,
  apiServer,
  throughput,
];
