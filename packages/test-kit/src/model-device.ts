/** A plain reference of what a device holds: an array of bytes, and which of them are known. */
export class ModelDevice {
  readonly bytes: Uint8Array;
  // 1: a read must give exactly this byte. 0: it may give anything.
  readonly #isKnown: Uint8Array;

  /** `isKnown`: a new device holds zeroes; otherwise it may hold anything until it is written. */
  constructor(size: number, isKnown = false) {
    this.bytes = new Uint8Array(size);
    this.#isKnown = new Uint8Array(size).fill(isKnown ? 1 : 0);
  }

  copy(): ModelDevice {
    const copy = new ModelDevice(this.size);
    copy.bytes.set(this.bytes);
    copy.#isKnown.set(this.#isKnown);
    return copy;
  }

  get size(): number {
    return this.bytes.length;
  }

  write(offset: number, data: Uint8Array): void {
    this.bytes.set(data, offset);
    this.#isKnown.fill(1, offset, offset + data.length);
  }

  writeZeroes(offset: number, length: number): void {
    this.bytes.fill(0, offset, offset + length);
    this.#isKnown.fill(1, offset, offset + length);
  }

  /** The range may hold anything from now on: after a discard, or a write that failed. */
  forget(offset: number, length: number): void {
    this.#isKnown.fill(0, offset, offset + length);
  }

  /** Takes over what a device was seen to hold. */
  learn(offset: number, data: Uint8Array): void {
    this.write(offset, data);
  }

  /** The offset of the first byte that `data`, read at `offset`, should not hold; -1 when there is none. */
  firstDifference(offset: number, data: Uint8Array): number {
    const found = new DataView(data.buffer, data.byteOffset, data.length);
    const wanted = new DataView(this.bytes.buffer, offset, data.length);
    for (let index = 0; index < data.length; index++) {
      // Four bytes at once, as long as they are the same: tests compare whole devices again and again.
      while (index + 4 <= data.length && found.getUint32(index) === wanted.getUint32(index)) index += 4;
      if (index === data.length) break;
      if (this.#isKnown[offset + index] === 1 && data[index] !== this.bytes[offset + index])
        return offset + index;
    }
    return -1;
  }
}
