import { Option } from "commander";
import type { Command } from "commander";
import type { Json } from "@cev/core";
import type { KnownEntry, OpenImagesOptions } from "@cev/stack";
import { givenKdfLimits, withKdfLimits } from "./crypt/kdf-limits.ts";
import type { KdfOptions } from "./crypt/kdf-limits.ts";
import { UsageError } from "./usage-error.ts";

/** Options that say of encrypted devices what looking at them does not tell, in cryptsetup's words. */
export interface LockOptions extends KdfOptions {
  readonly type?: string;
  readonly header?: string;
  readonly encrypted?: string;
  readonly keySlot?: string;
  readonly allowDiscards?: boolean;
  readonly cryptBackend?: string;
  readonly cipher?: string;
  readonly keySize?: string;
  readonly hash?: string;
  readonly offset?: string;
  readonly size?: string;
  readonly skip?: string;
  readonly sectorSize?: string;
  readonly ivLargeSectors?: boolean;
}

/** All of them. */
export const LOCK_WORDS: readonly (keyof LockOptions)[] = [
  "type",
  "header",
  "encrypted",
  "keySlot",
  "allowDiscards",
  "cryptBackend",
  "cipher",
  "keySize",
  "hash",
  "offset",
  "size",
  "skip",
  "sectorSize",
  "ivLargeSectors",
  "kdfMemoryMax",
  "kdfWorkMax",
  "kdfIterationsMax",
];

const DRIVER = "@cev/crypt";
const SECTOR = 512;
const KEYSLOT_MAX = 31;
const VERSIONS: ReadonlyMap<string, 1 | 2 | null> = new Map([
  ["luks", null],
  ["luks1", 1],
  ["luks2", 2],
  ["plain", null],
]);
const PLAIN_WORDS = {
  cipher: "--cipher",
  keySize: "--key-size",
  hash: "--hash",
  offset: "--offset",
  size: "--size",
  skip: "--skip",
  sectorSize: "--sector-size",
  ivLargeSectors: "--iv-large-sectors",
} as const;

/** Adds them to a command that opens devices. */
export function withLocks(command: Command): Command {
  return withKdfLimits(
    command
      .option("--header <file>", "the LUKS header is in this file, apart from the data")
      .option("-M, --type <type>", "luks1 or luks2: only that; plain: dm-crypt without a header")
      .option("--encrypted <name>", "with --header or plain: the encrypted device (default: the only image)")
      .option("-S, --key-slot <number>", "try this keyslot alone")
      .option("--allow-discards", "let discards through")
      .addOption(
        new Option(
          "--crypt-backend <backend>",
          "how ciphers are called: ffi is faster, and experimental",
        ).choices(["openssl", "ffi"]),
      )
      .option("-c, --cipher <cipher>", "plain: such as aes-xts-plain64")
      .option("-s, --key-size <bits>", "plain: of the key")
      .option("--hash <hash>", "plain: of the passphrase, such as sha256; key files are not hashed")
      .option("-o, --offset <sectors>", "plain: where the data begins, in sectors of 512 bytes")
      .option("-b, --size <sectors>", "plain: of the device, in sectors of 512 bytes")
      .option("-p, --skip <sectors>", "plain: sectors of 512 bytes that the IV counts before the data")
      .option("--sector-size <bytes>", "plain: bytes that are encrypted as one (default 512)")
      .option("--iv-large-sectors", "plain: the IV counts sectors of that size"),
  );
}

/** What is handed on of them: an entry that is known, and options for whatever else is found to be encrypted. */
export type LockSettings = Pick<OpenImagesOptions, "known" | "driverOptions">;

