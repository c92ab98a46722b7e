/** A part of a chunk that is to be written. */
export interface WrittenPart {
  /** From the beginning of the chunk. */
  readonly start: number;
  /** The caller's memory: read until it is told that it was written. */
  readonly data: Uint8Array;
}

/** Parts of one chunk that are written together, in the order in which they came. */
export interface Gathered {
  readonly chunk: number;
  readonly parts: WrittenPart[];
  /** Settles when all of them are written, or none is. */
  done: Promise<void>;
}

/**
 * Brings together writes of parts of a chunk that are under way at the same time, so that it is read, expanded and compressed once for all of
 * them. Nobody waits longer for it: what comes while the chunk is being waited for, or read, goes along.
 */
export class Gathering {
  readonly #open = new Map<number, Gathered>();

  /** Resolves when the part is written. `write` is called for the first of those that go together, and ends with `seal`. */
  add(chunk: number, part: WrittenPart, write: (gathered: Gathered) => Promise<void>): Promise<void> {
    const open = this.#open.get(chunk);
    if (open !== undefined) {
      open.parts.push(part);
      return open.done;
    }
    const gathered: Gathered = { chunk, parts: [part], done: Promise.resolve() };
    this.#open.set(chunk, gathered);
    gathered.done = write(gathered);
    return gathered.done;
  }

  /** What comes from now on does not go along any more. */
  seal(gathered: Gathered): void {
    if (this.#open.get(gathered.chunk) === gathered) this.#open.delete(gathered.chunk);
  }

  /** The same for all of some chunks: what comes later may not overtake what changes them in another way. */
  sealRange(firstChunk: number, count: number): void {
    if (this.#open.size === 0) return;
    for (let chunk = firstChunk; chunk < firstChunk + count; chunk++) this.#open.delete(chunk);
  }
}

/** Whether nothing is left of what a chunk held before. */
export function isWhole(parts: readonly WrittenPart[], chunkSize: number): boolean {
  let end = 0;
  for (const { start, data } of parts.toSorted((a, b) => a.start - b.start)) {
    if (start > end) return false;
    end = Math.max(end, start + data.length);
  }
  return end === chunkSize;
}
