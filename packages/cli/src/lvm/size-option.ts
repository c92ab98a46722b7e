import { UsageError } from "../usage-error.ts";

const SECTOR = 512;
const LETTERS = "kmgtpe";

/** Bytes of a size as LVM2 takes it: with one of the letters b s k m g t p e, large or small, or else in MiB. */
export function parseSize(text: string, option: string): number {
  const match = /^(?<count>\d+(?:\.\d+)?)(?<letter>[bskmgtpe]?)(?:i?b)?$/i.exec(text);
  const { count, letter = "" } = match?.groups ?? {};
  // Devices have whole sectors.
  const bytes = Math.ceil((Number(count) * unitOf(letter.toLowerCase())) / SECTOR) * SECTOR;
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new UsageError(
    `${option} takes a size such as 512k, 64m, 1.5g or 2048s (a number alone counts MiB), not ${text}`,
  );
}

function unitOf(letter: string): number {
  if (letter === "b") return 1;
  if (letter === "s") return SECTOR;
  return 1024 ** (letter === "" ? 2 : LETTERS.indexOf(letter) + 1);
}

/** A whole number from 0 on. */
export function parseNumber(text: string, option: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count)) return count;
  throw new UsageError(`${option} takes a whole number, not ${text}`);
}

/** "y" or "n". */
export function parseYesNo(text: string, option: string): boolean {
  if (text === "y" || text === "n") return text === "y";
  throw new UsageError(`${option} takes y or n, not ${text}`);
}

/** Some sizes of LVM2 count KiB where no unit is given, not MiB: stripes, chunks, alignments. */
export function inKiB(text: string | undefined): string | undefined {
  return text !== undefined && /^\d+(\.\d+)?$/.test(text) ? `${text}k` : text;
}
