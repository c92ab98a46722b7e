import { dashUuid } from "./uuid.ts";

// What LVM2 makes UUIDs of.
const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/**
 * A UUID made of another one and a key, which is a random UUID: the same of the same, and different ones of different ones. So a
 * change of many UUIDs that was cut short can be taken up again: what was to become of each is known.
 */
export function derivedUuid(uuid: string, key: string): string {
  const keyText = key.replaceAll("-", "");
  const letters = Array.from(uuid.replaceAll("-", ""), (letter, index) => {
    const sum = Math.max(0, ALPHABET.indexOf(letter)) + Math.max(0, ALPHABET.indexOf(keyText.charAt(index)));
    return ALPHABET.charAt(sum % ALPHABET.length);
  });
  return dashUuid(letters.join(""));
}
