import { gfDouble, gfPower } from "./galois-field.ts";

// The products of a factor with 0 to 15, and with 16 times these: that of a byte is the sum of two of them.
const TABLE_LENGTH = 32;
const FACTOR_COUNT = 2;
// Behind the factors' tables, 16 bytes each of these, as assembly/shared/field.ts has them.
const CONSTANTS = [0, 0x1d, 0x0f];
const CONSTANTS_AT = FACTOR_COUNT * TABLE_LENGTH;
// And then one table for each of the first powers of 2, which nearly all arrays do with.
const POWER_COUNT = 32;
const POWERS_AT = CONSTANTS_AT + 16 * CONSTANTS.length;

/** Tables of products in GF(2^8), in memory of a kernel. */
export class ProductTables {
  /** Bytes that they take. */
  static readonly length: number = POWERS_AT + POWER_COUNT * TABLE_LENGTH;
  /** Of the two factors' tables, and the constants behind them. */
  readonly address: number;
  readonly #bytes: Uint8Array;
  readonly #factors: Int32Array = new Int32Array(FACTOR_COUNT).fill(-1);

  constructor(memory: ArrayBufferLike, address: number) {
    this.address = address;
    this.#bytes = new Uint8Array(memory, address, ProductTables.length);
    CONSTANTS.forEach((value, index) => {
      const start = CONSTANTS_AT + 16 * index;
      this.#bytes.fill(value, start, start + 16);
    });
    for (let exponent = 0; exponent < POWER_COUNT; exponent++)
      this.#write(POWERS_AT + exponent * TABLE_LENGTH, gfPower(2, exponent));
  }

  /** The address of the products of a power of 2; those of high powers take the place of factor 0. */
  productsOf(exponent: number): number {
    if (exponent < POWER_COUNT) return this.address + POWERS_AT + exponent * TABLE_LENGTH;
    this.setFactor(0, gfPower(2, exponent));
    return this.address;
  }

  /** Makes a factor's table, unless it stands there already. */
  setFactor(index: number, factor: number): void {
    if (this.#factors[index] === factor) return;
    this.#factors[index] = factor;
    this.#write(index * TABLE_LENGTH, factor);
  }

  #write(at: number, factor: number): void {
    const bytes = this.#bytes;
    let multiple = factor;
    for (let start = at; start < at + TABLE_LENGTH; start += 16) {
      bytes[start] = 0;
      for (let bit = 1; bit < 16; bit *= 2) {
        for (let rest = 0; rest < bit; rest++) bytes[start + bit + rest] = bytes[start + rest]! ^ multiple;
        multiple = gfDouble(multiple);
      }
    }
  }
}
