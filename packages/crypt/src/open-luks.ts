import { CevError } from "@cev/core";
import type { AbortSignalLike, Details, Environment, KeySource, KeyVault, Layer } from "@cev/core";
import { withAnswers } from "./ask-for-key.ts";
import type { CryptBackend } from "./cipher/sector-cipher.ts";
import { headerSourceOf } from "./header/header-device.ts";
import type { KeyDigest, LuksVolume } from "./header/luks-volume.ts";
import { readLuksVolume } from "./header/read-volume.ts";
import { unlockVolume, volumeDigest } from "./header/unlock.ts";
import type { Unlocked } from "./header/unlock.ts";
import { KDF_LIMITS } from "./key/kdf.ts";
import type { KdfLimits } from "./key/kdf.ts";
import { wipe } from "./key/secret.ts";
import { CryptLayer } from "./layer/crypt-layer.ts";
import type { HeaderSource } from "./luks2/copies.ts";
import { HEADER_SIZES, luksMagicOf } from "./luks2/header.ts";

// Of a header copy: what identifies it.
const PROBE_LENGTH = 512;

/** Settings of `openLuks`. */
export interface OpenLuksOptions {
  readonly environment: Environment;
  /** Passphrases and contents of key files: each is tried on each keyslot. They stay as they are. */
  readonly keys: readonly Uint8Array[];
  /** A detached header: the device (open) that carries it. By default the header is on the encrypted device itself. */
  readonly header?: Layer | undefined;
  /** Only the keyslot of this number, also one that is to be ignored otherwise. */
  readonly keyslot?: number | undefined;
  /** Only a header of this version. By default of any. */
  readonly version?: 1 | 2 | undefined;
  /** What the user calls the device that the header is on, for errors. By default that layer's name. */
  readonly name?: string;
  /** Refuse everything that writes. Default false. */
  readonly isReadOnly?: boolean;
  /** Let discards through. Default: as the header says. */
  readonly allowDiscards?: boolean;
  /** What the header may ask for when keys are derived. */
  readonly kdfLimits?: KdfLimits;
  /** Ends the derivation of a key with `CEV_CANCELLED`. */
  readonly signal?: AbortSignalLike | undefined;
  /** Asks a person for a passphrase where `keys` is empty, up to three times. The answers are wiped. */
  readonly ask?: KeySource["ask"] | undefined;
  /** Is told, in a few words, when keys begin to be derived. */
  readonly onWork?: ((what: string) => void) | undefined;
  /** Where the volume key is kept while a stack is being opened, so that it is derived once. */
  readonly vault?: KeyVault | undefined;
  /** How OpenSSL is called. "ffi" is experimental, and means "openssl" where it cannot be had. Default "openssl". */
  readonly backend?: CryptBackend;
  /** What `describe` of the layer says of options. */
  readonly describedOptions?: Details;
  /** Is told, in one line, when one copy of the header is damaged, missing or out of date. */
  readonly report?: (problem: string) => void;
}

/** A LUKS device that was unlocked. */
export interface OpenedLuks {
  /** Its plaintext. Not opened yet: `Device.open` does that. */
  readonly layer: CryptLayer;
  readonly volume: LuksVolume;
  /** The keyslot that the key was in. */
  readonly keyslotId: number;
}

/**
 * Reads the header on `lower` (which is open), or on the device of a detached header, and unlocks it. Writes nothing. Throws
 * `CEV_KEY_REQUIRED`, `CEV_WRONG_KEY`, `CEV_BAD_METADATA`, or `CEV_UNKNOWN_FEATURE` for what is not known here.
 */
