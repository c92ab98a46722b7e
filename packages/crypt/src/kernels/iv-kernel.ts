import type { Kernel } from "@cev/core";
import { wasmBytes } from "./iv.generated.ts";

/** The kernel that writes unit numbers as blocks of 16 bytes, bound to one slab. Addresses are bytes in the slab. */
export interface IvKernel {
  /** Little-endian, in the first `bits` (32 or 64) of each block. */
  writeLittle(target: number, count: number, first: number, step: number, bits: number): void;
  /** Big-endian, in the last 64 bits of each block: number times 2^shift plus `add`. */
  writeBig(target: number, count: number, first: number, step: number, shift: number, add: number): void;
}

export const ivKernel: Kernel<IvKernel> = {
  bytes: wasmBytes,
  scratchLength: 0,
  bind(exports): IvKernel {
    const writeLittle = exports["writeLittle"]!;
    const writeBig = exports["writeBig"]!;
    return {
      writeLittle: (target, count, first, step, bits) => void writeLittle(target, count, first, step, bits),
      writeBig: (target, count, first, step, shift, add) =>
        void writeBig(target, count, first, step, shift, add),
    };
  },
};
