const GRANULE_LENGTH = 16_777_216;
const GRANULES_MAX = 65_536;

/** Which parts of a device are known to be data throughout: reads there need not ask for holes. That it was true once is enough. */
export class DenseMap {
  /** Bytes of a part. */
  readonly granuleLength: number;
  readonly #dense: Uint8Array;

  constructor(size: number) {
    let length = GRANULE_LENGTH;
    while (length * GRANULES_MAX < size) length *= 2;
    this.granuleLength = length;
    this.#dense = new Uint8Array(Math.ceil(size / length));
  }

  covers(offset: number, length: number): boolean {
    const last = Math.floor((offset + length - 1) / this.granuleLength);
    for (let index = Math.floor(offset / this.granuleLength); index <= last; index++)
      if (this.#dense[index] !== 1) return false;
    return true;
  }

  /** All from `offset`, which begins a part, up to `end` is data. */
  note(offset: number, end: number): void {
    for (let at = offset; at < end; at += this.granuleLength) this.#dense[at / this.granuleLength] = 1;
  }

  /** There may be holes from now on. */
  forget(offset: number, length: number): void {
    const last = Math.floor((offset + length - 1) / this.granuleLength);
    this.#dense.fill(0, Math.floor(offset / this.granuleLength), last + 1);
  }
}
