import type { Kernel, Slab } from "@cev/core";
import { wasmBytes } from "./xts.generated.ts";

/** Bytes that are worked on at once: more, and the results of OpenSSL's calls come from slow memory. */
export const CHUNK_LENGTH = 65_536;
/** The longest run of blocks whose tweaks follow from one another; longer units have several. */
export const CHAIN_LENGTH_MAX = 1024;

// A chunk of the shortest units, 512 bytes, has this many tweaks of 16 bytes.
const TWEAKS_LENGTH = (CHUNK_LENGTH / 512) * 16;
/** So many first tweaks there is room for: those of several chunks. */
export const FIRST_TWEAKS_MAX: number = 4 * (CHUNK_LENGTH / 512);
const FIRST_TWEAKS_LENGTH = FIRST_TWEAKS_MAX * 16;
// x^7 + x^2 + x + 1 for the lower half's carry, the upper half's lowest bit for the other.
const REDUCTION = [0x87, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];

/** The kernel of AES-XTS bound to one slab. Addresses are bytes in the slab. */
export interface XtsKernel {
  readonly slab: Slab;
  /** Where the units' vectors are written, and then, encrypted, lie as their first tweaks. */
  readonly firstTweaks: number;
  /** Makes the tweaks of all chains from the units' first ones, and gives their address. */
  chainsOf(unitCount: number, perUnit: number): number;
  /** target = source XOR tweaks. */
  xorChains(chains: number, count: number, length: number, source: number, target: number): void;
}

export const xtsKernel: Kernel<XtsKernel> = {
  bytes: wasmBytes,
  scratchLength: FIRST_TWEAKS_LENGTH + TWEAKS_LENGTH + 16,
  bind(exports, scratchAddress, slab): XtsKernel {
    const firstTweaks = scratchAddress;
    const ownChains = firstTweaks + FIRST_TWEAKS_LENGTH;
    const reduction = ownChains + TWEAKS_LENGTH;
    slab.bytes.set(REDUCTION, reduction);
    const writeChains = exports["writeChains"]!;
    const xorChains = exports["xorChains"]!;
    return {
      slab,
      firstTweaks,
      chainsOf(unitCount, perUnit) {
        // The first tweaks are those of the chains already.
        if (perUnit === 1) return firstTweaks;
        writeChains(firstTweaks, ownChains, unitCount, perUnit);
        return ownChains;
      },
      xorChains: (chains, count, length, source, target) =>
        void xorChains(chains, count, length, source, target, reduction),
    };
  },
};