/** What they say of these images. Throws a `UsageError`. */
export function lockSettings(options: LockOptions, images: readonly string[]): LockSettings {
  const { type = "luks", header, encrypted } = options;
  const version = VERSIONS.get(type);
  if (version === undefined) throw new UsageError(`--type ${type} is not known: luks, luks1, luks2 or plain`);
  const isPlain = type === "plain";
  if (isPlain && options.keySlot !== undefined)
    throw new UsageError("--key-slot: a plain device has no keyslots");
  if (!isPlain)
    for (const [name, word] of Object.entries(PLAIN_WORDS))
      if (options[name as keyof typeof PLAIN_WORDS] !== undefined)
        throw new UsageError(`${word} says something of plain dm-crypt: add --type plain`);
  const shared = sharedSettings(options);
  // Also where the known one is plain: something within it may be LUKS.
  const luks = { ...shared, ...luksSettings(options, version) };
  const driverOptions = Object.keys(luks).length === 0 ? {} : { driverOptions: { [DRIVER]: luks } };
  if (!isPlain && header === undefined) {
    if (encrypted !== undefined) throw new UsageError("--encrypted goes with --header or --type plain");
    return driverOptions;
  }
  if (isPlain && header !== undefined) throw new UsageError("a plain device has no header");
  if (encrypted === undefined && images.length !== 1)
    throw new UsageError("there are several images: name the encrypted device with --encrypted");
  const lower = encrypted ?? images[0]!;
  const entry: KnownEntry = isPlain
    ? { driver: DRIVER, lowers: [lower], options: { ...shared, plain: plainOf(options) } }
    : { driver: DRIVER, lowers: [lower, header!], options: luks };
  return { ...driverOptions, known: [entry] };
}

type Settings = Record<string, Json>;

/** What may be said of LUKS and plain devices alike. */
function sharedSettings({ allowDiscards, cryptBackend }: LockOptions): Settings {
  return {
    ...(allowDiscards === true ? { allowDiscards: true } : {}),
    ...(cryptBackend === undefined ? {} : { backend: cryptBackend }),
  };
}

function luksSettings(options: LockOptions, version: 1 | 2 | null): Settings {
  const keyslot = whole(options.keySlot, "--key-slot");
  if (keyslot !== undefined && keyslot > KEYSLOT_MAX)
    throw new UsageError(`--key-slot ${keyslot}: they are numbered from 0 to ${KEYSLOT_MAX}`);
  const { memoryMax, workMax, iterationsMax } = givenKdfLimits(options);
  return {
    ...(version === null ? {} : { version }),
    ...(keyslot === undefined ? {} : { keyslot }),
    ...(memoryMax === undefined ? {} : { kdfMemoryMax: memoryMax }),
    ...(workMax === undefined ? {} : { kdfWorkMax: workMax }),
    ...(iterationsMax === undefined ? {} : { kdfIterationsMax: iterationsMax }),
  };
}

/** In bytes, as the driver counts. */
function plainOf(options: LockOptions): Settings {
  const { cipher, hash } = options;
  const keyBits = whole(options.keySize, "--key-size");
  if (cipher === undefined || keyBits === undefined)
    throw new UsageError(
      "--type plain needs --cipher and --key-size: nothing on the device tells them, and versions of cryptsetup differ",
    );
  if (keyBits % 8 !== 0) throw new UsageError("--key-size is not a multiple of 8 bits");
  const bytesOf = (value: string | undefined, word: string): number | undefined => {
    const sectors = whole(value, word);
    return sectors === undefined ? undefined : sectors * SECTOR;
  };
  const settings = {
    cipher,
    keySize: keyBits / 8,
    hash,
    offset: bytesOf(options.offset, "--offset"),
    size: bytesOf(options.size, "--size"),
    skip: bytesOf(options.skip, "--skip"),
    sectorSize: whole(options.sectorSize, "--sector-size"),
    largeIvs: options.ivLargeSectors,
  };
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Settings;
}

/** A number as it was typed. Throws a `UsageError`. */
export function whole(value: string | undefined, word: string): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (/^[0-9]+$/.test(value) && Number.isSafeInteger(number)) return number;
  throw new UsageError(`${word} ${value} is not a whole number`);
}
