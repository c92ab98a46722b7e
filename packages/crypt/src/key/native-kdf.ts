import crypto from "node:crypto";

/** One derivation, as plain data that can go to another thread or process. */
export type Derivation = Pbkdf2Derivation | Argon2Derivation;

export interface Pbkdf2Derivation {
  readonly type: "pbkdf2";
  /** OpenSSL's name. */
  readonly hash: string;
  readonly iterations: number;
  readonly salt: Uint8Array;
  /** Bytes of the key. */
  readonly length: number;
}

export interface Argon2Derivation {
  readonly type: "argon2i" | "argon2id";
  readonly passes: number;
  readonly memoryKibibytes: number;
  readonly lanes: number;
  readonly salt: Uint8Array;
  readonly length: number;
}

interface NativeArgon2Parameters {
  readonly message: Uint8Array;
  readonly nonce: Uint8Array;
  readonly parallelism: number;
  readonly tagLength: number;
  readonly memory: number;
  readonly passes: number;
}

type NativeArgon2 = (
  algorithm: "argon2i" | "argon2id",
  parameters: NativeArgon2Parameters,
  done: (error: Error | null, key: Uint8Array) => void,
) => void;

// Node's own, from 24.7 on.
const nativeArgon2 = (crypto as { readonly argon2?: NativeArgon2 }).argon2;

/** False on versions of Node without an argon2 of their own. */
export const hasNativeArgon2: boolean = nativeArgon2 !== undefined;

/**
 * Derives a key on Node's thread pool. Nothing stops it once it runs. Rejects with Node's own errors. Imports nothing else: it
 * also runs in a process of its own, which is to start fast.
 */
export function deriveNatively(derivation: Derivation, passphrase: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, key: Uint8Array): void => {
      if (error === null) resolve(key);
      else reject(error);
    };
    if (derivation.type === "pbkdf2") {
      const { salt, iterations, length, hash } = derivation;
      crypto.pbkdf2(passphrase, salt, iterations, length, hash, done);
      return;
    }
    const parameters = {
      message: passphrase,
      nonce: derivation.salt,
      parallelism: derivation.lanes,
      tagLength: derivation.length,
      memory: derivation.memoryKibibytes,
      passes: derivation.passes,
    };
    nativeArgon2!(derivation.type, parameters, done);
  });
}
