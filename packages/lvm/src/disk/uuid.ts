/** Characters of an LVM2 UUID, as it is on disk without dashes. */
export const UUID_LENGTH = 32;

const GROUP_LENGTHS = [6, 4, 4, 4, 4, 4, 6];
const UUID_PATTERN = /^[0-9A-Za-z!#]{32}$/;
const DASHED_PATTERN = /^[0-9A-Za-z!#]{6}(-[0-9A-Za-z!#]{4}){5}-[0-9A-Za-z!#]{6}$/;

/** True for the 32 characters of a UUID without dashes. */
export function isUuid(text: string): boolean {
  return UUID_PATTERN.test(text);
}

/** True for a UUID as people and the metadata text write it, in groups of 6-4-4-4-4-4-6. */
export function isDashedUuid(text: string): boolean {
  return DASHED_PATTERN.test(text);
}

/** Writes 32 characters in groups: `aXoWDR-Rf6N-lqpQ-38Y5-Sn7E-uD4Q-izNcUT`. */
export function dashUuid(uuid: string): string {
  const groups: string[] = [];
  let at = 0;
  for (const length of GROUP_LENGTHS) {
    groups.push(uuid.slice(at, at + length));
    at += length;
  }
  return groups.join("-");
}
