// Bytes of all chunks that are kept; one is, however long it is.
const LENGTH_MAX = 1_048_576;

/** The chunks that were read or changed last, expanded. Who changes one takes it out, and puts the new one in once it is stored. */
export class ChunkCache {
  readonly #countMax: number;
  /** The one that was used last is the last. */
  readonly #chunks = new Map<number, Uint8Array>();

  constructor(chunkSize: number) {
    this.#countMax = Math.max(1, Math.floor(LENGTH_MAX / chunkSize));
  }

  get(chunk: number): Uint8Array | undefined {
    const data = this.#chunks.get(chunk);
    if (data !== undefined) {
      this.#chunks.delete(chunk);
      this.#chunks.set(chunk, data);
    }
    return data;
  }

  /** `data` may not be changed any more. */
  put(chunk: number, data: Uint8Array): void {
    this.#chunks.delete(chunk);
    this.#chunks.set(chunk, data);
    if (this.#chunks.size > this.#countMax) this.#chunks.delete(this.#chunks.keys().next().value!);
  }

  drop(chunk: number): void {
    this.#chunks.delete(chunk);
  }
}
