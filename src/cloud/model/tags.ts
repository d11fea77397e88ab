import { Ec2Fault, faults } from "./fault.ts";

/** Tags of a resource, in order of creation. */
export type Tags = Map<string, string>;

const maxTags = 50;

/** Adds or replaces tags; all or none. Throws the faults of CreateTags. */
export function addTags(tags: Tags, added: Iterable<readonly [string, string]>): void {
  const wanted = new Map(tags);
  for (const [key, value] of added) {
    checkTag(key, value);
    wanted.set(key, value);
  }
  if (wanted.size > maxTags) {
    throw new Ec2Fault("TagLimitExceeded", `The maximum number of Tags for a resource has been reached.`);
  }
  for (const [key, value] of wanted) tags.set(key, value);
}

/** A new set of tags, checked. */
export function newTags(entries: Iterable<readonly [string, string]> = []): Tags {
  const tags: Tags = new Map();
  addTags(tags, entries);
  return tags;
}

function checkTag(key: string, value: string): void {
  if (key === "") throw faults.invalid("Tag key cannot be null or empty.");
  if (key.length > 127) {
    throw faults.invalid(`Tag key exceeds the maximum length of 127 characters: ${key}`);
  }
  if (value.length > 255) {
    throw faults.invalid(`Tag value exceeds the maximum length of 255 characters: ${value}`);
  }
}

/** Users may not write tags whose key begins "aws:"; AWS's own services may. */
export function refuseReservedKeys(keys: Iterable<string>): void {
  for (const key of keys) {
    if (/^aws:/i.test(key)) {
      throw faults.invalid(`Tag keys starting with 'aws:' are reserved for internal use`);
    }
  }
}
