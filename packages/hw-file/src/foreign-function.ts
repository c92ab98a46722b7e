/** Of a C function, in the words of `node:ffi`. */
interface Signature {
  readonly arguments: readonly string[];
  readonly return: string;
}

/** A C function: 64-bit values come and go as bigints. */
type ForeignFunction = (...values: readonly (number | bigint | Uint8Array)[]) => number | bigint;

/** The part of `node:ffi` that is used: an experimental module, of Node 26 and later. */
interface ForeignFunctions {
  dlopen(
    library: null,
    functions: { readonly [name: string]: Signature },
  ): { readonly functions: { readonly [name: string]: ForeignFunction } };
  /** Where the memory of a view begins. */
  readonly getRawPointer: (view: Uint8Array) => bigint;
}

// Where a file offset takes 64 bits in every C library.
const WIDE_ARCHITECTURES = ["arm64", "loong64", "ppc64", "riscv64", "s390x", "x64"];

/** A function of the C library that takes file offsets, through `node:ffi`; null where there is no such way, or it is closed. */
export function foreignFunction(name: string, signature: Signature): ForeignFunction | null {
  if (process.platform !== "linux" || !WIDE_ARCHITECTURES.includes(process.arch)) return null;
  return foreignFunctions()?.dlopen(null, { [name]: signature }).functions[name] ?? null;
}

/** What tells where bytes are in memory, for a C function to be told; null where there is no such way. */
export function addressOf(): ((view: Uint8Array) => bigint) | null {
  return foreignFunctions()?.getRawPointer ?? null;
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
