import type { BufferPool, PoolBuffer } from "@cev/core";
import { CbcMode } from "./cbc.ts";
import type { CipherSpec } from "./cipher-spec.ts";
import { CtrMode } from "./ctr.ts";
import { EcbMode } from "./ecb.ts";
import { loadEvp } from "./ffi/evp.ts";
import type { Evp } from "./ffi/evp.ts";
import { FfiTransform } from "./ffi/ffi-transform.ts";
import { LrwMode } from "./lrw.ts";
import { SlabCipher } from "./slab-cipher.ts";
import type { UnitOptions } from "./unit-run.ts";
import { XtsCipher } from "./xts.ts";

/** One of several short requests that are encrypted or decrypted together. */
export interface CipherPart {
  /** Number of the first unit. */
  readonly sector: number;
  /** Stays as it is when it is encrypted. */
  readonly data: Uint8Array;
  readonly dataOffset: number;
  /** Whole units, of `PART_LENGTH_MAX` bytes at most. */
  readonly length: number;
}

/** A longer request gains nothing by being worked on together with others. */
export const PART_LENGTH_MAX = 16_384;
/** So many bytes are encrypted or decrypted together. */
export const PARTS_LENGTH_MAX = 65_536;

/**
 * Encrypts and decrypts whole requests of one device, in the memory of the buffer pool: the data path. For key material there
 * is `transformKeyMaterial`, which leaves no copies behind.
 */
export interface SectorCipher {
  /** Takes the memory it works in. Throws `CEV_NO_MEMORY` when the pool has no room. */
  open(): void;
  /** Encrypts `length` bytes (whole units) of `source`, which stays as it is, into a buffer of the pool. `sector`: number of the first unit. */
  encrypt(sector: number, source: Uint8Array, sourceOffset: number, length: number, target: PoolBuffer): void;
  /** Where that is faster than one by one: encrypts several requests one behind the other into a buffer of the pool. `PARTS_LENGTH_MAX` bytes in all. */
  encryptParts?(parts: readonly CipherPart[], target: PoolBuffer): void;
  /** Decrypts `length` bytes (whole units) where they lie, in any memory. */
  decrypt(sector: number, data: Uint8Array, dataOffset: number, length: number): void;
  /** Where that is faster than one by one: decrypts several requests, each where it lies. `PARTS_LENGTH_MAX` bytes in all. */
  decryptParts?(parts: readonly CipherPart[]): void;
  /** Gives the memory back, wiped. */
  close(): void;
}

/** How OpenSSL is called: through `node:crypto`; or through `node:ffi`, in place, where that can be (XTS alone, Node 26 and later). */
export type CryptBackend = "openssl" | "ffi";

/** The cipher of a device. `key` is the volume key; the caller wipes it. */
export function createSectorCipher(
  spec: CipherSpec,
  key: Uint8Array,
  pool: BufferPool,
  { backend = "openssl", ...units }: UnitOptions & { readonly backend?: CryptBackend },
): SectorCipher {
  switch (spec.mode) {
    case "xts":
      return new XtsCipher(spec, key, pool, { ...units, evp: backend === "ffi" ? findEvp() : null });
    case "lrw":
      return new SlabCipher(new LrwMode(spec, key, units), pool, units);
    case "cbc":
      return new SlabCipher(new CbcMode(spec, key, units), pool, units);
    case "ctr":
      return new SlabCipher(new CtrMode(spec, key, units), pool, units);
    case "ecb":
      return new SlabCipher(new EcbMode(spec, key), pool, units);
  }
}

function findEvp(): Evp | null {
  const evp = loadEvp();
  return evp !== null && FfiTransform.isRight(evp) ? evp : null;
}
