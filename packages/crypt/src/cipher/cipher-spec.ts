import { CevError } from "@cev/core";
import { blockCipherKeySizes, blockCiphers } from "./block-cipher.ts";
import type { BlockCipher } from "./block-cipher.ts";
import { decodeEncryption } from "./encryption-text.ts";
import type { EncryptionParts } from "./encryption-text.ts";
import { LRW_TWEAK_KEY_LENGTH } from "./lrw.ts";
import { hashLength } from "../key/hash.ts";

/** How blocks of a unit depend on one another. */
export type CipherMode = "xts" | "lrw" | "cbc" | "ctr" | "ecb";

/**
 * What numbers a unit's initialization vector is made of (16 bytes): plain is the unit's number in 32 bits, little-endian, plain64 in
 * 64 bits, plain64be big-endian in the last 8 bytes; benbi counts narrow blocks from 1, big-endian; null is zero.
 */
export type IvName = "plain" | "plain64" | "plain64be" | "benbi" | "null";

/** An encryption as LUKS and dm-crypt write it, taken apart and known: "aes-xts-plain64", "aes-cbc-essiv:sha256". Plain data. */
export interface CipherSpec {
  readonly cipher: BlockCipher;
  readonly mode: CipherMode;
  /** Null for ecb, which has none. */
  readonly iv: IvName | null;
  /** The iv is encrypted once more under this hash of the key (ESSIV); null where it is not. */
  readonly essivHash: string | null;
  /** Bytes of what benbi counts: blocks of 16 bytes; in ctr, to the kernel a stream cipher, single bytes. */
  readonly narrowBlockLength: 1 | 16;
  /** Bytes. For xts both halves of the key together, for lrw the cipher's and 16 more. */
  readonly keySize: number;
}

// As long as the kernel and cryptsetup take it.
const ENCRYPTION_LENGTH_MAX = 127;
const MODES: readonly CipherMode[] = ["xts", "lrw", "cbc", "ctr", "ecb"];
const IVS: readonly IvName[] = ["plain", "plain64", "plain64be", "benbi", "null"];
const WITH_TAGS = "it comes with integrity tags, which are not known here";
// What is refused for a reason that is worth saying.
const REASONS: ReadonlyMap<string, string> = new Map([
  ["cipher_null", "it does not encrypt"],
  ["paes", "its keys live in the hardware of one machine"],
  ["gcm", WITH_TAGS],
  ["ccm", WITH_TAGS],
  ["aegis128", WITH_TAGS],
  ["chacha20", WITH_TAGS],
  ["random", WITH_TAGS],
  ["lmk", "it is made for loop-AES"],
  ["tcw", "it is made for TrueCrypt"],
  ["eboiv", "it is made for BitLocker"],
  ["elephant", "it is made for BitLocker"],
]);

/**
 * Takes an encryption apart and checks that it and the length of its key (bytes) are known. Throws `CEV_UNKNOWN_FEATURE` for what is not
 * known here, or what the OpenSSL of this Node.js does not have.
 */
export function parseCipher(encryption: string, keySize: number): CipherSpec {
  const spec = parseEncryption(encryption);
  const keySizes = keySizesFor(spec.cipher, spec.mode);
  if (!keySizes.includes(keySize)) {
    throw new CevError(
      "CEV_UNKNOWN_FEATURE",
      `${encryption} with a key of ${keySize * 8} bits is not known here`,
      { hint: `known are keys of ${keySizes.map((size) => size * 8).join(", ")} bits` },
    );
  }
  return { ...spec, keySize };
}

/** The lengths of key in bytes that an encryption takes, ascending. Throws `CEV_UNKNOWN_FEATURE` for one that is not known here. */
export function keySizesOf(encryption: string): readonly number[] {
  const { cipher, mode } = parseEncryption(encryption);
  return keySizesFor(cipher, mode);
}

function keySizesFor(cipher: BlockCipher, mode: CipherMode): readonly number[] {
  const sizes = blockCipherKeySizes(cipher);
  if (mode === "xts") return sizes.map((size) => 2 * size);
  if (mode === "lrw") return sizes.map((size) => size + LRW_TWEAK_KEY_LENGTH);
  return sizes;
}

function parseEncryption(encryption: string): Omit<CipherSpec, "keySize"> {
  if (encryption.length > ENCRYPTION_LENGTH_MAX)
    throw unknown(`the cipher ${JSON.stringify(encryption.slice(0, 32))}… (${encryption.length} characters)`);
  const shown = JSON.stringify(encryption);
  const parts = decodeEncryption(encryption);
  if (parts === null) throw unknown(`the cipher ${shown}`);
  if (parts.keyCount !== 1) throw unknown(`the cipher ${shown} with ${parts.keyCount} keys in turn`);
  const cipher = parts.cipher as BlockCipher;
  if (blockCipherKeySizes(cipher).length === 0)
    throw unknown(
      `the cipher ${JSON.stringify(parts.cipher)} of ${shown}`,
      REASONS.get(parts.cipher) ?? "OpenSSL as built into this Node.js does not have it",
    );
  const mode = MODES.find((name) => name === parts.mode);
  if (mode === undefined)
    throw unknown(`the mode ${JSON.stringify(parts.mode)} of ${shown}`, REASONS.get(parts.mode));
  return { cipher, mode, ...parseIv(parts, mode, shown), narrowBlockLength: mode === "ctr" ? 1 : 16 };
}

function parseIv(
  parts: EncryptionParts,
  mode: CipherMode,
  shown: string,
): Pick<CipherSpec, "iv" | "essivHash"> {
  const isEssiv = parts.iv === "essiv";
  const iv = IVS.find((name) => name === (isEssiv ? "plain64" : parts.iv));
  const essivHash = isEssiv ? parts.ivOption : parts.essivHash;
  if (mode === "ecb") {
    // The kernel takes an iv and makes no use of it.
    if (essivHash !== null || (parts.iv !== null && iv === undefined)) throw unknown(`the cipher ${shown}`);
    return { iv: null, essivHash: null };
  }
  if (parts.iv === null) throw unknown(`the cipher ${shown}, in which no iv is named,`);
  if (iv === undefined)
    throw unknown(`the iv ${JSON.stringify(parts.iv)} of ${shown}`, REASONS.get(parts.iv));
  if (isEssiv ? parts.essivHash !== null || essivHash === null : parts.ivOption !== null)
    throw unknown(`the iv ${JSON.stringify(parts.iv)} as in ${shown}`);
  if (essivHash !== null && !blockCipherKeySizes(parts.cipher).includes(hashLength(essivHash)))
    throw unknown(
      `the iv of ${shown}`,
      `${essivHash} gives ${hashLength(essivHash) * 8} bits, with which ${parts.cipher} has no keys`,
    );
  return { iv, essivHash };
}

function unknown(what: string, reason?: string): CevError {
  return new CevError(
    "CEV_UNKNOWN_FEATURE",
    `${what} is not known here${reason === undefined ? "" : `: ${reason}`}`,
    {
      hint: `known are ${blockCiphers().join(", ")} in ${MODES.join(", ")} with the iv ${IVS.join(", ")} or essiv:HASH`,
    },
  );
}
