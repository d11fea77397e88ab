import type { Chain, Link } from "../../lab/why/chain.ts";

/** A chain as a short numbered list: the answer first, then its links, then what would change it. */
export function printChain({ subject, cause, summary, links, change }: Chain): string {
  const lines = [
    `${subject}: ${summary}${cause === "none" ? "" : ` [${cause}]`}`,
    "",
    ...links.flatMap(linkLines),
  ];
  if (change.length > 0) lines.push("", "What would change it:", ...change.map((each) => `  - ${each}`));
  return `${lines.join("\n")}\n`;
}

function linkLines({ what, evidence, rule, setting }: Link, index: number): string[] {
  const number = `${index + 1}.`.padStart(3);
  return [
    `${number} ${what}`,
    `      seen: ${evidence}`,
    `      rule: ${rule}${setting === undefined ? "" : ` (${setting})`}`,
  ];
}