export async function openLuks(lower: Layer, options: OpenLuksOptions): Promise<OpenedLuks> {
  const { environment, header } = options;
  const source = headerSourceOf(header ?? lower, environment, options.name);
  const data = header === undefined ? null : { name: lower.name, size: lower.limits.size };
  const found = await readLuksVolume(source, data);
  if (found === null) {
    const place = { source: source.name, structure: "LUKS header", byteOffset: 0 };
    throw new CevError("CEV_BAD_METADATA", "there is no LUKS header here", place);
  }
  const { volume, problem, isDetached } = found;
  if (options.version !== undefined && volume.version !== options.version) {
    const message = `this is a LUKS${volume.version} header, and one of LUKS${options.version} is asked for`;
    throw new CevError("CEV_INVALID", message, {
      source: source.name,
      hint: "leave --type out, or version in a stack file, to take either",
    });
  }
  if (isDetached && data === null) throw dataIsElsewhere(source.name);
  if (isDetached) await refuseSame(source, headerSourceOf(lower, environment));
  if (problem !== null) options.report?.(problem);
  const { volumeKey, keyslotId } = await unlockOnce(volume, source, options);
  try {
    const layer = new CryptLayer(lower, {
      environment,
      segment: volume.segment,
      volumeKey,
      headerLayer: header ?? null,
      allowDiscards: options.allowDiscards ?? volume.flags.includes("allow-discards"),
      isReadOnly: options.isReadOnly ?? false,
      backend: options.backend ?? "openssl",
      describedOptions: options.describedOptions ?? {},
    });
    return { layer, volume, keyslotId };
  } finally {
    wipe(volumeKey);
  }
}

/** What is said of a header that stands alone. */
export const DETACHED_HINT = "give the encrypted device, and this as its header (--header)";

/**
 * One file or disk may be open under two names: what is written as data would be written over the header. Throws `CEV_INVALID` where the device
 * of the data has a copy of the very header in its place.
 */
async function refuseSame(header: HeaderSource, data: HeaderSource): Promise<void> {
  for (const offset of [0, ...HEADER_SIZES]) {
    if (offset + PROBE_LENGTH > Math.min(header.size, data.size)) return;
    const [left, right] = [await header.read(offset, PROBE_LENGTH), await data.read(offset, PROBE_LENGTH)];
    if (luksMagicOf(left) === null || Buffer.compare(left, right) !== 0) continue;
    throw new CevError("CEV_INVALID", "the header is where the data would be: both are one device", {
      source: data.name,
      byteOffset: offset,
      hint: "give the device that the data is on",
    });
  }
}

function dataIsElsewhere(source: string): CevError {
  const message = "this is a detached header: the encrypted data is on another device";
  return new CevError("CEV_INVALID", message, { source, hint: DETACHED_HINT });
}

/** Takes the volume key from the vault if it was unlocked before. What the vault keeps once matched this very digest. */
async function unlockOnce(
  volume: LuksVolume,
  source: HeaderSource,
  options: OpenLuksOptions,
): Promise<Unlocked> {
  const { vault, keyslot, signal } = options;
  const name = vaultName(volume, volumeDigest(volume), keyslot);
  const kept = vault?.recall(name) ?? null;
  if (kept !== null) {
    const volumeKey = Uint8Array.from(kept.subarray(1));
    const keyslotId = kept[0]!;
    wipe(kept);
    return { volumeKey, keyslotId };
  }
  const limits = options.kdfLimits ?? KDF_LIMITS;
  const lock = `luks/${volume.uuid}`;
  const asking = { ask: options.ask, name: `${lock} on ${source.name}`, signal };
  const unlocked = await withAnswers(options.keys, asking, (keys) => {
    if (keys.length > 0) options.onWork?.(`unlocking ${lock}`);
    return unlockVolume(volume, source, keys, { limits, signal, keyslot });
  });
  if (vault !== undefined) {
    const entry = new Uint8Array(1 + unlocked.volumeKey.length);
    entry[0] = unlocked.keyslotId;
    entry.set(unlocked.volumeKey, 1);
    vault.keep(name, entry);
    wipe(entry);
  }
  return unlocked;
}

/** Salt and digest, which are no secrets, stand for the one key that they were made of. */
function vaultName({ uuid }: LuksVolume, { kdf, digest }: KeyDigest, keyslot: number | undefined): string {
  const texts = [kdf.salt, digest].map((bytes) => Buffer.from(bytes).toString("hex"));
  return ["luks", uuid, keyslot ?? "any", kdf.hash, kdf.iterations, ...texts].join(":");
}
