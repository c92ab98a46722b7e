/** Gives up the memory a file takes, where the platform has a way to ask for it. */
export interface HolePuncher {
  /** The range reads as zeroes and takes no room. False: not here. */
  punch(fd: number, offset: number, length: number): boolean;
  /** The range reads as zeroes and keeps its room. False: not here. */
  zero(fd: number, offset: number, length: number): boolean;
}

/** The part of `node:ffi` that is used: an experimental module, of Node 26 and later. */
interface ForeignFunctions {
  dlopen(
    library: null,
    functions: {
      readonly [name: string]: { readonly arguments: readonly string[]; readonly return: string };
    },
  ): { readonly functions: { readonly fallocate: Fallocate } };
}

type Fallocate = (fd: number, mode: number, offset: bigint, length: bigint) => number;

// Of fallocate(2).
const KEEP_SIZE = 1;
const PUNCH_HOLE = 2;
const ZERO_RANGE = 16;

// Where a file offset takes 64 bits in every C library.
const WIDE_ARCHITECTURES = ["arm64", "loong64", "ppc64", "riscv64", "s390x", "x64"];

/** `fallocate(2)` through `node:ffi`, where there are both; else null. */
export function findHolePuncher(): HolePuncher | null {
  if (process.platform !== "linux" || !WIDE_ARCHITECTURES.includes(process.arch)) return null;
  try {
    const arguments_ = ["i32", "i32", "i64", "i64"];
    const definition = { fallocate: { arguments: arguments_, return: "i32" } };
    const fallocate = foreignFunctions()?.dlopen(null, definition).functions.fallocate;
    // The module is experimental: it is used when it does what it is expected to, here with a file that cannot be.
    if (fallocate?.(-1, KEEP_SIZE | PUNCH_HOLE, 0n, 1n) !== -1) return null;
    const call = (fd: number, mode: number, offset: number, length: number): boolean =>
      fallocate(fd, mode | KEEP_SIZE, BigInt(offset), BigInt(length)) === 0;
    return {
      punch: (fd, offset, length) => call(fd, PUNCH_HOLE, offset, length),
      zero: (fd, offset, length) => call(fd, ZERO_RANGE, offset, length),
    };
  } catch {
    return null;
  }
}

/** Null where this Node has no such module, or does not let this program use it. */
function foreignFunctions(): ForeignFunctions | null {
  const emitWarning = Object.getOwnPropertyDescriptor(process, "emitWarning");
  // Whoever opens a file did not choose an experimental module, and can do nothing about a warning.
  process.emitWarning = () => undefined;
  try {
    return (process.getBuiltinModule("node:ffi") as ForeignFunctions | undefined) ?? null;
  } finally {
    if (emitWarning !== undefined) Object.defineProperty(process, "emitWarning", emitWarning);
  }
}
