import type { Kernel, Slab } from "@cev/core";
import { wasmBytes } from "./xts.generated.ts";

/** Bytes that are worked on at once: more, and the results of OpenSSL's calls come from slow memory. */
export const CHUNK_LENGTH = 65_536;
/** The longest run of blocks whose tweaks follow from one another; longer units have several. */
export const CHAIN_LENGTH_MAX = 1024;

// A chunk of the shortest units, 512 bytes, has this many tweaks of 16 bytes.
const TWEAKS_LENGTH = (CHUNK_LENGTH / 512) * 16;
// x^7 + x^2 + x + 1 for the lower half's carry, the upper half's lowest bit for the other.
const REDUCTION = [0x87, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];

/** The kernel of AES-XTS bound to one slab. Addresses are bytes in the slab. */
export interface XtsKernel {
  readonly slab: Slab;
  /** Where the units' vectors are written, and then, encrypted, lie as their first tweaks. */
  readonly firstTweaks: number;
  /** Makes the tweaks of all chains from the units' first ones. */
  writeChains(count: number, perUnit: number): void;
  /** target = source XOR tweaks. */
  xorChains(count: number, length: number, source: number, target: number): void;
}

export const xtsKernel: Kernel<XtsKernel> = {
  bytes: wasmBytes,
  scratchLength: 2 * TWEAKS_LENGTH + 16,
  bind(exports, scratchAddress, slab): XtsKernel {
    const firstTweaks = scratchAddress;
    const chains = firstTweaks + TWEAKS_LENGTH;
    const reduction = chains + TWEAKS_LENGTH;
    slab.bytes.set(REDUCTION, reduction);
    const writeChains = exports["writeChains"]!;
    const xorChains = exports["xorChains"]!;
    return {
      slab,
      firstTweaks,
      writeChains: (count, perUnit) => void writeChains(firstTweaks, chains, count, perUnit),
      xorChains: (count, length, source, target) =>
        void xorChains(chains, count, length, source, target, reduction),
    };
  },
};
