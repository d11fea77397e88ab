import { InvalidArgumentError } from "commander";

/** Reads a flag's whole number of 0 or more; what is done with it says what range it takes. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("wanted: a whole number of 0 or more.");
  return Number(text);
}
