import { Whirlpool } from "./whirlpool.ts";

const BLOCK_LENGTH = 64;
const DIGEST_LENGTH = 64;

/** What `whirlpoolPbkdf2` is to derive. */
export interface WhirlpoolPbkdf2 {
  readonly passphrase: Uint8Array;
  readonly salt: Uint8Array;
  readonly iterations: number;
  /** Bytes of the key. */
  readonly length: number;
}

/** PBKDF2 (RFC 8018) with HMAC of Whirlpool, which OpenSSL as built into Node.js does not have. Blocks its thread. */
export function whirlpoolPbkdf2({ passphrase, salt, iterations, length }: WhirlpoolPbkdf2): Uint8Array {
  const mac = new Mac(passphrase);
  const key = new Uint8Array(Math.ceil(length / DIGEST_LENGTH) * DIGEST_LENGTH);
  const last = new Uint8Array(DIGEST_LENGTH);
  const number = new Uint8Array(4);
  for (let at = 0, index = 1; at < length; at += DIGEST_LENGTH, index++) {
    new DataView(number.buffer).setUint32(0, index);
    mac.compute([salt, number], last);
    const block = key.subarray(at, at + DIGEST_LENGTH);
    block.set(last);
    for (let round = 1; round < iterations; round++) {
      mac.compute([last], last);
      for (let byte = 0; byte < DIGEST_LENGTH; byte++) block[byte] = block[byte]! ^ last[byte]!;
    }
  }
  mac.wipe();
  last.fill(0);
  const derived = key.slice(0, length);
  key.fill(0);
  return derived;
}

/** HMAC (RFC 2104) of one key: both paddings are hashed once. */
class Mac {
  readonly #inner = new Whirlpool();
  readonly #outer = new Whirlpool();
  readonly #work = new Whirlpool();

  constructor(key: Uint8Array) {
    const padded = new Uint8Array(BLOCK_LENGTH);
    if (key.length > BLOCK_LENGTH) new Whirlpool().update(key).digest(padded);
    else padded.set(key);
    this.#inner.update(padded.map((byte) => byte ^ 0x36));
    this.#outer.update(padded.map((byte) => byte ^ 0x5c));
    padded.fill(0);
  }

  /** `target` may be among the parts. */
  compute(parts: readonly Uint8Array[], target: Uint8Array): void {
    const work = this.#work.copyFrom(this.#inner);
    for (const part of parts) work.update(part);
    work.digest(target);
    work.copyFrom(this.#outer).update(target).digest(target);
  }

  wipe(): void {
    for (const hash of [this.#inner, this.#outer, this.#work]) hash.wipe();
  }
}
