const BLOCK_LENGTH = 64;
const ROUNDS = 10;
// The length of the message stands at the end of the last block.
const LENGTH_FIELD = 32;

interface Tables {
  /** Of each byte value the upper and the lower 32 bits of its column, eight times, each rotated by a byte more. */
  readonly high: readonly Int32Array[];
  readonly low: readonly Int32Array[];
  /** The first row of each round's constant; the other rows are zero. */
  readonly constants: Int32Array;
}

/** The round's lookup tables (ISO/IEC 10118-3, dedicated hash-function 7), made from the three boxes of 16 values. */
const TABLES: Tables = /* @__PURE__ */ makeTables();

/**
 * The hash Whirlpool (ISO/IEC 10118-3), which OpenSSL has only in a module that Node.js does not load. Several times slower than
 * OpenSSL's hashes.
 */
export class Whirlpool {
  readonly #state = new Int32Array(16);
  readonly #key = new Int32Array(16);
  readonly #work = new Int32Array(16);
  readonly #next = new Int32Array(16);
  readonly #block = new Uint8Array(BLOCK_LENGTH);
  readonly #view = new DataView(this.#block.buffer);
  #filled = 0;
  #length = 0;

  /** Goes on from where another one is. */
  copyFrom(other: Whirlpool): this {
    this.#state.set(other.#state);
    this.#block.set(other.#block);
    this.#filled = other.#filled;
    this.#length = other.#length;
    return this;
  }

  update(bytes: Uint8Array): this {
    this.#length += bytes.length;
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + BLOCK_LENGTH - this.#filled);
      this.#block.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === BLOCK_LENGTH) this.#compress();
    }
    return this;
  }

  /** Ends the message and writes its 64 bytes. Afterwards only `copyFrom` makes it of use again. */
  digest(target: Uint8Array): void {
    this.#block[this.#filled++] = 0x80;
    this.#block.fill(0, this.#filled);
    if (this.#filled > BLOCK_LENGTH - LENGTH_FIELD) {
      this.#compress();
      this.#block.fill(0);
    }
    const bits = this.#length * 8;
    this.#view.setUint32(56, Math.floor(bits / 2 ** 32));
    this.#view.setUint32(60, bits >>> 0);
    this.#compress();
    const view = new DataView(target.buffer, target.byteOffset, target.length);
    for (let word = 0; word < 16; word++) view.setInt32(4 * word, this.#state[word]!);
  }

  /** Overwrites all that is kept of the message. */
  wipe(): void {
    for (const words of [this.#state, this.#key, this.#work, this.#next]) words.fill(0);
    this.#block.fill(0);
  }

  /** One block: the state is the key of a cipher (the Miyaguchi-Preneel scheme). */
  #compress(): void {
    const key = this.#key;
    const work = this.#work;
    const state = this.#state;
    const view = this.#view;
    key.set(state);
    for (let word = 0; word < 16; word++) work[word] = view.getInt32(4 * word) ^ state[word]!;
    for (let round = 0; round < ROUNDS; round++) {
      this.#mix(key);
      key[0] = key[0]! ^ TABLES.constants[2 * round]!;
      key[1] = key[1]! ^ TABLES.constants[2 * round + 1]!;
      this.#mix(work);
      for (let word = 0; word < 16; word++) work[word] = work[word]! ^ key[word]!;
    }
    for (let word = 0; word < 16; word++) state[word] = state[word]! ^ work[word]! ^ view.getInt32(4 * word);
    this.#filled = 0;
  }

  /** Substitutes bytes, shifts columns and mixes rows, all by tables. */
  #mix(words: Int32Array): void {
    const next = this.#next;
    const { high, low } = TABLES;
    for (let row = 0; row < 8; row++) {
      let upper = 0;
      let lower = 0;
      for (let column = 0; column < 8; column++) {
        const word = words[2 * ((row - column) & 7) + (column >> 2)]!;
        const byte = (word >>> (24 - 8 * (column & 3))) & 0xff;
        upper ^= high[column]![byte]!;
        lower ^= low[column]![byte]!;
      }
      next[2 * row] = upper;
      next[2 * row + 1] = lower;
    }
    words.set(next);
  }
}

function makeTables(): Tables {
  const box = makeBox();
  const high = Array.from({ length: 8 }, () => new Int32Array(256));
  const low = Array.from({ length: 8 }, () => new Int32Array(256));
  for (const [value, image] of box.entries()) {
    const row = [1, 1, 4, 1, 8, 5, 2, 9].map((factor) => times(image, factor));
    for (let turn = 0; turn < 8; turn++) {
      const bytes = row.map((_, at) => row[(at - turn + 8) & 7]!);
      high[turn]![value] = wordOf(bytes.slice(0, 4));
      low[turn]![value] = wordOf(bytes.slice(4));
    }
  }
  const constants = new Int32Array(2 * ROUNDS);
  for (let word = 0; word < constants.length; word++)
    constants[word] = wordOf([...box.subarray(4 * word, 4 * word + 4)]);
  return { high, low, constants };
}

/** The substitution of a byte. */
function makeBox(): Uint8Array {
  const exponential = [0x1, 0xb, 0x9, 0xc, 0xd, 0x6, 0xf, 0x3, 0xe, 0x8, 0x7, 0x4, 0xa, 0x2, 0x5, 0x0];
  const chance = [0x7, 0xc, 0xb, 0xd, 0xe, 0x4, 0x9, 0xf, 0x6, 0x3, 0x8, 0xa, 0x2, 0x5, 0x1, 0x0];
  return Uint8Array.from({ length: 256 }, (_, value) => {
    const left = exponential[value >> 4]!;
    const right = exponential.indexOf(value & 15);
    const middle = chance[left ^ right]!;
    return (exponential[left ^ middle]! << 4) | exponential.indexOf(right ^ middle);
  });
}

/** Product in the field of 256 elements with x^8 + x^4 + x^3 + x^2 + 1. */
function times(value: number, factor: number): number {
  let product = 0;
  for (let bit = 3; bit >= 0; bit--) {
    product <<= 1;
    if ((product & 0x100) !== 0) product ^= 0x11d;
    if ((factor & (1 << bit)) !== 0) product ^= value;
  }
  return product;
}

function wordOf(bytes: readonly number[]): number {
  return (bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!;
}
