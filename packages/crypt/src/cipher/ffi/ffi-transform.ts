import { ProgramError } from "@cev/core";
import type { BlockTransform } from "../block-cipher.ts";
import type { Evp } from "./evp.ts";

const NONE = 0n;
// FIPS 197, appendix C.3: whether the functions do what they are called for, before anybody's data goes through them.
const PROBE_KEY = Uint8Array.from({ length: 32 }, (_, index) => index);
const PROBE_PLAIN = Uint8Array.from({ length: 16 }, (_, index) => index * 0x11);
const PROBE_CIPHER = Buffer.from("8ea2b7ca516745bfeafc49904b496089", "hex");

/** A context of OpenSSL, which holds an expanded key. */
interface HeldContext {
  readonly evp: Evp;
  readonly context: bigint;
}

// Frees, and thereby wipes, the contexts of transforms that nobody has any more: nothing else tells of their end.
const unused = new FinalizationRegistry<HeldContext>(({ evp, context }) =>
  evp.functions.EVP_CIPHER_CTX_free(context),
);

/**
 * A block cipher of OpenSSL's under one key, each block by itself, in place on memory that does not move (WebAssembly's): nothing is
 * copied or allocated. It behaves like the `BlockTransform`s of `node:crypto`.
 */
export class FfiTransform implements BlockTransform {
  readonly #evp: Evp;
  readonly #context: bigint;
  // What a call says that it wrote. Memory of an ArrayBuffer that was asked for as such never moves.
  readonly #length = new DataView(new ArrayBuffer(16));
  readonly #lengthAddress: bigint;
  #memory: ArrayBufferLike | null = null;
  #memoryAddress = NONE;

  private constructor(evp: Evp, context: bigint) {
    this.#evp = evp;
    this.#context = context;
    this.#lengthAddress = evp.addressOf(this.#length);
    unused.register(this, { evp, context });
  }

  /** Null where this OpenSSL does not have the cipher ("aes-256-ecb"). The caller wipes the key. */
  static create(
    evp: Evp,
    algorithm: string,
    key: Uint8Array,
    direction: "encrypt" | "decrypt",
  ): FfiTransform | null {
    const { functions } = evp;
    const cipher = functions.EVP_CIPHER_fetch(NONE, algorithm, NONE);
    if (cipher === NONE) return null;
    const context = functions.EVP_CIPHER_CTX_new();
    if (context === NONE) {
      functions.EVP_CIPHER_free(cipher);
      return null;
    }
    const isEncryption = direction === "encrypt" ? 1 : 0;
    const isReady =
      functions.EVP_CipherInit_ex(context, cipher, NONE, key, NONE, isEncryption) === 1 &&
      functions.EVP_CIPHER_CTX_set_padding(context, 0) === 1;
    // The context keeps what it needs of it.
    functions.EVP_CIPHER_free(cipher);
    if (isReady) return new FfiTransform(evp, context);
    functions.EVP_CIPHER_CTX_free(context);
    return null;
  }

  /** Whether it works here: tried with a published vector. */
  static isRight(evp: Evp): boolean {
    try {
      const transform = FfiTransform.create(evp, "aes-256-ecb", PROBE_KEY, "encrypt");
      return transform !== null && PROBE_CIPHER.equals(transform.update(PROBE_PLAIN));
    } catch {
      return false;
    }
  }

  /** Transforms a range where it lies. `bytes`: the memory; addresses count from its beginning. */
  inPlace(bytes: Uint8Array, address: number, length: number): void {
    if (bytes.buffer !== this.#memory) {
      this.#memory = bytes.buffer;
      this.#memoryAddress = this.#evp.addressOf(bytes);
    }
    // Whatever is wrong with a range must end here: the other side checks nothing.
    if (!(address >= 0 && length > 0 && length % 16 === 0 && address + length <= bytes.length))
      throw new ProgramError(`${length} bytes from ${address} on are no range of blocks here`);
    const at = this.#memoryAddress + BigInt(address);
    const isDone = this.#evp.functions.EVP_CipherUpdate(this.#context, at, this.#lengthAddress, at, length);
    if (isDone !== 1 || this.#length.getInt32(0, true) !== length)
      throw new ProgramError("OpenSSL did not transform all blocks");
  }

  /** Not for the data path: the result is a copy. */
  update(data: Uint8Array): Buffer {
    const result = Buffer.allocUnsafeSlow(data.length);
    result.set(data);
    if (data.length > 0) this.inPlace(result, 0, data.length);
    // It would be kept alive until the next call.
    this.#memory = null;
    return result;
  }
}
