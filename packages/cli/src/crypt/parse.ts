import { UsageError } from "../usage-error.ts";

/** Smallest and largest number that an option takes. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

const ANY: Bounds = { min: 0, max: Number.MAX_SAFE_INTEGER };
const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  K: 1024,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  TB: 1000 ** 4,
  S: 512,
};

/** A whole number; undefined stays so. */
export function parseWhole(
  text: string | undefined,
  option: string,
  { min, max }: Bounds = ANY,
): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  const range = max === ANY.max ? `from ${min} on` : `from ${min} to ${max}`;
  throw new UsageError(`${option} takes a whole number ${range}, not ${text}`);
}

/** Bytes of a size as cryptsetup takes it: a number of bytes, or with one of the units K, M, G, T (KiB and so on), S (sectors). */
export function parseBytes(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const { count, unit } = /^(?<count>\d+)(?<unit>[a-z]*)$/i.exec(text)?.groups ?? {};
  const bytes = Number(count) * (UNITS[(unit ?? "").toUpperCase().replace(/IB$/, "")] ?? Number.NaN);
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new UsageError(`${option} takes a number of bytes, or a size such as 16k, 4M or 1G, not ${text}`);
}

const SECTOR = 512;

/** Bytes of a number of sectors. */
export function parseSectors(text: string | undefined, option: string): number | undefined {
  const sectors = parseWhole(text, option, { min: 0, max: Math.floor(Number.MAX_SAFE_INTEGER / SECTOR) });
  return sectors === undefined ? undefined : sectors * SECTOR;
}

/** Bytes of a key whose size is given in bits. */
export function parseKeyBits(text: string | undefined, option: string): number | undefined {
  const bits = parseWhole(text, option, { min: 8, max: 4096 });
  if (bits === undefined) return undefined;
  if (bits % 8 !== 0) throw new UsageError(`${option} takes a multiple of 8 bits, not ${bits}`);
  return bits / 8;
}

/** A cipher as cryptsetup takes it, as it stands in a header: "aes" is short for aes-cbc-plain. */
export function parseCipherName(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (text === "null" || text === "cipher_null") return "cipher_null-ecb";
  const [cipher, mode] = text.split("-", 2);
  if (mode === undefined || text === `${cipher!}-plain`) return `${cipher!}-cbc-plain`;
  return text;
}

const VERSIONS: ReadonlyMap<string, 1 | 2 | null> = new Map([
  ["luks", null],
  ["luks1", 1],
  ["luks2", 2],
]);

/** The version that `--type` asks for. Null: any. */
export function parseType(text: string | undefined): 1 | 2 | null {
  const version = text === undefined ? null : VERSIONS.get(text.toLowerCase());
  if (version !== undefined) return version;
  throw new UsageError(
    text === "plain"
      ? "--type plain has no header: cev serve and cev copy open such devices"
      : `--type takes luks, luks1 or luks2, not ${text!}`,
  );
}
