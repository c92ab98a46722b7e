import * as host from "node:process";

/** The part of `node:ffi` that is used: an experimental module, of Node 26 and later. */
interface ForeignFunctions {
  dlopen(
    library: null,
    functions: Readonly<Record<string, { readonly arguments: readonly string[]; readonly return: string }>>,
  ): { readonly functions: EvpFunctions };
  getRawPointer(memory: ArrayBufferView): bigint;
}

/** What is called of OpenSSL; pointers are addresses, and 0 is none. */
interface EvpFunctions {
  EVP_CIPHER_fetch(library: bigint, name: string, properties: bigint): bigint;
  EVP_CIPHER_free(cipher: bigint): void;
  EVP_CIPHER_CTX_new(): bigint;
  EVP_CIPHER_CTX_free(context: bigint): void;
  EVP_CIPHER_CTX_set_padding(context: bigint, isPadded: number): number;
  EVP_CipherInit_ex(
    context: bigint,
    cipher: bigint,
    engine: bigint,
    key: Uint8Array,
    iv: bigint,
    isEncryption: number,
  ): number;
  EVP_CipherUpdate(
    context: bigint,
    target: bigint,
    length: bigint,
    source: bigint,
    sourceLength: number,
  ): number;
}

const SIGNATURES = {
  EVP_CIPHER_fetch: { arguments: ["pointer", "string", "pointer"], return: "pointer" },
  EVP_CIPHER_free: { arguments: ["pointer"], return: "void" },
  EVP_CIPHER_CTX_new: { arguments: [], return: "pointer" },
  EVP_CIPHER_CTX_free: { arguments: ["pointer"], return: "void" },
  EVP_CIPHER_CTX_set_padding: { arguments: ["pointer", "i32"], return: "i32" },
  EVP_CipherInit_ex: {
    arguments: ["pointer", "pointer", "pointer", "buffer", "pointer", "i32"],
    return: "i32",
  },
  EVP_CipherUpdate: { arguments: ["pointer", "pointer", "pointer", "pointer", "i32"], return: "i32" },
} as const;

/** OpenSSL as it lies in this process, called without a copy of the data. */
export interface Evp {
  readonly functions: EvpFunctions;
  /** Where memory lies that never moves: that of WebAssembly. */
  addressOf(memory: ArrayBufferView): bigint;
}

/**
 * The OpenSSL of this process through `node:ffi`, where Node has that module and this program may use it; else null. A second
 * library of the same name would bring the process down, so it is only ever this one.
 */
export function loadEvp(): Evp | null {
  try {
    // Says on standard error that it is experimental: whoever asked for this backend may know.
    const foreign = host.getBuiltinModule("node:ffi") as ForeignFunctions | undefined;
    if (foreign === undefined) return null;
    const { functions } = foreign.dlopen(null, SIGNATURES);
    return { functions, addressOf: (memory) => foreign.getRawPointer(memory) };
  } catch {
    // An older Node, not permitted, or an OpenSSL that does not show these names.
    return null;
  }
}
