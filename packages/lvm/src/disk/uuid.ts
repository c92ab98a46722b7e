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

// LVM2 makes UUIDs of these; `!` and `#` are in old ones only.
const CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
/** Bytes from here on would make some characters likelier than others. */
const FAIR_BYTES = 256 - (256 % CHARACTERS.length);

/** A new UUID, with dashes. `random`: fills an array with random bytes. */
export function createUuid(random: (bytes: Uint8Array) => void): string {
  const bytes = new Uint8Array(2 * UUID_LENGTH);
  let uuid = "";
  while (uuid.length < UUID_LENGTH) {
    random(bytes);
    for (const byte of bytes) if (byte < FAIR_BYTES) uuid += CHARACTERS.charAt(byte % CHARACTERS.length);
  }
  return dashUuid(uuid.slice(0, UUID_LENGTH));
}
