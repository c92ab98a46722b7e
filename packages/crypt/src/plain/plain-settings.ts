import type { Details } from "@cev/core";
import { parsePlainHash } from "./plain-key.ts";

/** All that must be known of a plain dm-crypt device beside its key: nothing on the disk tells it. Sizes and offsets are bytes. */
export interface PlainSettings {
  /** As dm-crypt writes it: "aes-xts-plain64", "aes-cbc-essiv:sha256". */
  readonly cipher: string;
  /** Of the key. */
  readonly keySize: number;
  /** Of the passphrase: "sha256", "sha256:16", "plain". Null: only a key file opens it. */
  readonly hash: string | null;
  /** Where the encrypted data begins on the device below. */
  readonly offset: number;
  /** Of the device. Null: to the end of the one below. */
  readonly size: number | null;
  /** Counts as being before the data when initialization vectors are numbered. */
  readonly skip: number;
  /** 512, 1024, 2048 or 4096. */
  readonly sectorSize: number;
  /** Initialization vectors count sectors of `sectorSize`, not of 512 bytes. */
  readonly largeIvs: boolean;
}

/** What of the settings can be left out. Cipher and key size cannot: their defaults differ from version to version of cryptsetup. */
export type PlainSettingsGiven = Pick<PlainSettings, "cipher" | "keySize"> &
  Partial<Omit<PlainSettings, "size" | "hash">> & {
    readonly hash?: string | null | undefined;
    readonly size?: number | null | undefined;
  };

/** What is wrong with one setting. */
export interface SettingIssue {
  readonly setting: string;
  readonly message: string;
}

const SECTOR = 512;
const SECTOR_SIZES: readonly unknown[] = [512, 1024, 2048, 4096];
const KEY_SIZE_MAX = 512;
// Sectors are counted on from here in plain numbers: this leaves room for any device.
const SKIP_MAX = 2 ** 52;

const bytes = (description: string): Details => ({
  type: "integer",
  minimum: 0,
  multipleOf: SECTOR,
  description,
});

/** The settings as a JSON Schema. */
export const plainSchema: Details = {
  type: "object",
  additionalProperties: false,
  required: ["cipher", "keySize"],
  properties: {
    cipher: { type: "string", minLength: 1, description: 'As dm-crypt writes it: "aes-xts-plain64"' },
    keySize: {
      type: "integer",
      minimum: 1,
      maximum: KEY_SIZE_MAX,
      description: "Bytes of the key (cryptsetup counts bits)",
    },
    hash: {
      type: "string",
      pattern: "^[a-z0-9][a-z0-9-]*(:[1-9][0-9]{0,3})?$",
      description:
        'Hash of the passphrase: "sha256", "sha256:16" (bytes of the key that it fills) or "plain"',
    },
    offset: { ...bytes("Byte at which the data begins (cryptsetup counts sectors of 512)"), default: 0 },
    size: { ...bytes("Bytes of the device; by default all that is left below"), minimum: SECTOR },
    skip: { ...bytes("Bytes that count as being before the data in initialization vectors"), default: 0 },
    sectorSize: {
      enum: [512, 1024, 2048, 4096],
      default: SECTOR,
      description: "Bytes that are encrypted as one",
    },
    largeIvs: {
      type: "boolean",
      default: false,
      description: "Initialization vectors count sectors of that size, not of 512 bytes",
    },
  },
  description: "The device has no header: plain dm-crypt, with these settings",
};

/** Checks and completes settings of which nothing is known. What depends on the device below is checked when it is opened. */
export function checkPlainSettings(
  value: unknown,
): { readonly value: PlainSettings } | { readonly issues: readonly SettingIssue[] } {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { issues: [{ setting: "", message: "is not an object with cipher and keySize" }] };
  const given = value as Readonly<Record<string, unknown>>;
  const issues: SettingIssue[] = [];
  const check = (setting: string, isRight: boolean, message: string): void => {
    if (!isRight) issues.push({ setting, message });
  };
  for (const name of Object.keys(given))
    check(name, Object.hasOwn(plainSchema["properties"] as Details, name), "there is no such setting");
  const settings = { ...DEFAULTS, ...withoutMissing(given) } as unknown as PlainSettings;
  const { cipher, keySize, hash, offset, size, skip, sectorSize, largeIvs } = settings;
  check("cipher", typeof cipher === "string" && cipher !== "", 'is not a cipher such as "aes-xts-plain64"');
  check("keySize", isWhole(keySize, 1, KEY_SIZE_MAX), `is not a number of bytes from 1 to ${KEY_SIZE_MAX}`);
  const isHash = hash === null || (typeof hash === "string" && parsePlainHash(hash) !== null);
  check("hash", isHash, 'is not a hash such as "sha256", "sha256:16" or "plain"');
  check("sectorSize", SECTOR_SIZES.includes(sectorSize), "is not 512, 1024, 2048 or 4096");
  const unit = SECTOR_SIZES.includes(sectorSize) ? sectorSize : SECTOR;
  check(
    "offset",
    isWhole(offset, 0, Number.MAX_SAFE_INTEGER, SECTOR),
    `is not a multiple of ${SECTOR} bytes`,
  );
  check("skip", isWhole(skip, 0, SKIP_MAX, unit), `is not a multiple of ${unit} bytes, or too large`);
  const isSize = size === null || isWhole(size, unit, Number.MAX_SAFE_INTEGER, unit);
  check("size", isSize, `is not a multiple of ${unit} bytes above 0`);
  check("largeIvs", typeof largeIvs === "boolean", "is neither true nor false");
  return issues.length > 0 ? { issues } : { value: settings };
}

const DEFAULTS: Omit<PlainSettings, "cipher" | "keySize"> = {
  hash: null,
  offset: 0,
  size: null,
  skip: 0,
  sectorSize: SECTOR,
  largeIvs: false,
};

function withoutMissing(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).filter(([, one]) => one !== undefined));
}

function isWhole(value: unknown, valueMin: number, valueMax: number, unit = 1): boolean {
  return (
    typeof value === "number" &&
    Number.isSafeInteger(value) &&
    value >= valueMin &&
    value <= valueMax &&
    value % unit === 0
  );
}
