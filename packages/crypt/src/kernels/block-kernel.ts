import type { Kernel } from "@cev/core";
import { wasmBytes as serpentBytes } from "./serpent.generated.ts";
import { wasmBytes as twofishBytes } from "./twofish.generated.ts";

/** Bytes of an expanded key: 33 round keys of four words. */
export const SERPENT_KEYS_LENGTH = 528;
/** Bytes of the four tables that depend on the key. */
export const TWOFISH_TABLES_LENGTH = 4096;
/** Bytes of an expanded key: the tables and 40 words. */
export const TWOFISH_KEYS_LENGTH: number = TWOFISH_TABLES_LENGTH + 160;

/** A block cipher bound to one slab, with one key. Addresses are bytes in the slab. */
export interface BlockKernel {
  /** Where the expanded key is to be written. */
  readonly keys: number;
  /** Encrypts `count` blocks in place; blocks up to a multiple of four behind them may be overwritten. */
  encrypt(address: number, count: number): void;
  decrypt(address: number, count: number): void;
}

export const serpentKernel: Kernel<BlockKernel> = {
  bytes: serpentBytes,
  scratchLength: SERPENT_KEYS_LENGTH,
  bind(exports, keys): BlockKernel {
    const encrypt = exports["encryptBlocks"]!;
    const decrypt = exports["decryptBlocks"]!;
    return {
      keys,
      encrypt: (address, count) => void encrypt(keys, address, count),
      decrypt: (address, count) => void decrypt(keys, address, count),
    };
  },
};

export const twofishKernel: Kernel<BlockKernel> = {
  bytes: twofishBytes,
  scratchLength: TWOFISH_KEYS_LENGTH,
  bind(exports, keys): BlockKernel {
    const encrypt = exports["encryptBlocks"]!;
    const decrypt = exports["decryptBlocks"]!;
    const words = keys + TWOFISH_TABLES_LENGTH;
    return {
      keys,
      encrypt: (address, count) => void encrypt(keys, words, address, count),
      decrypt: (address, count) => void decrypt(keys, words, address, count),
    };
  },
};
