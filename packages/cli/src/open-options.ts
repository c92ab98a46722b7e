import type { Command } from "commander";
import type { KnownEntry } from "@cev/stack";
import { UsageError } from "./usage-error.ts";

/** Options that say of an encrypted device what looking at it does not tell, in cryptsetup's words. */
export interface LockOptions {
  readonly type?: string;
  readonly header?: string;
  readonly encrypted?: string;
  readonly keySlot?: string;
  readonly allowDiscards?: boolean;
  readonly cipher?: string;
  readonly keySize?: string;
  readonly hash?: string;
  readonly offset?: string;
  readonly size?: string;
  readonly skip?: string;
  readonly sectorSize?: string;
  readonly ivLargeSectors?: boolean;
}

const SECTOR = 512;
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
  return command
    .option("--header <file>", "the LUKS header is in this file, apart from the data")
    .option("-M, --type <type>", "luks (found by itself), or plain: dm-crypt without a header")
    .option("--encrypted <name>", "with those two: the encrypted device; by default the only image")
    .option("-S, --key-slot <number>", "try this keyslot alone (with --header)")
    .option("--allow-discards", "let discards through (with --header or --type plain)")
    .option("-c, --cipher <cipher>", "plain: such as aes-xts-plain64")
    .option("-s, --key-size <bits>", "plain: of the key")
    .option("--hash <hash>", "plain: of the passphrase, such as sha256; key files are not hashed")
    .option("-o, --offset <sectors>", "plain: where the data begins, in sectors of 512 bytes")
    .option("-b, --size <sectors>", "plain: of the device, in sectors of 512 bytes")
    .option("-p, --skip <sectors>", "plain: sectors of 512 bytes that the IV counts before the data")
    .option("--sector-size <bytes>", "plain: bytes that are encrypted as one (default 512)")
    .option("--iv-large-sectors", "plain: the IV counts sectors of that size");
}

/** The entry that they describe. Null: none of them was given. Throws a `UsageError`. */
export function knownLock(options: LockOptions, images: readonly string[]): KnownEntry | null {
  const { type = "luks", header, encrypted } = options;
  if (!["luks", "luks1", "luks2", "plain"].includes(type))
    throw new UsageError(`--type ${type} is not known: luks, luks1, luks2 or plain`);
  const isPlain = type === "plain";
  if (!isPlain)
    for (const [name, word] of Object.entries(PLAIN_WORDS))
      if (options[name as keyof typeof PLAIN_WORDS] !== undefined)
        throw new UsageError(`${word} says something of plain dm-crypt: add --type plain`);
  if (!isPlain && header === undefined) {
    refuseAlone(options.encrypted, "--encrypted");
    refuseAlone(options.keySlot, "--key-slot");
    refuseAlone(options.allowDiscards, "--allow-discards");
    return null;
  }
  if (isPlain && header !== undefined) throw new UsageError("a plain device has no header");
  if (encrypted === undefined && images.length !== 1)
    throw new UsageError("there are several images: name the encrypted device with --encrypted");
  const lower = encrypted ?? images[0]!;
  const keyslot = whole(options.keySlot, "--key-slot");
  return {
    driver: "@cev/crypt",
    lowers: isPlain ? [lower] : [lower, header!],
    options: {
      ...(options.allowDiscards === true ? { allowDiscards: true } : {}),
      ...(keyslot === undefined ? {} : { keyslot }),
      ...(isPlain ? { plain: plainOf(options) } : {}),
    },
  };
}

/** In bytes, as the driver counts. */
function plainOf(options: LockOptions): Record<string, string | number | boolean> {
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
  return Object.fromEntries(given) as Record<string, string | number | boolean>;
}

/** A number as it was typed. Throws a `UsageError`. */
export function whole(value: string | undefined, word: string): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (/^[0-9]+$/.test(value) && Number.isSafeInteger(number)) return number;
  throw new UsageError(`${word} ${value} is not a whole number`);
}

function refuseAlone(value: unknown, word: string): void {
  if (value !== undefined) throw new UsageError(`${word} goes with --header or --type plain`);
}
