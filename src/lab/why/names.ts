/** A node's name without its domain, as people say it. */
export const shortName = (name: string): string => name.split(".")[0] ?? name;
