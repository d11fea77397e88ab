import { allocation } from "./allocation.ts";
import { apiServer } from "./api-server.ts";
import { chaos } from "./chaos.ts";
import { cniCalls } from "./cni-calls.ts";
import { ipamdMemory } from "./ipamd-memory.ts";
import { labUp } from "./lab-up.ts";
import { addressModes } from "./modes.ts";
import { podsReady } from "./pods-ready.ts";
import type { Section } from "./report.ts";
import { simulator } from "./simulator.ts";
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
  addressModes,
  allocation,
  chaos,
  simulator,
];
