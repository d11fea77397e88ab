/** A node's name without its domain, as people say it. */
export const shortName = (name: string): string => name.split(".")[0] ?? name;

/** "1 address", "2 addresses", "0 pods". */
export function counted(count: number, noun: string): string {
  if (count === 1) return `1 ${noun}`;
  if (noun.endsWith("y")) return `${count} ${noun.slice(0, -1)}ies`;
  return `${count} ${noun}${/(s|x|ch)$/.test(noun) ? "es" : "s"}`;
}
